"""
The verb import: answers that another program kept, loaded like those of a run. Knows no Airflow.

A file holds a JSON object a line; `-` is standard input. Its keys; others are ignored:

    appid               the account
    dataset             which endpoint answered, by the name of the dataset
    day                 the day asked for: 2026-11-22
    fetched_at          when the answer was fetched, with its offset: 2026-11-23T08:30:00+08:00
    body                the answer: a text whose UTF-8 bytes are kept exactly, or an object, which
                        is kept without white space between its parts

A line that can't be loaded ends the import: what stands before it is loaded.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.api.http import CallLimits, errcode_and_errmsg, too_large
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.kept.replay import Replayed, fold_pairs
from weixin_etl.load.stage import packed
from weixin_etl.model import Pair, ParameterError
from weixin_etl.parse import parse
from weixin_etl.text import counted, one_line
from weixin_etl.warehouse import diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import lock_load
from weixin_etl.warehouse.statements import as_json

STANDARD_INPUT = Path("-")
_LIMITS = CallLimits()
_LONGEST_LINE = 6 * _LIMITS.max_answer_bytes
"""An answer as a text takes up to six times its bytes."""
_LONGEST_APPID = 100
_LONGEST_WHY = 300


class BadLineError(Exception):
    """A line that can't be loaded. `str()` says why."""


@dataclass(slots=True)
class Imported:
    """What came of an import."""

    answers: int = 0
    replayed: Replayed = field(default_factory=Replayed)
    bad_line: str = ""
    """Which line ended it, and why, if one did."""

    def __str__(self) -> str:
        """A line for the person typing."""
        counts = self.replayed.counts
        rows = f"{counted(counts.inserted, 'row')} new, {counts.updated} updated"
        return f"{counted(self.answers, 'answer')} loaded: {rows}"


def import_files(
    warehouse: Engine,
    paths: Sequence[Path],
    *,
    ready_hour: int,
    commit_bytes: int,
    on_progress: Callable[[int], None] = lambda _bytes: None,
    now: Callable[[], datetime] = clock.now,
) -> Imported:
    """
    Keep the answers of files, in commits; then fold the kept answers of their pairs.

    So the tables are the same whatever the order of the lines, and of the files. `on_progress` is
    called with the bytes read so far.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    for path in paths:
        if path != STANDARD_INPUT and not path.is_file():
            raise ParameterError(f"there is no file {path}")
    require_migrated(warehouse)
    reading = _Import(warehouse, commit_bytes, on_progress, now)
    with diagnosed(warehouse):
        reading.read(paths)
        for dataset in DATASETS.values():
            pairs = sorted(reading.pairs[dataset.name])
            reading.imported.replayed += fold_pairs(
                warehouse, dataset, pairs, ready_hour=ready_hour, now=now
            )
    return reading.imported


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of a line."""

    dataset: Dataset
    pair: Pair
    fetched_at: datetime
    body: bytes


@dataclass(slots=True)
class _Import:
    """Answers waiting to be kept, no more than half the bytes of a commit."""

    warehouse: Engine
    commit_bytes: int
    on_progress: Callable[[int], None]
    now: Callable[[], datetime]
    waiting: list[_Answer] = field(default_factory=list)
    pairs: defaultdict[str, set[Pair]] = field(default_factory=lambda: defaultdict(set))
    """Of whose answers there are lines, by dataset."""
    imported: Imported = field(default_factory=Imported)

    def read(self, paths: Sequence[Path]) -> None:
        """Keep the answers of the files, up to a bad line."""
        read = kept = 0
        for place, line in _lines(paths):
            try:
                if line.strip():
                    self.waiting.append(_answer_of(line, self.now()))
            except BadLineError as error:
                self.imported.bad_line = f"{place}: {one_line(str(error), _LONGEST_WHY)}"
                break
            read += len(line)
            if read - kept >= self.commit_bytes // 2:
                self._keep()
                kept = read
                self.on_progress(read)
        self._keep()
        self.on_progress(read)

    def _keep(self) -> None:
        """Keep what waits, but for what is kept already."""
        if not self.waiting:
            return
        rows = [
            {
                "dataset": answer.dataset.name,
                "appid": answer.pair[0],
                "day": answer.pair[1],
                "fetched_at": answer.fetched_at,
                "body": packed(answer.body).hex(),
                "body_sha256": hashlib.sha256(answer.body).hexdigest(),
            }
            for answer in self.waiting
        ]
        appids = sorted({answer.pair[0] for answer in self.waiting})
        with self.warehouse.begin() as connection:
            lock_load(connection, appids)
            accounts = {"appids": appids, "seen_at": self.now()}
            connection.execute(statement("dim_account/import.sql"), accounts)
            connection.execute(statement("raw_response/import.sql"), {"rows": as_json(rows)})
        for answer in self.waiting:
            self.pairs[answer.dataset.name].add(answer.pair)
        self.imported.answers += len(self.waiting)
        self.waiting.clear()


