"""
Measure how close the load is to the limit of Postgres itself.

    python benchmarks/load.py [--shape morning …] [--rounds 5] [--postgres a/folder]
    python benchmarks/load.py --answers FILE --url postgresql://…/a_database

Without a file, it measures the load and its limit (`limit.py`) with every shape on a server of its
own, and prints a table. With a file, it loads the answers as an ingest does after the calls, and
prints a line. That includes the raw answers, the replaced rows, the coverage and the report.
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
from weixin_etl.warehouse.account_days import refresh_account_days


def main() -> None:
    """Load a file, or measure all shapes."""
    parser = argparse.ArgumentParser(description="Time the load against its limit.")
    parser.add_argument("--answers", type=Path, help="load this file")
    parser.add_argument("--url", help="into this database")
    parser.add_argument("--limit", action="store_true", help="by the limit")
    parser.add_argument("--days", action="store_true", help="then compute the account days")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=[*SHAPES])
    parser.add_argument("--rounds", type=int, default=5, help="print medians of so many (5)")
    parser.add_argument("--postgres", type=Path, help="a folder with other server programs")
    given = parser.parse_args()
    if given.answers:
        warehouse.migrate(given.url)
        if given.limit:
            tell(limit.prepare(given.answers, given.url))
        else:
            tell(prepare(given.answers, given.url, with_days=given.days))
    else:
        contest.hold(given.shape, given.rounds, given.postgres)


def tell(load: Callable[[], int]) -> None:
    """Load, and print a line with seconds, rows, and the peak memory of the process."""
    gc.collect()  # the garbage of the preparation is not part of the load
    began_at, row_count = time.perf_counter(), load()
    seconds = time.perf_counter() - began_at
    # ru_maxrss would count the process this one was forked from
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1000
    print(f"seconds={seconds:.4f} rows={row_count} peak_mb={peak_mb:.0f}")


def prepare(answers: Path, url: str, *, with_days: bool) -> Callable[[], int]:
    """
    Connect to the warehouse and index the file; return the function that loads its answers.

    With days, the function then computes the account days, as the end of an ingest does.
    """
    engine = warehouse.engine(url)
    engine.connect().close()
    file = answers.open("rb")
    indexed = [*places(answers)]

    def load() -> int:
        row_count = load_answers(engine, file.fileno(), indexed)
        if with_days:
            refresh_account_days(engine)
        return row_count

    return load


def load_answers(engine: Engine, file: int, places: list[Place]) -> int:
    """Load the answers at these places of a file, and return the number of their rows."""
    run = Run("benchmark", DATASET, clock.beijing_date(clock.now()))
    settings = Settings()
    row_count = 0
    merging = load.Load(engine, run, ready_hour=settings.ready_hour)
    for fetched in extract(_accounts(file, places), _ask, settings, COMMIT_SECONDS):
        staged = [answer for chunk in fetched for answer in chunk.staged]
        if unreadable := [answer for answer in staged if answer.error]:
            raise SystemExit(f"{unreadable[0].slice}: {unreadable[0].error}")
        merging.commit([chunk.staged for chunk in fetched])
        row_count += sum(answer.row_count for answer in staged)
    return row_count


def _ask(calls: AccountCalls, day: date) -> StagedAnswer | None:
    """Fetch and stage one day's answer, as an ingest does."""
    response = calls.fetch(day)
    return stage_response(DATASET, calls.account, day, response) if response else None


class Fetched(AccountCalls):
    """The calls of an account, which read their answers from a file."""

    def __init__(self, appid: str, file: int, places: Iterator[Place]) -> None:
        """Take the places of the account's answers in the open file."""
        self.account = Account("benchmark", appid, "", appid)
        self._file = file
        self._places = {place.day: place for place in places}
        self.chunks = deque(chunks_of(sorted(self._places, reverse=True), []))

    def fetch(self, day: date) -> Response:
        """Return the answer for a day from the file."""
        place = self._places[day]
        return Response(place.read(self._file), place.fetched_at, calls=1)


def _accounts(file: int, places: list[Place]) -> Iterator[Fetched]:
    """Yield the calls of each account in the file."""
    for appid, own in itertools.groupby(places, lambda place: place.appid):
        yield Fetched(appid, file, own)


if __name__ == "__main__":
    main()
