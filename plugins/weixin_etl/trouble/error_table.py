"""
The operator's table of what can go wrong, in Markdown, for the manual.

It is made of the errors themselves: `python -m weixin_etl.trouble.error_table` prints it.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator

from weixin_etl.api import errors
from weixin_etl.api.errors import BY_CODE, WHAT_TO_CHANGE, Advice, ConfigurationError, WeixinError
from weixin_etl.warehouse.errors import BY_SQLSTATE

_HEAD = """\
| what happened | errcode | what to change | asked again without your doing |
| --- | --- | --- | --- |"""
_PLACES = {
    "connection": "the connection",
    "ticket": "the Variable",
    "address": "the address it names",
}


def table() -> str:
    """The whole table; a row per cause."""
    return "\n".join([_HEAD, *(f"| {' | '.join(cells)} |" for cells in _rows())])


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for kind in _kinds(WeixinError):
        if kind is ConfigurationError:
            yield from _refusals()
        if not hasattr(kind, "cause"):
            continue
        codes = [str(code) for code, of in BY_CODE.items() if of is kind]
        met_by = ", ".join(filter(None, [*codes, kind.met_by])) or "–"
        yield kind.cause, met_by, kind.cure, kind.asked_again
    for cause, cure in dict.fromkeys(BY_SQLSTATE.values()):
        yield f"the warehouse {cause}", "–", cure, "by Airflow"
    yield "the warehouse lacks migrations", "–", "run `weixin-etl migrate`", "no"
    yield "a field of a connection or the form cannot be used", "–", "correct what it names", "no"
    yield "a fault of the program", "–", "report it, with the lines above", "by Airflow"


def _kinds(kind: type[WeixinError]) -> Iterator[type[WeixinError]]:
    """Those of the tree that are raised, in its order."""
    below = sorted(kind.__subclasses__(), key=list(vars(errors).values()).index)
    if not below or kind is ConfigurationError:
        yield kind
    for child in below:
        yield from _kinds(child)


def _refusals() -> Iterator[tuple[str, str, str, str]]:
    codes: dict[Advice, list[int]] = defaultdict(list)
    for code, advice in WHAT_TO_CHANGE.items():
        codes[advice].append(code)
    for advice, alike in codes.items():
        listed = ", ".join(map(str, alike))
        yield (
            advice.cause,
            f"{listed} on the token call" if alike == [40001] else listed,
            advice.cure.format(**_PLACES),
            "no",
        )


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
