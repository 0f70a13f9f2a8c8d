"""Answers that can be shown to others: what a probe was answered, with everything replaced."""

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS
from weixin_etl.model import ParameterError
from weixin_etl.probe.asking import Asked, AskedDay
from weixin_etl.probe.shape import charset
from weixin_etl.threads import convert

NOTE = (
    "Every figure, title, link, id and date of this answer was replaced by another of the same "
    "type and length; what was equal is equal. Sums, orders and rates mean nothing. Keys, names of "
    "scenes and errcodes are WeChat's."
)
_LONGEST_TOLD = 3
"""Characters of an original that may be found in what replaces it."""
_TRIES = 50
_LONGEST_LOOKED_INTO = 64
_MOST_DIGITS = 50
_ERRCODES = range(-(2**31), 2**31)
_KEY = re.compile(r"[A-Za-z][A-Za-z_]{0,60}[0-9]?")
_SCENE = re.compile("[\u4e00-\u9fff]{1,10}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_RUN = re.compile(r"[0-9]+|[A-Za-z]+|[^\W\d_]+|(?:(?![^\W\d_])[^ -~])+|[ -/:-@\[-`{-~]{4,}")
"""Numbers, words, other characters, and more punctuation than may be told."""
_MEDIA_TYPE = re.compile(r"(text|application)/(plain|json|html)(; ?charset=[A-Za-z0-9-]{1,20})?")
_LETTERS = "abcdefghijkmnopqrstuvwxyz"
_SIGNS = "·•∙◦"
_STEMS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_WEEKS = range(1300, 2800)
"""How far days may be moved: into years before WeChat had statistics; by chance, so that nobody
can move them back."""
_SHIFTS = 41
"""How many distances are tried."""


class SavedAnswer(msgspec.Struct, kw_only=True):
    """One answer, as a file holds it."""

    note: str = NOTE
    account: str
    """`account 1`: not which one it is."""
    dataset: str
    asked_on: date
    publication_date: date
    """As many days before `asked_on` as the real one was."""
    status: int = 200
    content_type: str = ""
    charset: str = "UTF-8"
    """What the body was written in."""
    body: Any


def write(folder: Path, answers: Sequence[SavedAnswer]) -> None:
    """Write the answers, one file each, into a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, answer in enumerate(answers, 1):
        (folder / f"{number:02}-{answer.dataset}.json").write_text(as_text(answer), "utf-8")


def as_text(answer: SavedAnswer) -> str:
    """A file's text."""
    return msgspec.json.format(json_text.encode(answer), indent=1) + "\n"


def read(folder: Path) -> list[SavedAnswer]:
    """
    Read the answers of a folder.

    Raises:
        ValueError: there is none, or a file is none.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(convert(json_text.decode(path.read_bytes()), SavedAnswer))
            if found[-1].dataset not in DATASETS:
                raise ValueError(f"there is no dataset {found[-1].dataset}")
        except ValueError as error:
            raise ValueError(f"{path} holds no answer of a probe: {error}") from None
    if not found:
        raise ValueError(f"{folder} holds no answer of a probe")
    return found


def require_new(folder: Path) -> None:
    """
    Make sure that nothing is mixed with what is there already.

    Raises:
        ParameterError: it exists and is not an empty folder, or can't be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(f"{folder} exists and is not an empty folder: name another")
    there = next(it for it in (folder.absolute(), *folder.absolute().parents) if it.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ParameterError(f"{folder} can't be written to: name another")


@dataclass(frozen=True, slots=True)
class Anonymised:
    """What may be shown, and what of it was replaced."""

    answers: list[SavedAnswer]
    replaced: list[str]
    """The keys whose values were."""
    left_out: int
    """Answers that are no JSON, or that could not be made anonymous."""


def anonymised(probed: Sequence[Asked]) -> Anonymised:
    """The figures and refusals that the accounts were answered, made anonymous together."""
    came = [
        _as_answered(f"account {number}", it.dataset.name, clock.beijing_date(asked.at), day)
        for number, asked in enumerate(probed, 1)
        for it in asked.datasets
        for day in it.days
        if day.response
    ]
    found = [it for it in came if it]
    replaced, shift, keys = replace_all([it.body for it in found])
    answers = [
        msgspec.structs.replace(
            it,
            asked_on=it.asked_on + shift,
            publication_date=it.publication_date + shift,
            body=body,
        )
        for it, body in zip(found, replaced, strict=False)
    ]
    return Anonymised(answers, keys, len(came) - len(answers))


def _as_answered(account: str, dataset: str, today: date, day: AskedDay) -> SavedAnswer | None:
    """The answer before anything is replaced; None if it is no JSON."""
    assert day.response is not None  # noqa: S101 # only such are given
    body = day.response.body
    written_in = charset(body) or "UTF-8"
    media_type = _MEDIA_TYPE.fullmatch(day.response.content_type)
    try:
        decoded = json_text.decode(body.decode(written_in, "replace").encode())
    except (ValueError, RecursionError):
        return None
    return SavedAnswer(
        account=account,
        dataset=dataset,
        asked_on=today,
        publication_date=day.day,
        status=day.response.status,
        content_type=media_type[0] if media_type else "",
        charset=written_in,
        body=decoded,
    )


def replace_all(bodies: Sequence[Any]) -> tuple[list[Any], timedelta, list[str]]:
    """
    The decoded answers with everything replaced, how far days were moved, the keys replaced.

    Nothing when something of an original longer than three characters would still be found.
    """
    originals = {part for body in bodies for text in _texts(body) for part in _parts(text)}
    days = {text for body in bodies for text in _texts(body) if _DATE.fullmatch(text)}
    drawn = random.SystemRandom().sample(_WEEKS, _SHIFTS)
    tried = [_Replacing(originals, timedelta(weeks=-weeks)) for weeks in drawn]
    # a year may be a figure of an original: then the day would become digits that are no day
    for replacing in sorted(tried, key=lambda it: sum(it.moved(day) is None for day in days)):
        replaced = [replacing.value(body) for body in bodies]
        written = "\n".join({text for body in replaced for text in _texts(body)})
        if not any(it in written for it in originals):
            return replaced, replacing.shift, sorted(replacing.keys)
    return [], timedelta(0), []


def _texts(value: Any, key: str = "") -> Iterator[str]:
    """Every value as it is written, but for WeChat's own words."""
    if isinstance(value, dict):
        for name, it in value.items():
            if not _KEY.fullmatch(name):
                yield name
            yield from _texts(it, name)
    elif isinstance(value, list):
        for it in value:
            yield from _texts(it, key)
    elif not _is_kept(value, key):
        yield str(value)


def _parts(text: str) -> Iterator[str]:
    """What may not be found of a text: it, and each of its words and numbers."""
    yield from (it for it in (text, *_RUN.findall(text)) if len(it) > _LONGEST_TOLD)


def _is_kept(value: Any, key: str) -> bool:
    """Whether it is a word of WeChat's, which says nothing of the account."""
    if value is None or isinstance(value, bool):
        return True
    if not isinstance(value, str):
        return key == "errcode" and isinstance(value, int) and value in _ERRCODES
    is_scene = key == "scene_desc" and _SCENE.fullmatch(value) is not None
    return is_scene or value.lower() in ("true", "false")


@dataclass(slots=True)
class _Replacing:
    """Replaces values, equal ones by equal ones."""

    originals: set[str]
    shift: timedelta
    keys: set[str] = field(default_factory=set)
    _known: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _random: random.Random = field(default_factory=random.SystemRandom)
    _turn: int = field(default_factory=lambda: random.SystemRandom().randint(0, 7))

    def value(self, value: Any, key: str = "") -> Any:
        """The same with everything replaced."""
        if isinstance(value, dict):
            return {
                name if _KEY.fullmatch(name) else self._text(name): self.value(it, name)
                for name, it in value.items()
            }
        if isinstance(value, list):
            return [self.value(it, key) for it in value]
        if _is_kept(value, key):
            return value
        if _KEY.fullmatch(key):
            self.keys.add(key)
        if isinstance(value, str):
            return self.moved(value) or self._text(value)
        if isinstance(value, int):
            return int(self._text(str(value)))
        # digit by digit: how many there are, and where the point is, stays
        is_short = isinstance(value, Decimal) and value and abs(value.adjusted()) < _MOST_DIGITS
        return Decimal(self._text(f"{value:f}")) if is_short else 0

    def moved(self, text: str) -> str | None:
        """The day moved, so that days keep their distances."""
        if not _DATE.fullmatch(text):
            return None
        try:
            moved = str(date.fromisoformat(text) + self.shift)
        except (ValueError, OverflowError):
            return None
        return moved if self._is_clean(moved) else None

    def _text(self, text: str) -> str:
        replaced = _RUN.sub(lambda run: self._run(run[0]), text)
        return replaced if replaced != text else text[:_LONGEST_TOLD]

    def _run(self, run: str) -> str:
        """One number or word; another one gets another, while there are any."""
        if run not in self._known:
            draw = self._drawing(run)
            drawn = (draw() for _ in range(_TRIES))
            clean = (it for it in drawn if it != run and self._is_clean(it))
            found = next((it for it in clean if it not in self._used), draw()[:_LONGEST_TOLD])
            self._known[run] = found
            self._used.add(found)
        return self._known[run]

    def _drawing(self, run: str) -> Callable[[], str]:
        if run.isascii() and run.isdigit():
            zeros = "0" * (len(run) - len(run.lstrip("0")))
            rest = len(run) - len(zeros)
            if rest == 1:  # so few that two might be the same
                return lambda: zeros + str((int(run) + self._turn) % 9 + 1)
            low, high = 10 ** max(0, rest - 1), 10**rest - 1
            return lambda: zeros + (str(self._random.randint(low, high)) if rest else "")
        if run.isascii() and run.isalpha():
            return lambda: "".join(self._random.choice(_LETTERS) for _ in run)
        if not run.isalpha():
            return lambda: "".join(self._random.choice(_SIGNS) for _ in run)
        return lambda: "".join(self._random.choice(_STEMS) for _ in run)

    def _is_clean(self, text: str) -> bool:
        """Whether no part of it that is long enough to tell is one of an original."""
        if len(text) > _LONGEST_LOOKED_INTO:
            return not any(it in text for it in self.originals)
        starts = range(len(text) - _LONGEST_TOLD)
        longer = _LONGEST_TOLD + 1
        return not any(
            text[start:end] in self.originals
            for start in starts
            for end in range(start + longer, len(text) + 1)
        )
