"""
How near the load is to what Postgres itself can do.

    python benchmarks/load.py [--shape morning …] [--rounds 5] [--postgres a/folder]
    python benchmarks/load.py --answers FILE --url postgresql://…/a_database

Without a file: the load and its limit (`limit.py`) with every shape, on a server of its own; prints
a table. With one: loads its answers as an ingest does once it has fetched them, raw answers, the
rows that are replaced, coverage and report included, and prints a line.
"""

import argparse
import gc
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import contest
import limit
from answers import SHAPES, Place, places
from sqlalchemy import Engine

from weixin_etl import clock, load, warehouse
from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.client import Response
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.load import StagedAnswer, stage_response
from weixin_etl.model import Account, Run
from weixin_etl.run import Settings
from weixin_etl.run.extract import extract
from weixin_etl.run.ingest import COMMIT_SECONDS
from weixin_etl.run.outcome import chunks_of


def main() -> None:
    """Load a file, or measure."""
    parser = argparse.ArgumentParser(description="Time the load against its limit.")
    parser.add_argument("--answers", type=Path, help="load this file")
    parser.add_argument("--url", help="into this database")
    parser.add_argument("--limit", action="store_true", help="by the limit")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=[*SHAPES])
    parser.add_argument("--rounds", type=int, default=5, help="print medians of so many (5)")
    parser.add_argument("--postgres", type=Path, help="a folder with other server programs")
    given = parser.parse_args()
    if given.answers:
        warehouse.migrate(given.url)
        tell((limit.prepare if given.limit else prepare)(given.answers, given.url))
    else:
        contest.hold(given.shape, given.rounds, given.postgres)


def tell(load: Callable[[], int]) -> None:
    """Load and print a line: seconds, rows, and the memory of the whole process."""
    gc.collect()  # what was made before is not of the load
    began_at, row_count = time.perf_counter(), load()
    seconds = time.perf_counter() - began_at
    # ru_maxrss would count the process this one was forked from
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1000
    print(f"seconds={seconds:.4f} rows={row_count} peak_mb={peak_mb:.0f}")


def prepare(answers: Path, url: str) -> Callable[[], int]:
    """Connect to the warehouse, and find where the file has its answers."""
    engine = warehouse.engine(url)
    engine.connect().close()
    file = answers.open("rb")
    found = [*places(answers)]
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
        came = [one for chunk in fetched for one in chunk.staged]
        if unreadable := [one for one in came if one.error]:
            raise SystemExit(f"{unreadable[0].slice}: {unreadable[0].error}")
        merging.commit([chunk.staged for chunk in fetched])
        row_count += sum(one.row_count for one in came)
    return row_count


def _ask(calls: AccountCalls, day: date) -> StagedAnswer | None:
    """As an ingest makes it."""
    came = calls.fetch(day)
    return stage_response(DATASET, calls.account, day, came) if came else None


class Fetched(AccountCalls):
    """An account whose calls read a file that has their answers."""

    def __init__(self, appid: str, file: int, places: Iterator[Place]) -> None:
        """Answer from these places."""
        self.account = Account("benchmark", appid, "", appid)
        self._file = file
        self._places = {place.day: place for place in places}
        self.chunks = deque(chunks_of(sorted(self._places, reverse=True), []))

    def fetch(self, day: date) -> Response:
        """The answer."""
        place = self._places[day]
        return Response(place.read(self._file), place.fetched_at, calls=1)


def _accounts(file: int, places: list[Place]) -> Iterator[Fetched]:
    """The accounts of the places, one after the other."""
    for appid, own in itertools.groupby(places, lambda place: place.appid):
        yield Fetched(appid, file, own)


if __name__ == "__main__":
    main()