def _lines(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Each line with its place; of one that is too long, the start."""
    for path in paths:
        with ExitStack() as files:
            is_piped = path == STANDARD_INPUT
            file = sys.stdin.buffer if is_piped else files.enter_context(path.open("rb"))
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                yield f"{path}, line {number}", line


# ------------------------------------------------------------------------------------------ lines


class _Line(msgspec.Struct):
    appid: str
    dataset: str
    day: date
    fetched_at: Annotated[datetime, msgspec.Meta(tz=True)]
    body: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)


def _answer_of(line: bytes, now: datetime) -> _Answer:
    """
    The answer of a line, checked like one that a run has fetched.

    Raises:
        BadLineError: it can't be loaded.
    """
    said = _decoded(line)
    appid, day, fetched_at = said.appid, said.day, said.fetched_at
    if not appid or len(appid) > _LONGEST_APPID or appid != one_line(appid):
        raise BadLineError(f"appid {appid!r:.60} is no AppID")
    dataset = DATASETS.get(said.dataset)
    if dataset is None:
        raise BadLineError(f"dataset {said.dataset!r:.60} is none of {', '.join(DATASETS)}")
    if fetched_at > now + clock.TOLERANCE:
        raise BadLineError(f"fetched_at {fetched_at} is in the future")
    if day < dataset.first_day:
        raise BadLineError(
            f"day {day} is too early: {dataset.endpoint} starts on {dataset.first_day}"
        )
    if day >= clock.beijing_date(fetched_at):
        raise BadLineError(
            f"day {day} is not before the day in Beijing on which the answer was "
            f"fetched, {clock.beijing_date(fetched_at)}"
        )
    body = _body(said.body)
    _require_success(body)
    parsed = parse(dataset, body, day, fetched_at)
    if parsed.unreadable:
        raise BadLineError(f"body: {parsed.unreadable}")
    return _Answer(dataset, (appid, day), fetched_at, body)


def _decoded(line: bytes) -> _Line:
    if len(line) == _LONGEST_LINE:
        raise BadLineError(f"the line is longer than {_LONGEST_LINE} bytes")
    try:
        return _line_decoder.decode(line)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadLineError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        is_cut = not line.endswith(b"\n")
        why = "the file ends in the middle of it" if is_cut else str(error)
        raise BadLineError(f"it is not JSON: {why}") from None


def _body(raw: msgspec.Raw) -> bytes:
    """The bytes of the answer: of a text its own, of an object those it takes without spaces."""
    written = bytes(raw)
    try:
        if written.startswith(b'"'):
            return msgspec.json.decode(written, type=str).encode()
        if written.startswith(b"{"):
            return msgspec.json.format(written, indent=-1)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadLineError(f"body: {error}") from None
    raise BadLineError("body is neither an object nor a text")


def _require_success(body: bytes) -> None:
    """Make sure that the body is an answer with figures, and no larger than a run would take."""
    if excess := too_large(body, _LIMITS):
        raise BadLineError(f"body: {excess}")
    try:
        errcode, errmsg = errcode_and_errmsg(body)
    except ValueError:
        raise BadLineError("body is no JSON object") from None
    if errcode:
        raise BadLineError(f"body is a refusal, no answer: errcode {errcode}: {errmsg}")
