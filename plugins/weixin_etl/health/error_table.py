"""
The operator's table of what can go wrong, in Markdown, for the manual.

It is made of the errors themselves: `python -m weixin_etl.health.error_table` prints it, with
`zh-CN` behind it in Chinese.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator

from weixin_etl.api import errors
from weixin_etl.api.errors import BY_CODE, WHAT_TO_CHANGE, Advice, ConfigurationError, WeixinError
from weixin_etl.health import chinese
from weixin_etl.warehouse.errors import BY_SQLSTATE

_HEAD = ("what happened", "errcode", "what to change", "asked again without your doing")
_PLACES = {
    "connection": "the connection",
    "ticket": "the Variable",
    "address": "the address it names",
    "permission_set": "7 (2 for followers)",
}


def table(said: Callable[[str], str] = str) -> str:
    """The whole table, a row per cause; `said` gives a text in the reader's language."""
    rows = [map(said, _HEAD), ["---"] * len(_HEAD)]
    rows += [
        (said(cause), ", ".join(map(said, met_by)) or "–", said(cure), said(again))
        for cause, met_by, cure, again in _rows()
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _rows() -> Iterator[tuple[str, list[str], str, str]]:
    for kind in _kinds(WeixinError):
        if kind is ConfigurationError:
            yield from _refusals()
        if not hasattr(kind, "cause"):
            continue
        codes = [str(code) for code, of in BY_CODE.items() if of is kind]
        met_by = [*codes, kind.met_by] if kind.met_by else codes
        yield kind.cause, met_by, kind.cure, kind.asked_again
    for matter in dict.fromkeys(BY_SQLSTATE.values()):
        yield matter.cause, [], matter.cure, "by Airflow"
    yield "the warehouse lacks migrations", [], "run `weixin-etl migrate`", "no"
    yield "a field of a connection or the form cannot be used", [], "correct what it names", "no"
    yield "a fault of the program", [], "report it, with the lines above", "by Airflow"


def _kinds(kind: type[WeixinError]) -> Iterator[type[WeixinError]]:
    """Those of the tree that are raised, in its order."""
    below = sorted(kind.__subclasses__(), key=list(vars(errors).values()).index)
    if not below or kind is ConfigurationError:
        yield kind
    for child in below:
        yield from _kinds(child)


def _refusals() -> Iterator[tuple[str, list[str], str, str]]:
    codes: dict[Advice, list[int]] = defaultdict(list)
    for code, advice in WHAT_TO_CHANGE.items():
        codes[advice].append(code)
    for advice, alike in codes.items():
        is_of_token = alike == [40001]
        met_by = [f"{code} on the token call" if is_of_token else str(code) for code in alike]
        cause, cure = (text.format_map(_PLACES) for text in advice)
        yield cause, met_by, cure, "no"


if __name__ == "__main__":
    is_chinese = sys.argv[1:] == [chinese.LANGUAGE]
    sys.stdout.write(f"{table(chinese.of if is_chinese else str)}\n")
