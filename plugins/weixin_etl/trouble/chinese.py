"""
What operators are told, in Chinese: found when somebody reads it, as it is raised in English.

`chinese.toml` has each English sentence and its Chinese one, with `{places}` for what differs from
case to case. What it does not have stays English. Values stay as they are, unless they are
sentences of it themselves. See decision 0036.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter

from weixin_etl.clock import days_as_ranges
from weixin_etl.problem import Problem

LANGUAGE = "zh-CN"
CATALOGUE = Path(__file__).with_suffix(".toml")
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
    return _read("titles")[problem.kind].format(who=of(problem.who), subject=problem.subject)


def in_full(problem: Problem) -> str:
    """`Problem.in_full` in Chinese."""
    cause, cure = of(problem.cause), of(problem.cure)
    said = f"{cure}（{cause}）" if cure and cause else cure or cause
    errcode = "" if problem.errcode is None else f"错误码 {problem.errcode}"
    ids = filter(None, [problem.conn_id if problem.appid else "", errcode])
    parts = [said, days(problem), "，".join(ids)]
    return (f"{of(problem.account)}：" if problem.account else "") + " · ".join(filter(None, parts))


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
            values[place] = value
            start = until + len(literal or "")
        return values


@lru_cache(_TEXTS_KEPT)
def _of(text: str, depth: int) -> str:
    if depth:
        for sentence in _sentences():
            if (values := sentence.values(text)) is not None:
                chinese = {place: _of(value, depth - 1) for place, value in values.items()}
                return sentence.chinese.format(**chinese)
    return text


@cache
def _sentences() -> list[_Sentence]:
    """All of the catalogue, the ones with the most characters of their own first."""
    sentences = [it for texts in _read("texts").items() for it in _alone_and_with_detail(*texts)]
    return sorted(sentences, key=lambda it: -it.own_length)


def _alone_and_with_detail(english: str, chinese: str) -> Iterator[_Sentence]:
    for text, its in ((english, chinese), (f"{english}: {{detail}}", f"{chinese}：{{detail}}")):
        parts = [*Formatter().parse(text)]
        places = [place for _, place, _, _ in parts if place is not None]
        first, *others = [literal for literal, _, _, _ in parts]
        inner, last = others[: len(places) - 1], others[len(places) - 1 :] if places else []
        yield _Sentence(first, inner, "".join(last), places, its)


@cache
def _read(table: str) -> Mapping[str, str]:
    texts: Mapping[str, str] = tomllib.loads(CATALOGUE.read_text())[table]
    return texts
