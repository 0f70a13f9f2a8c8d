"""
Sentences that people read in English or in Chinese.

The package raises, logs and stores English sentences. When a text is shown to a reader of Chinese,
`in_chinese` recognises the sentence by its words and returns the Chinese one. Words of WeChat,
Postgres or the operating system are quoted and never translated.
"""

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, NewType

Sentence = NewType("Sentence", str)
"""An English sentence of the package. A data file of the package has the Chinese one."""
Quoted = NewType("Quoted", str)
"""Names, and words of WeChat, Postgres, a library or the operating system: not translated."""

_PACKAGE = Path(__file__).parent
_PLACE = re.compile(r"\\ \\{address\\}|\\{(\w+)\\}")
_NARROW = {
    **dict.fromkeys(["count", "size", "most", "status", "found", "total"], r"[\d,]+"),
    **dict.fromkeys(["field", "connection", "role", "endpoint", "variable", "near"], r"\S+"),
}
"""The patterns of placeholders that do not accept every text."""
_SENTENCE_PLACES = {"first", "why", "names"}
"""The placeholders that hold a sentence."""


class Rejection(NamedTuple):
    """
    A reason why parts of answers are rejected: a row of `rejections.csv`.

    Placeholders: `{field}` is a key of the answer, `{count}` the number of parts, `{first}` another
    sentence.
    """

    code: str
    singular: str
    """The sentence about one part. Empty if there are always several parts."""
    plural: str
    singular_zh: str
    plural_zh: str


def read_table(name: str) -> list[list[str]]:
    """Return the rows of a CSV file of the package, given its name, without the header."""
    with (_PACKAGE / name).open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)][1:]


REJECTIONS = {row[0]: Rejection(*row) for row in read_table("rejections.csv")}
"""The reasons for a rejection, by code."""


_SENTENCES: Mapping[str, Mapping[str, str]] = tomllib.loads(
    (_PACKAGE / "sentences.toml").read_text(encoding="utf-8")
)
CHINESE_MESSAGES, CHINESE_CAUSES = _SENTENCES["messages"], _SENTENCES["causes"]
"""The Chinese sentences by the English ones, both with placeholders."""


def sentence(frame: str, **places: object) -> Sentence:
    """
    Return the English sentence of a cause with its placeholders filled in.

    Args:
        frame: the sentence with its placeholders, as in the part `causes` of `sentences.toml`.
        **places: the values of the placeholders, as `str()` shows them. Further ones are ignored.

    Raises:
        KeyError: `sentences.toml` does not have the sentence, or a placeholder has no value.
    """
    if frame not in CHINESE_CAUSES:
        raise KeyError(frame)
    return Sentence(frame.format(**places))


def rejection(code: str, count: int = 1, **places: str) -> Sentence:
    """
    Return the English sentence that gives the reason why `count` parts are rejected.

    Args:
        code: the reason's code in `rejections.csv`.
        count: the number of parts. It chooses the singular or the plural, and fills `{count}`.
        **places: the texts of the other placeholders. Further ones are ignored.

    Raises:
        KeyError: the code is unknown, or a placeholder has no text.
    """
    reason = REJECTIONS[code]
    text = reason.singular if count == 1 else reason.plural
    return Sentence(text.format(count=f"{count:,}", **places))


# ------------------------------------------------------------------------ translate into Chinese


def in_chinese(text: str) -> str:
    """
    Return an English sentence of the package in Chinese. Any other text is returned unchanged.

    The sentences are the causes of `sentences.toml`, the reasons of rejections, and the causes and
    cures of problems. If a text is none of them but has the form `cause: detail`, the cause is
    translated, and then the detail. If the cause is unknown, the whole text is returned unchanged.
    A sentence that fills the placeholder `{first}`, `{why}` or `{names}` of another is translated
    too; other placeholders keep their texts.
    """
    for pattern, chinese in _translations():
        if match := pattern.fullmatch(text):
            places = match.groupdict("")
            inner = {name: in_chinese(places[name]) for name in _SENTENCE_PLACES & places.keys()}
            return chinese.format(**(places | inner))
    cause, colon, detail = text.partition(": ")
    translated = in_chinese(cause) if colon else cause
    return text if translated == cause else f"{translated}：{in_chinese(detail)}"


@cache
def _translations() -> list[tuple[re.Pattern[str], str]]:
    """
    Return the pattern of each English sentence with the Chinese one, made once in a process.

    The first have the most letters outside placeholders: a text may fit several patterns.
    """
    translations = {english: chinese for english, chinese in _bilingual_sentences() if english}
    by_words = sorted(translations, key=lambda english: -len(re.sub(r"\{\w+\}", "", english)))
    return [(_pattern(english), translations[english]) for english in by_words]


def _bilingual_sentences() -> Iterable[tuple[str, str]]:
    """
    Yield each sentence in English with its Chinese translation.

    They are the causes of `CHINESE_CAUSES`, the reasons of `REJECTIONS` for one part and for many,
    and the cause and the cure of each row of `problems.csv`, empty in both where a row has none.
    """
    yield from CHINESE_CAUSES.items()
    for reason in REJECTIONS.values():
        yield reason.singular, reason.singular_zh
        yield reason.plural, reason.plural_zh
    for *_, cause, cure, _, cause_zh, cure_zh in read_table("problems.csv"):
        yield cause, cause_zh
        yield cure, cure_zh


def _pattern(english: str) -> re.Pattern[str]:
    """Return a pattern with a group for each placeholder of an English sentence."""
    return re.compile(_PLACE.sub(_placeholder_pattern, re.escape(english)))


def _placeholder_pattern(place: re.Match[str]) -> str:
    """
    Return the pattern of the texts that a placeholder, found by `_PLACE`, accepts.

    Most accept any text that is not empty. Before ` {address}` the space belongs to the match: both
    may be missing.
    """
    if place[1] is None:
        return r"(?: (?P<address>\S+))?"
    return f"(?P<{place[1]}>{_NARROW.get(place[1], '.+')})"
