"""
The import verb: load answers that another program kept, as if a run had fetched them.

The command `weixin-etl import` calls `import_files`; no Airflow is needed. Each line of a file is a
JSON object, and `-` stands for standard input. These keys are read, others are ignored:

    appid               the account
    dataset             which endpoint answered, by the name of the dataset
    day                 the day asked for: 2026-11-22
    fetched_at          when the answer was fetched, with its offset: 2026-11-23T08:30:00+08:00
    body                the answer: a text whose UTF-8 bytes are kept exactly, or an object, which
                        is kept without white space between its parts

A line that can't be loaded ends the import. The lines before it are loaded.
"""

import fileinput
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict
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
from weixin_etl.warehouse.statements import as_json

STANDARD_INPUT = Path("-")
_REASON_CHARACTERS = 300


@dataclass(slots=True)
class ImportResult:
    """The number of kept answers, the changes of the facts, and the bad line if there is one."""

    answers: int = 0
    pruned: int = 0
    """How many of them are left out, because answers of their day were pruned."""
    replayed: ReplayResult = field(default_factory=ReplayResult)
    bad_line: str = ""
    """The place of the line that ended the import, and the reason; empty if none did."""


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
    Keep the answers of files in several commits, then replay their slices.

    The replay reads all kept answers of a slice in order of time. The tables are therefore the same
    whatever the order of the lines and of the files.

    Args:
        warehouse: the warehouse.
        paths: the files; `STANDARD_INPUT` stands for standard input.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.
        commit_bytes: the setting of this name; a commit ends with the line that fills half of it.
        on_progress: called after each commit with the number of answers kept so far.
        now: the clock.

    Returns:
        What was loaded, and the bad line if one ended the import.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    for path in paths:
        if path != STANDARD_INPUT and (path.is_dir() or not path.exists()):
            raise ParameterError(f"there is no file {path}")
    require_migrated(warehouse)
    imported = ImportResult()
    days: dict[str, defaultdict[str, set[date]]] = {name: defaultdict(set) for name in DATASETS}
    with diagnosed(warehouse):
        for batch in in_batches(_read_answers(paths, now, imported), commit_bytes // 2):
            imported.pruned += _keep_answers(warehouse, batch, now())
            for answer in batch:
                days[answer["dataset"]][answer["appid"]].add(answer["day"])
            imported.answers += len(batch)
            on_progress(imported.answers)
    for name, accounts in days.items():
        ordered = [(appid, sorted(asked)) for appid, asked in sorted(accounts.items())]
        replayed = replay(warehouse, DATASETS[name], ordered, ready_hour=ready_hour, now=now)
        imported.replayed += replayed
    return imported


_ImportedAnswer = Mapping[str, Any]
"""A row of `raw_response/import.sql`: a line's keys, the body compressed and with its hash."""


def _keep_answers(warehouse: Engine, answers: Sequence[_ImportedAnswer], now: datetime) -> int:
    """
    Keep the answers that are not kept yet, and add unknown accounts to `dim_account`.

    Both happen in one transaction, which waits for other loads of the same accounts. Return how
    many answers are left out, because answers of their day were pruned.

    Args:
        warehouse: the warehouse.
        answers: the answers, of any accounts and datasets.
        now: the instant at which a new account counts as seen.
    """
    appids = sorted({answer["appid"] for answer in answers})
    with warehouse.begin() as connection:
        begin_load(connection, appids)
        connection.execute(statement("dim_account/import.sql"), {"appids": appids, "seen_at": now})
        keeping = statement("raw_response/import.sql")
        return int(connection.execute(keeping, {"rows": as_json(answers)}).scalar_one())


# ------------------------------------------------------------------------------------------ lines


def _read_answers(
    paths: Sequence[Path], now: Callable[[], datetime], imported: ImportResult
) -> Iterator[tuple[_ImportedAnswer, int]]:
    """
    Yield each line's answer with the line's length in bytes, file after file.

    A line that can't be loaded ends the answers. Its place and the reason become `bad_line` of
    `imported`.
    """
    for place, line in _placed_lines(paths):
        try:
            yield _checked_answer(line, now()), len(line)
        except (ValueError, OverflowError, RecursionError) as error:
            imported.bad_line = f"{place}: {one_line(str(error), _REASON_CHARACTERS)}"
            break


def _placed_lines(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the place (`file, line 3`) and the bytes of each line that is not blank."""
    with fileinput.input(map(str, paths), mode="rb") as files:
        for line in files:
            if line.strip():
                yield f"{files.filename()}, line {files.filelineno()}", line


class _Line(msgspec.Struct):
    """The keys of a line, of the types that they must have."""

    appid: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,100}\Z")]
    dataset: str
    day: date
    fetched_at: Annotated[datetime, msgspec.Meta(tz=True)]
    body: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)


def _checked_answer(line: bytes, now: datetime) -> _ImportedAnswer:
    """
    Return the answer of a line, after the parser could read it and its days were checked.

    Parts of the answer that do not fit do not matter here: the replay rejects them.

    Args:
        line: the bytes of a line.
        now: the present instant; no answer is fetched later.

    Raises:
        ValueError: the line can't be loaded; the text is the reason.
        RecursionError: the line is nested too deeply.
    """
    values = _line_decoder.decode(line)
    _check_days(values, now)
    body = _body_bytes(bytes(values.body))
    parsed = parse(DATASETS[values.dataset], body, values.day, values.fetched_at)
    if parsed.unreadable:
        raise ValueError(f"body: {parsed.unreadable}")
    digest = hashlib.sha256(body).hexdigest()
    return asdict(values) | {"body": compress(body).hex(), "body_sha256": digest}


def _check_days(values: _Line, now: datetime) -> None:
    """
    Check that WeChat can have given such an answer at such an instant.

    Raises:
        ValueError: there is no such dataset, the answer was fetched in the future, or the day is
            before the dataset's first day or not before the day of the fetch in Beijing.
    """
    dataset, fetched_on = DATASETS.get(values.dataset), clock.beijing_date(values.fetched_at)
    if dataset is None:
        raise ValueError(f"dataset {values.dataset!r:.60} is none of {', '.join(DATASETS)}")
    if values.fetched_at > now + clock.TOLERANCE:
        raise ValueError(f"fetched_at {values.fetched_at} is in the future")
    if not dataset.first_day <= values.day < fetched_on:
        raise ValueError(
            f"day {values.day}: {dataset.endpoint} starts on {dataset.first_day}, and this was "
            f"fetched on {fetched_on} in Beijing"
        )


def _body_bytes(body_json: bytes) -> bytes:
    """
    Return the answer's bytes: a string's UTF-8, or an object's JSON without white space.

    Raises:
        ValueError: `body_json` is neither a string nor an object.
    """
    if body_json.startswith(b'"'):
        return msgspec.json.decode(body_json, type=str).encode()  # noqa: TID251 - a text
    if body_json.startswith(b"{"):
        return msgspec.json.format(body_json, indent=-1)
    raise ValueError("body: it is neither an object nor a text")
