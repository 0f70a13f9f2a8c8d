"""
Sentences that people read in English or in Chinese.

English is what is raised, logged and stored. A reader of Chinese gets the Chinese sentence when the
text is shown: `in_chinese` finds the sentence by its words. What WeChat, Postgres or the operating
system said is quoted as it came.
"""

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, NewType

Sentence = NewType("Sentence", str)
"""A sentence of ours in English: `sentences.toml` or `rejections.csv` has the Chinese one."""
Quoted = NewType("Quoted", str)
"""Words of WeChat, Postgres, a library or the operating system, and names: never translated."""

_PACKAGE = Path(__file__).parent
_PLACE = re.compile(r"\\ \\{address\\}|\\{(\w+)\\}")
_NARROW = {
    **dict.fromkeys(["count", "size", "most", "status", "found", "total"], r"[\d,]+"),
    **dict.fromkeys(["field", "connection", "role", "endpoint", "variable", "near"], r"\S+"),
}
"""What may stand in a place that does not take any text."""
_SENTENCE_PLACES = {"first", "why", "names"}
"""The places that hold a sentence."""


class Rejection(NamedTuple):
    """
    Why parts of answers are rejected: a row of `rejections.csv`.

    Places: `{field}` a key of the answer, `{count}` how many parts, `{first}` another sentence.
    """

    code: str
    one: str
    """About one part; empty where there are always several."""
    many: str
    one_zh: str
    many_zh: str


def _table(name: str) -> list[list[str]]:
    """Return the rows of a CSV file of the package, without its header."""
    with (_PACKAGE / name).open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)][1:]


REJECTIONS = {row[0]: Rejection(*row) for row in _table("rejections.csv")}
"""The reasons by their codes."""


_SENTENCES: Mapping[str, Mapping[str, str]] = tomllib.loads(
    (_PACKAGE / "sentences.toml").read_text(encoding="utf-8")
)
CHINESE_MESSAGES, CHINESE_CAUSES = _SENTENCES["messages"], _SENTENCES["causes"]
"""The Chinese sentences by the English ones, with unfilled places."""


def sentence(frame: str, **places: object) -> Sentence:
    """
    Return the English sentence of a cause, with its places filled in.

    Raises:
        KeyError: `sentences.toml` does not have the frame.
    """
    if frame not in CHINESE_CAUSES:
        raise KeyError(frame)
    return Sentence(frame.format(**places))


def rejection(code: str, count: int = 1, **places: str) -> Sentence:
    """Return the English sentence why `count` parts of answers are rejected."""
    reason = REJECTIONS[code]
    text = reason.one if count == 1 else reason.many
    return Sentence(text.format(count=f"{count:,}", **places))


# ---------------------------------------------------------------------------------- in Chinese


def in_chinese(text: str) -> str:
    """
    Return a sentence of ours in Chinese; any other text as it is.

    `cause: detail` is translated part by part, and so is a sentence inside another one.
    """
    for pattern, chinese in _translations():
        if found := pattern.fullmatch(text):
            places = found.groupdict("")
            inner = {name: in_chinese(places[name]) for name in _SENTENCE_PLACES & places.keys()}
            return chinese.format(**(places | inner))
    cause, colon, detail = text.partition(": ")
    translated = in_chinese(cause) if colon else cause
    return text if translated == cause else f"{translated}：{in_chinese(detail)}"


@cache
def _translations() -> list[tuple[re.Pattern[str], str]]:
    """Return a pattern of each English sentence with the Chinese one, the most specific first."""
    pairs = {english: chinese for english, chinese in _pairs() if english}
    by_words = sorted(pairs, key=lambda english: -len(re.sub(r"\{\w+\}", "", english)))
    return [(_pattern(english), pairs[english]) for english in by_words]


def _pairs() -> Iterable[tuple[str, str]]:
    """Yield each sentence in English and in Chinese."""
    yield from CHINESE_CAUSES.items()
    for reason in REJECTIONS.values():
        yield reason.one, reason.one_zh
        yield reason.many, reason.many_zh
    for *_, cause, cure, _, cause_zh, cure_zh in _table("problems.csv"):
        yield cause, cause_zh
        yield cure, cure_zh


def _pattern(english: str) -> re.Pattern[str]:
    """Return the pattern of a sentence with anything in its places."""
    return re.compile(_PLACE.sub(_group, re.escape(english)))


def _group(place: re.Match[str]) -> str:
    """Return the pattern of what may stand in a place; an unknown address is left out."""
    if place[1] is None:
        return r"(?: (?P<address>\S+))?"
    return f"(?P<{place[1]}>{_NARROW.get(place[1], '.+')})"
