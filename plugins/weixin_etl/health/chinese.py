"""
What operators are told, in Chinese: found when somebody reads it, as it is raised in English.

`chinese.toml` has each English sentence and its Chinese one, with `{places}` for what differs from
case to case. What it does not have stays English. What others wrote stays as it came: names, what
WeChat said, and what stands in a place, unless that is one for another sentence. See decision 0036.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter

from weixin_etl.clock import days_as_ranges
from weixin_etl.problem import Problem

LANGUAGE = "zh-CN"
CATALOGUE = Path(__file__).with_suffix(".toml")
_OF_SENTENCES = {
    *("address", "cause", "connection", "cure", "days", "how_long", "messages", "msgid"),
    *("other", "others", "pause", "permission_set", "reason", "rest", "variable", "what"),
    *("whose", "why"),
}
"""Places that hold another sentence of the catalogue, or part of one."""
_AND_MORE = "{cause} and {count} more"
_DEEPEST = 5
"""How many sentences are looked for in one another."""
_TEXTS_KEPT = 4096


def of(text: str) -> str:
    """
    A text in Chinese: a sentence of the catalogue, alone or as the cause before `: ` and a detail.

    The sentence with the most characters of its own wins. It takes time in proportion to the text,
    whatever a stranger's words in it are.
    """
    return _of(text, _DEEPEST)


def title(problem: Problem) -> str:
    """`Problem.title` in Chinese."""
    who = _account(problem) or problem.subject or of("WeChat")
    return _read("titles")[problem.kind].format(who=who, subject=problem.subject)


def told(problem: Problem) -> Problem:
    """The problem with its cause and cure in Chinese. With an errcode, the detail is WeChat's."""
    cause, colon, detail = problem.cause.partition(": ")
    in_chinese = f"{of(cause)}{colon and '：'}{detail}"
    if problem.errcode is None:
        in_chinese = of(problem.cause)
    return replace(problem, account=_account(problem), cause=in_chinese, cure=of(problem.cure))


def _account(problem: Problem) -> str:
    """What the account is called, or the first of several, and how many more there are."""
    first, _, more = problem.account.rpartition(" and ")
    count = more.removesuffix(" more")
    if problem.appid or problem.conn_id or problem.subject or not (first and count.isdecimal()):
        return problem.account
    return _read("texts")[_AND_MORE].format(cause=first, count=count)


def line(problem: Problem) -> str:
    """The line of a problem that is `told` in Chinese, without WeChat's id of a call."""
    cause, cure = problem.cause, problem.cure
    said = f"{cure}（{cause}）" if cure and cause else cure or cause
    errcode = "" if problem.errcode is None else f"错误码 {problem.errcode}"
    ids = filter(None, [problem.conn_id if problem.appid else "", errcode])
    parts = [said, days(problem), "，".join(ids)]
    return (f"{problem.account}：" if problem.account else "") + " · ".join(filter(None, parts))


def days(problem: Problem) -> str:
    """The problem's days as ranges: `2026-11-17 至 2026-11-19, 2026-11-23`."""
    return days_as_ranges(problem.days).replace(" to ", " 至 ")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """An English sentence, and what it is in Chinese."""

    first: str
    """The English text before the first place; the whole text when there is none."""
    inner: Sequence[str]
    """The texts between places."""
    last: str
    places: Sequence[str]
    chinese: str

    @property
    def own_length(self) -> int:
        """How many characters are its own."""
        return sum(map(len, (self.first, *self.inner, self.last)))

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in its places, if the text is this sentence."""
        if not (text.startswith(self.first) and text.endswith(self.last)):
            return None
        if not self.places:
            return {} if text == self.first else None
        values: dict[str, str] = {}
        start, end = len(self.first), len(text) - len(self.last)
        for place, literal in zip(self.places, [*self.inner, None], strict=True):
            until = end if literal is None else text.find(literal, start + 1, end)
            value = text[start:until]
            if until <= start or (place.endswith("count") and not value.isdecimal()):
                return None
            if start == 0 and place not in _OF_SENTENCES and ": " in value:
                return None  # no name, but a cause and the beginning of a detail
            values[place] = value
            start = until + len(literal or "")
        return values


@lru_cache(_TEXTS_KEPT)
def _of(text: str, depth: int) -> str:
    if depth:
        for sentence in _sentences():
            if (values := sentence.values(text)) is not None:
                return sentence.chinese.format(
                    **{
                        place: _of(value, depth - 1) if place in _OF_SENTENCES else value
                        for place, value in values.items()
                    }
                )
    return text


@cache
def _sentences() -> list[_Sentence]:
    """All of the catalogue, the ones with the most characters of their own first."""
    texts = _read("texts").items()
    alone = [_sentence(*it) for it in texts]
    with_detail = [_sentence(f"{it}: {{rest}}", f"{chinese}：{{rest}}") for it, chinese in texts]
    return sorted([*alone, *with_detail], key=lambda it: -it.own_length)


def _sentence(english: str, chinese: str) -> _Sentence:
    parts = [*Formatter().parse(english)]
    places = [place for _, place, _, _ in parts if place is not None]
    first, *others = [literal for literal, _, _, _ in parts]
    inner, last = others[: len(places) - 1], others[len(places) - 1 :] if places else []
    return _Sentence(first, inner, "".join(last), places, chinese)


@cache
def _read(table: str) -> Mapping[str, str]:
    texts: Mapping[str, str] = tomllib.loads(CATALOGUE.read_text())[table]
    return texts
