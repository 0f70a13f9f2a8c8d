"""
The verb import: answers that another program kept, loaded like those of a run. Knows no Airflow.

A file holds a JSON object a line, and may be compressed by gzip. Its keys; others are ignored:

    appid               the account
    dataset             which endpoint answered, by the name of the dataset
    publication_date    the day asked for: 2026-11-22
    fetched_at          when the answer was fetched, with its offset: 2026-11-23T08:30:00+08:00
    body                the answer: a text whose UTF-8 bytes are kept exactly, or an object, which
                        is kept without white space between its parts

A line that can't be loaded is refused with a sentence, and the others are loaded.
"""

import gzip
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.api.client import Answer
from weixin_etl.api.http import CallLimits, errcode_and_errmsg, too_large
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.load import Load, Outcome, answered
from weixin_etl.model import Account, Counts, Pair, ParameterError, Run
from weixin_etl.parse import parse
from weixin_etl.text import one_line
from weixin_etl.warehouse import diagnosed, follow_clock, require_migrated, statement

_GZIP = b"\x1f\x8b"
_LIMITS = CallLimits()
_LONGEST_LINE = 6 * _LIMITS.max_answer_bytes
"""An answer as a text takes up to six times its bytes."""
_LONGEST_APPID = 100
_LONGEST_WHY = 300


class RefusedLineError(Exception):
    """A line that can't be loaded. `str()` says why."""


@dataclass(slots=True)
class Imported:
    """What came of an import."""

    answers: int = 0
    refused: int = 0
    """Lines."""
    rejected: int = 0
    """Parts of answers."""
    counts: Counts = field(default_factory=Counts)

    def add(self, judged: Sequence[Outcome]) -> None:
        """Add what came of some answers."""
        self.answers += len(judged)
        self.rejected += sum(it.rejected for it in judged)
        self.counts = sum((it.counts for it in judged), self.counts)

    def __str__(self) -> str:
        """A line for the person typing."""
        counts = self.counts
        said = (
            f"{self.answers} answers loaded: {counts.inserted} rows new, {counts.updated} updated, "
            f"{counts.unchanged} unchanged, {counts.restated} figures restated"
        )
        if self.rejected:
            said += f"; {self.rejected} parts rejected (`weixin-etl rejected` lists them)"
        return f"{said}; {self.refused} refused" if self.refused else said


