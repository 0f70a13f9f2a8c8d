"""
How near the load is to what Postgres itself can do.

    python benchmarks/load.py [--shape morning …] [--peers …] [--rounds 5] [--postgres a/folder]
    python benchmarks/load.py --answers FILE --url postgresql://…/a_database

Without a file: ours and the limit (`limit.py`) with every shape but the largest, then with an
ordinary morning beside five million rows of other accounts, on a server of its own; prints a table.
With `--peers` beside other loaders too: short programs in `peers/`, each written as its own
documentation advises, which run in `.venv-peers` (`make bench-peers` installs that).
With one: loads its answers as an ingest does once it has fetched them, raw answers, the rows that
are replaced, coverage and report included, and prints a line.
"""

import argparse
import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from threading import Lock

import contender
from contender import Line, read
from contest import LIMIT, OURS, PEERS, hold, peer
from shapes import SHAPES
from sqlalchemy import Engine

from weixin_etl import clock, rules, warehouse
from weixin_etl.api.client import Answer, Refusal
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.load import Load, Staged, answered, refused
from weixin_etl.model import Account, Run
from weixin_etl.parse import parse
from weixin_etl.run import Settings
from weixin_etl.run.extract import AccountCalls, extract
from weixin_etl.run.ingest import COMMIT_SECONDS

RUNS = (
    ("small", 0),
    ("morning", 0),
    ("busy", 0),
    ("morning", 5_000_000),
)
"""Shapes, each with the rows of other accounts that are there already."""


def main() -> None:
    """Load a file, or hold the contest."""
    parser = argparse.ArgumentParser(description="Time the load against its limit.")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, help="which answers to load")
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="which other loaders too (all)")
    parser.add_argument("--rounds", type=int, default=5, help="print medians of so many (5)")
    parser.add_argument("--postgres", type=Path, help="a folder with other server programs")
    parser.add_argument("--answers", type=Path, help="load this file instead")
    parser.add_argument("--url", help="into this database")
    options = parser.parse_args()
    if bool(options.answers) != bool(options.url):
        parser.error("--answers and --url go together")
    if options.answers:
        contender.contend(prepare, options.answers, options.url)
        return
    runs = [(shape, 0) for shape in options.shape] if options.shape else RUNS
    peers = () if options.peers is None else options.peers or PEERS
    contenders = (LIMIT, OURS, *map(peer, peers))
    hold(contenders, runs, rounds=options.rounds, postgres=options.postgres)


def prepare(answers: Path, url: str) -> contender.Load:
    """Connect to the warehouse and migrate it."""
    warehouse.migrate(url)
    engine = warehouse.engine(url)
    engine.connect().close()
    return lambda: load_answers(engine, answers)


def load_answers(engine: Engine, path: Path) -> int:
    """Load the answers of a file; how many rows they have."""
    run = Run("benchmark", DATASET, clock.beijing_date(clock.now()))
    settings = Settings()
    row_count = 0
    for lines in _without_repeated_pairs(path):
        load = Load(engine, run, ready_hour=settings.ready_hour)
        for fetched in extract(
            _accounts(lines),
            _staged,
            concurrency=settings.concurrency,
            most_bytes=settings.commit_bytes,
            most_seconds=COMMIT_SECONDS,
        ):
            load.commit([chunk.staged for chunk in fetched])
            staged = [one for chunk in fetched for one in chunk.staged]
            row_count += sum(one.row_count for one in staged)
            if unreadable := [one for one in staged if one.error]:
                first = unreadable[0]
                raise SystemExit(f"{first.pair}: {first.error}")
    return row_count


_one_at_a_time = Lock()


def _staged(account: AccountCalls, day: date) -> Staged:
    """As an ingest makes it."""
    came = account.ask(day)
    if isinstance(came, Refusal):
        return refused(account.account, day, came)
    with _one_at_a_time:
        parsed = parse(DATASET, came.body, day, came.fetched_at)
        return answered(DATASET, account.account, day, came, parsed)


class Fetched(AccountCalls):
    """An account whose calls were made before: the file has their answers."""

    def __init__(self, appid: str, answers: Mapping[date, Answer]) -> None:
        """Answer from these."""
        self.account = Account("benchmark", appid, "", appid)
        days = sorted(answers, reverse=True)
        window = [day for day in days if _is_in_window(day, answers[day].fetched_at)]
        older = days[len(window) :]
        parts = range(0, len(older), rules.OLDER_DAYS)
        self.chunks = deque(
            filter(None, [window, *(older[part : part + rules.OLDER_DAYS] for part in parts)])
        )
        self._answers = dict(answers)

    def ask(self, day: date) -> Answer:
        """The answer, which is forgotten then."""
        return self._answers.pop(day)


def _without_repeated_pairs(path: Path) -> Iterator[Iterator[Line]]:
    """The lines in order, in parts none of which has two answers of a pair."""
    seen: set[tuple[str, str]] = set()
    part = 0

    def part_of(line: Line) -> int:
        nonlocal part
        pair = line.appid, line.publication_date
        if pair in seen:
            seen.clear()
            part += 1
        seen.add(pair)
        return part

    return (lines for _, lines in itertools.groupby(read(path), part_of))


def _is_in_window(day: date, fetched_at: datetime) -> bool:
    return (clock.beijing_date(fetched_at) - day).days <= DATASET.window


def _accounts(lines: Iterator[Line]) -> Iterator[Fetched]:
    """The accounts of the lines, one after the other."""
    for appid, own in itertools.groupby(lines, lambda line: line.appid):
        answers = {
            date.fromisoformat(day): Answer(body, fetched_at, calls=1)
            for _, day, fetched_at, body in own
        }
        yield Fetched(appid, answers)


if __name__ == "__main__":
    main()
