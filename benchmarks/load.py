"""
How near the load is to what Postgres itself can do.

    python benchmarks/load.py [--shape morning …] [--rounds 5] [--postgres a/folder]
    python benchmarks/load.py --answers FILE --url postgresql://…/a_database

Without a file: ours and the limit (`limit.py`) with every shape but the largest, then with an
ordinary morning beside five million rows of other accounts, on a server of its own; prints a table.
With one: loads its answers as an ingest does once it has fetched them, raw answers, restatements,
coverage and report included, and prints a line.
"""

import itertools
from datetime import date
from pathlib import Path

from answers import read
from contender import Load, contend
from contest import LIMIT, OURS, arguments, hold
from sqlalchemy import Engine

from weixin_etl import clock, load, warehouse
from weixin_etl.api.client import Answer
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.load import Outcome
from weixin_etl.model import Account, Run
from weixin_etl.parse import parse

RUNS = (
    ("small", 0),
    ("morning", 0),
    ("drift", 0),
    ("busy", 0),
    ("morning", 5_000_000),
)
"""Shapes, each with the rows of other accounts that are there already."""


def main() -> None:
    """Load a file, or hold the contest."""
    parser = arguments("Time the load against its limit.")
    parser.add_argument("--answers", type=Path, help="load this file instead")
    parser.add_argument("--url", help="into this database")
    options = parser.parse_args()
    if bool(options.answers) != bool(options.url):
        parser.error("--answers and --url go together")
    if options.answers:
        contend(prepare, options.answers, options.url)
        return
    runs = [(shape, 0) for shape in options.shape] if options.shape else RUNS
    hold((LIMIT, OURS), runs, rounds=options.rounds, postgres=options.postgres)


def prepare(answers: Path, url: str) -> Load:
    """Connect to the warehouse and migrate it."""
    warehouse.migrate(url)
    engine = warehouse.engine(url)
    engine.connect().close()
    return lambda: load_answers(engine, answers)


def load_answers(engine: Engine, path: Path) -> int:
    """Load the answers of a file, a commit per account; how many rows they have."""
    run = Run("benchmark", DATASET, clock.beijing_date(clock.now()), is_scheduled=True)
    row_count = 0
    for appid, lines in itertools.groupby(read(path), lambda line: line.appid):
        outcomes = []
        for _, day, fetched_at, body in lines:
            publication_date = date.fromisoformat(day)
            parsed = parse(DATASET, body, publication_date, fetched_at)
            answer = Answer(body, fetched_at, calls=1)
            outcomes.append(Outcome(publication_date, 1, fetched_at, answer, parsed))
            row_count += parsed.row_count
        account = Account("benchmark", appid, "", appid)
        load.Load(engine, run, account, ready_hour=10).commit(outcomes, is_last=True)
    return row_count


if __name__ == "__main__":
    main()