def import_files(
    warehouse: Engine,
    paths: Sequence[Path],
    *,
    ready_hour: int,
    commit_bytes: int,
    on_progress: Callable[[int], None] = lambda _bytes: None,
    on_refused: Callable[[str], None] = lambda _sentence: None,
    now: Callable[[], datetime] = clock.now,
) -> Imported:
    """
    Load the answers of files, in commits.

    `on_progress` is called with the bytes of the files read so far, `on_refused` with a sentence
    that names file and line.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    for path in paths:
        if not path.is_file():
            raise ParameterError(f"there is no file {path}")
    require_migrated(warehouse)
    follow_clock(warehouse)
    loading = _Import(warehouse, ready_hour, commit_bytes, on_progress, on_refused, now)
    with diagnosed(warehouse):
        return loading.run(paths)


@dataclass(slots=True)
class _Import:
    """Answers waiting for their commit, of all datasets together no more than half the bytes."""

    warehouse: Engine
    ready_hour: int
    commit_bytes: int
    on_progress: Callable[[int], None]
    on_refused: Callable[[str], None]
    now: Callable[[], datetime]
    waiting: defaultdict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    """Outcomes by dataset."""
    waiting_bytes: int = 0
    known: set[str] = field(default_factory=set)
    """Accounts of which the warehouse has a row, by AppID."""
    imported: Imported = field(default_factory=Imported)

    def run(self, paths: Sequence[Path]) -> Imported:
        read = 0
        for path in paths:
            with path.open("rb") as file:
                self._read(path, file, read)
            read += path.stat().st_size
        self._commit()
        self.on_progress(read)
        return self.imported

    def _read(self, path: Path, file: BinaryIO, read: int) -> None:
        number = 0
        try:
            for number, line in enumerate(_lines(file), start=1):
                if line.strip():
                    self._take(path, number, line)
                if self.waiting_bytes >= self.commit_bytes // 2:
                    self._commit()
                    self.on_progress(read + file.tell())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._refuse(f"{path}, after line {number}: the file is cut off or damaged ({error})")

    def _take(self, path: Path, number: int, line: bytes) -> None:
        """Take a line's answer apart, or refuse the line."""
        try:
            dataset, came = _answer_of(line, self.now())
        except RefusedLineError as error:
            why = one_line(str(error), _LONGEST_WHY)
            self._refuse(f"{path}, line {number}: {why}")
            return
        self.waiting[dataset.name].append(came)
        self.waiting_bytes += came.size

    def _refuse(self, sentence: str) -> None:
        self.imported.refused += 1
        self.on_refused(sentence)

    def _commit(self) -> None:
        """Load what waits, a pair once in a commit, in the order in which it was fetched."""
        for name, outcomes in self.waiting.items():
            dataset = DATASETS[name]
            outcomes.sort(key=lambda it: it.ended_at)
            for commit in _without_repeated_pairs(outcomes):
                appids = {it.account.appid for it in commit}
                self._save_accounts(appids - self.known)
                load = Load(
                    self.warehouse,
                    Run("import", dataset, clock.beijing_date(self.now()), is_scheduled=False),
                    ready_hour=self.ready_hour,
                    now=self.now,
                    is_import=True,
                )
                self.imported.add(load.commit(commit, complete=appids))
        self.waiting.clear()
        self.waiting_bytes = 0

    def _save_accounts(self, appids: set[str]) -> None:
        if not appids:
            return
        with self.warehouse.begin() as connection:
            connection.execute(
                statement("dim_account/import.sql"),
                {"appids": sorted(appids), "seen_at": self.now()},
            )
        self.known |= appids


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, whether or not it is compressed; of one that is too long, the start."""
    is_gzip = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    text: BinaryIO = gzip.GzipFile(fileobj=file) if is_gzip else file  # type: ignore[assignment] # it reads lines
    while line := text.readline(_LONGEST_LINE):
        yield line
        while line and len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            line = text.readline(_LONGEST_LINE)


def _without_repeated_pairs(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """The first answer of each pair, then the second of those that have one, …"""
    parts: list[list[Outcome]] = []
    places: defaultdict[Pair, int] = defaultdict(int)
    for it in outcomes:
        place = places[it.pair]
        places[it.pair] += 1
        if place == len(parts):
            parts.append([])
        parts[place].append(it)
    return parts


# ------------------------------------------------------------------------------------------ lines


class _Line(msgspec.Struct):
    appid: str
    dataset: str
    publication_date: date
    fetched_at: Annotated[datetime, msgspec.Meta(tz=True)]
    body: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)


def _answer_of(line: bytes, now: datetime) -> tuple[Dataset, Outcome]:
    """
    The answer of a line, checked and taken apart as one that a run has fetched.

    Raises:
        RefusedLineError: it can't be loaded.
    """
    said = _decoded(line)
    appid, day, fetched_at = said.appid, said.publication_date, said.fetched_at
    if not appid or len(appid) > _LONGEST_APPID or appid != one_line(appid):
        raise RefusedLineError(f"appid {appid!r:.60} is no AppID")
    dataset = DATASETS.get(said.dataset)
    if dataset is None:
        raise RefusedLineError(f"dataset {said.dataset!r:.60} is none of {', '.join(DATASETS)}")
    if fetched_at > now + clock.TOLERANCE:
        raise RefusedLineError(f"fetched_at {fetched_at} is in the future")
    if day < dataset.first_day:
        raise RefusedLineError(
            f"publication_date {day} is too early: {dataset.endpoint} starts on {dataset.first_day}"
        )
    if day >= clock.beijing_date(fetched_at):
        raise RefusedLineError(
            f"publication_date {day} is not before the day in Beijing on which the answer was "
            f"fetched, {clock.beijing_date(fetched_at)}"
        )
    body = _body(said.body)
    _require_success(body)
    parsed = parse(dataset, body, day, fetched_at)
    if parsed.unreadable:
        raise RefusedLineError(f"body: {parsed.unreadable}")
    account = Account("", appid, "", appid)
    return dataset, answered(dataset, account, day, Answer(body, fetched_at, calls=0), parsed)


def _decoded(line: bytes) -> _Line:
    if len(line) == _LONGEST_LINE:
        raise RefusedLineError(f"the line is longer than {_LONGEST_LINE} bytes")
    try:
        return _line_decoder.decode(line)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RefusedLineError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        is_cut = not line.endswith(b"\n")
        why = "the file ends in the middle of it" if is_cut else str(error)
        raise RefusedLineError(f"it is not JSON: {why}") from None


def _body(raw: msgspec.Raw) -> bytes:
    """The bytes of the answer: of a text its own, of an object those it takes without spaces."""
    written = bytes(raw)
    try:
        if written.startswith(b'"'):
            return msgspec.json.decode(written, type=str).encode()
        if written.startswith(b"{"):
            return msgspec.json.format(written, indent=-1)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise RefusedLineError(f"body: {error}") from None
    raise RefusedLineError("body is neither an object nor a text")


def _require_success(body: bytes) -> None:
    """Make sure that the body is an answer with figures, and no larger than a run would take."""
    if excess := too_large(body, _LIMITS):
        raise RefusedLineError(f"body: {excess}")
    try:
        errcode, errmsg = errcode_and_errmsg(body)
    except ValueError:
        raise RefusedLineError("body is no JSON object") from None
    if errcode:
        raise RefusedLineError(f"body is a refusal, no answer: errcode {errcode}: {errmsg}")
