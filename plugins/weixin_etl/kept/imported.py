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

import fileinput
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.kept.replay import ReplayResult, replay
from weixin_etl.load.history import in_batches
from weixin_etl.load.stage import compress
from weixin_etl.model import ParameterError
from weixin_etl.parse import parse
from weixin_etl.text import one_line
from weixin_etl.warehouse import diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import begin_load

STANDARD_INPUT = Path("-")
_LONGEST_WHY = 300


@dataclass(slots=True)
class ImportResult:
    """What came of an import."""

    answers: int = 0
    replayed: ReplayResult = field(default_factory=ReplayResult)
    bad_line: str = ""
    """Which line ended it, and why, if one did."""


def import_files(
    warehouse: Engine,
    paths: Sequence[Path],
    *,
    ready_hour: int,
    commit_bytes: int,
    on_progress: Callable[[int], None] = lambda _answers: None,
    now: Callable[[], datetime] = clock.now,
) -> ImportResult:
    """
    Keep the answers of files, in commits; then fold the kept answers of their pairs.

    So the tables are the same whatever the order of the lines, and of the files.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    for path in paths:
        if path != STANDARD_INPUT and (path.is_dir() or not path.exists()):
            raise ParameterError(f"there is no file {path}")
    require_migrated(warehouse)
    imported = ImportResult()
    days: dict[str, defaultdict[str, set[date]]] = {it: defaultdict(set) for it in DATASETS}
    with diagnosed(warehouse):
        for part in in_batches(_answers(paths, now, imported), commit_bytes // 2):
            _keep(warehouse, part, now())
            for answer in part:
                days[answer.dataset][answer.appid].add(answer.day)
            imported.answers += len(part)
            on_progress(imported.answers)
    for name, accounts in days.items():
        ordered = [(appid, sorted(its)) for appid, its in sorted(accounts.items())]
        imported.replayed += replay(
            warehouse, DATASETS[name], ordered, ready_hour=ready_hour, now=now
        )
    return imported


class _Answer(msgspec.Struct, frozen=True):
    """The answer of a line, as the statement takes it."""

    appid: str
    dataset: str
    day: date
    fetched_at: datetime
    body: str
    """Compressed; it and the hash as hexadecimal digits."""
    body_sha256: str


def _keep(warehouse: Engine, answers: Sequence[_Answer], now: datetime) -> None:
    """Keep answers, but for what is kept already."""
    appids = sorted({answer.appid for answer in answers})
    rows = msgspec.json.encode(answers).decode()
    with warehouse.begin() as connection:
        begin_load(connection, appids)
        connection.execute(statement("dim_account/import.sql"), {"appids": appids, "seen_at": now})
        connection.execute(statement("raw_response/import.sql"), {"rows": rows})


# ------------------------------------------------------------------------------------------ lines


def _answers(
    paths: Sequence[Path], now: Callable[[], datetime], imported: ImportResult
) -> Iterator[tuple[_Answer, int]]:
    """The answers of the files with their sizes, up to a bad line, which is noted."""
    for place, line in _lines(paths):
        try:
            yield _answer_of(line, now()), len(line)
        except (ValueError, OverflowError, RecursionError) as error:
            imported.bad_line = f"{place}: {one_line(str(error), _LONGEST_WHY)}"
            break


def _lines(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Each line that is not blank, with its place; `-` is standard input."""
    with fileinput.input(map(str, paths), mode="rb") as files:
        for line in files:
            if line.strip():
                yield f"{files.filename()}, line {files.filelineno()}", line


class _Line(msgspec.Struct):
    appid: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,100}\Z")]
    dataset: str
    day: date
    fetched_at: Annotated[datetime, msgspec.Meta(tz=True)]
    body: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)


def _answer_of(line: bytes, now: datetime) -> _Answer:
    """
    The answer of a line, checked like one that a run has fetched.

    Raises:
        ValueError: it can't be loaded; says why.
        RecursionError: it is nested too deeply.
    """
    said = _line_decoder.decode(line)
    _check_days(said, now)
    body = _body(bytes(said.body))
    if why := parse(DATASETS[said.dataset], body, said.day, said.fetched_at).unreadable:
        raise ValueError(f"body: {why}")
    kept = compress(body).hex(), hashlib.sha256(body).hexdigest()
    return _Answer(said.appid, said.dataset, said.day, said.fetched_at, *kept)


def _check_days(said: _Line, now: datetime) -> None:
    """Make sure, by its dataset and days, that there may be such an answer."""
    dataset, fetched_on = DATASETS.get(said.dataset), clock.beijing_date(said.fetched_at)
    if dataset is None:
        raise ValueError(f"dataset {said.dataset!r:.60} is none of {', '.join(DATASETS)}")
    if said.fetched_at > now + clock.TOLERANCE:
        raise ValueError(f"fetched_at {said.fetched_at} is in the future")
    if not dataset.first_day <= said.day < fetched_on:
        raise ValueError(
            f"day {said.day}: {dataset.endpoint} starts on {dataset.first_day}, and this was "
            f"fetched on {fetched_on} in Beijing"
        )


def _body(written: bytes) -> bytes:
    """The bytes of the answer: of a text its own, of an object those it takes without spaces."""
    if written.startswith(b'"'):
        return msgspec.json.decode(written, type=str).encode()  # noqa: TID251 - a text
    if written.startswith(b"{"):
        return msgspec.json.format(written, indent=-1)
    raise ValueError("body: it is neither an object nor a text")
