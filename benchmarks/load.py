"""
How near the load is to what Postgres itself can do.

    python benchmarks/load.py [--shape morning …] [--rounds 5] [--postgres a/folder]
    python benchmarks/load.py --answers FILE --url postgresql://…/a_database

Without a file: the load and its limit (`limit.py`) with every shape but the largest, then with an
ordinary morning beside five million rows of other accounts, on a server of its own; prints a table.
With one: loads its answers as an ingest does once it has fetched them, raw answers, the rows that
are replaced, coverage and report included, and prints a line.
"""

import itertools
import os
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import contest
from answers import Load, line_of, options, tell
from shapes import SHAPES
from sqlalchemy import Engine

from weixin_etl import clock, load, warehouse
from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.client import Answer
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.load import Staged, staged
from weixin_etl.model import Account, Run
from weixin_etl.run import Settings
from weixin_etl.run.extract import extract
from weixin_etl.run.ingest import COMMIT_SECONDS
from weixin_etl.run.outcome import chunks_of

RUNS = (("small", 0), ("morning", 0), ("busy", 0), ("morning", 5_000_000))
"""Shapes, each with the rows of other accounts that are there already."""


def main() -> None:
    """Load a file, or measure."""
    parser = options(description="Time the load against its limit.")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, help="which answers to load")
    parser.add_argument("--rounds", type=int, default=5, help="print medians of so many (5)")
    parser.add_argument("--postgres", type=Path, help="a folder with other server programs")
    given = parser.parse_args()
    if given.answers:
        tell(prepare(given.answers, given.url))
    else:
        runs = [(shape, 0) for shape in given.shape] if given.shape else RUNS
        contest.hold(runs, rounds=given.rounds, postgres=given.postgres)


class Place(NamedTuple):
    """Where a file has an answer."""

    appid: str
    day: date
    fetched_at: datetime
    offset: int
    size: int


def places(file: BinaryIO) -> Iterator[Place]:
    """Those of all answers of a file, in its order."""
    end = 0
    for text in file:
        end += len(text)
        if line := line_of(text):
            size = len(line.body)
            day = date.fromisoformat(line.publication_date)
            offset = end - len(text) + text.index(line.body)
            yield Place(line.appid, day, line.fetched_at, offset, size)


def prepare(answers: Path, url: str) -> Load:
    """Connect to the warehouse, migrate it, and find where the file has its answers."""
    warehouse.migrate(url)
    engine = warehouse.engine(url)
    engine.connect().close()
    file = answers.open("rb")
    found = [*places(file)]
    return lambda: load_answers(engine, file.fileno(), found)


def load_answers(engine: Engine, file: int, places: list[Place]) -> int:
    """Load answers of a file; how many rows they have."""
    run = Run("benchmark", DATASET, clock.beijing_date(clock.now()))
    settings = Settings()
    row_count = 0
    merging = load.Load(engine, run, ready_hour=settings.ready_hour)
    for fetched in extract(
        _accounts(file, places),
        _ask,
        concurrency=settings.concurrency,
        most_bytes=settings.commit_bytes,
        most_seconds=COMMIT_SECONDS,
    ):
        merging.commit([chunk.staged for chunk in fetched])
        came = [one for chunk in fetched for one in chunk.staged]
        row_count += sum(one.row_count for one in came)
        if unreadable := [one for one in came if one.error]:
            first = unreadable[0]
            raise SystemExit(f"{first.pair}: {first.error}")
    return row_count


def _ask(calls: AccountCalls, day: date) -> Staged | None:
    """As an ingest makes it."""
    came = calls.ask(day)
    return staged(DATASET, calls.account, day, came) if came else None


class Fetched(AccountCalls):
    """An account whose calls read a file that has their answers."""

    def __init__(self, appid: str, file: int, places: Mapping[date, Place]) -> None:
        """Answer from these places."""
        self.account = Account("benchmark", appid, "", appid)
        days = sorted(places, reverse=True)
        asked_on = clock.beijing_date(places[days[0]].fetched_at)
        window = [day for day in days if (asked_on - day).days <= DATASET.window]
        self.chunks = deque(chunks_of(window, days[len(window) :]))
        self._file = file
        self._places = places

    def ask(self, day: date) -> Answer:
        """The answer."""
        place = self._places[day]
        body = os.pread(self._file, place.size, place.offset)
        return Answer(body, place.fetched_at, calls=1)


def _accounts(file: int, places: list[Place]) -> Iterator[Fetched]:
    """The accounts of the places, one after the other."""
    for appid, own in itertools.groupby(places, lambda place: place.appid):
        yield Fetched(appid, file, {place.day: place for place in own})


if __name__ == "__main__":
    main()
