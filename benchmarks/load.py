"""
How near the load is to what Postgres itself can do.

    python benchmarks/load.py [postgresql://…/an_empty_database]

Ours is the load step: answers' bytes taken apart, staged, merged, with restatements, coverage and
report, committed. The limit is COPY of the same rows, ready-made, into a temporary table and the
same merge. Both write to the same tables, each for accounts of its own, in turns; medians of 5.
Landing the raw answers is measured apart. Without a database it
starts a Postgres of its own.
"""

import argparse
import io
import multiprocessing
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine
from throw_away import database

from weixin_etl import clock, warehouse
from weixin_etl.api.client import Answer
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.load import PAIRS_A_COMMIT, Load, Outcome
from weixin_etl.load.stage import SeenArticle, StagedPair, row_lines
from weixin_etl.model import Account, Run
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed
from weixin_etl.warehouse import statement

ROUNDS = 5
DAYS = [date(2026, 10, 1) + timedelta(days=number) for number in range(PAIRS_A_COMMIT)]
ARTICLES_A_DAY = 170
"""With seven rows each: 36,890 rows a commit."""
COMMITS = {"37k": 1, "500k": 14}
CHANGED_PERCENT = 15
"""Of the articles: the next day each of their rows has other values for some figures."""
CHANGED_FIGURES = 4
MORNING = datetime(2026, 11, 23, 10, 30, tzinfo=clock.SHANGHAI)
NEXT_MORNING = MORNING + timedelta(days=1)
HISTORY_ROWS = 5_000_000

Answers = dict[date, Answer]


@dataclass
class Times:
    """Seconds of each round."""

    ours: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    landing: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ours in units of the limit."""
        return statistics.median(self.ours) / statistics.median(self.limit)


@dataclass
class Case:
    """A number of rows: first load, next day, and the memory of the process that did both."""

    first: Times = field(default_factory=Times)
    next: Times = field(default_factory=Times)
    peak_mb: float = 0.0


def main() -> None:
    """Measure each size in a process of its own, then again beside a long history; print."""
    parser = argparse.ArgumentParser(description="Time the load against its limit.")
    parser.add_argument("url", nargs="?")
    with database(parser.parse_args().url) as url:
        warehouse.migrate(url)
        compare(url)


def compare(url: str) -> None:
    """All cases, on a migrated and empty warehouse."""
    small, large = (_in_a_process(url, name, name) for name in COMMITS)
    print(f"filling the fact up to {HISTORY_ROWS:,} rows …", flush=True)
    fill_history(warehouse.engine(url))
    beside_history = _in_a_process(url, "37k", "37k beside the history")
    growth = statistics.median(beside_history.next.ours) / statistics.median(small.next.ours)
    print(f"next-day load beside {HISTORY_ROWS:,} rows / in a small fact: {growth:.2f}")
    print(
        f"load ratio: 37k first={small.first.ratio:.2f} next={small.next.ratio:.2f} "
        f"500k first={large.first.ratio:.2f} next={large.next.ratio:.2f} "
        f"peak_mb={large.peak_mb:.0f}"
    )


def _in_a_process(url: str, size: str, title: str) -> Case:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        case = pool.apply(measure, (url, size))
    show(title, case)
    return case


def measure(url: str, size: str) -> Case:
    """Five rounds of a size."""
    engine = warehouse.engine(url)
    case = Case()
    before_mb = _peak_mb()
    for number in range(ROUNDS):
        accounts = [f"{time.time_ns()}-{number}-{commit}" for commit in range(COMMITS[size])]
        one_round(engine, accounts, case)
    case.peak_mb = _peak_mb() - before_mb
    return case


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_round(engine: Engine, accounts: Sequence[str], case: Case) -> None:
    """Both ways, first load and next day; a commit per account."""
    for times, fetched_at in ((case.first, MORNING), (case.next, NEXT_MORNING)):
        ours, limit, landing = 0.0, 0.0, 0.0
        for appid in accounts:
            answers = made_answers(fetched_at)
            with timed() as taken:
                land(engine, f"ours-{appid}", answers)
            landing += taken[0]
            with timed() as taken:
                load_ours(engine, f"ours-{appid}", answers)
            ours += taken[0]
            lines = ready_lines(engine, f"limit-{appid}", answers)
            with timed() as taken:
                load_lines(engine, f"limit-{appid}", lines)
            limit += taken[0]
        times.ours.append(ours)
        times.limit.append(limit)
        times.landing.append(landing)


@contextmanager
def timed() -> Iterator[list[float]]:
    """How long the block takes, when it is over."""
    taken: list[float] = []
    began_at = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - began_at)


def made_answers(fetched_at: datetime) -> Answers:
    """An account's answers of a morning; the next morning some figures are others."""
    figures = [metric.name for metric in DATASET.metrics]
    is_next = fetched_at == NEXT_MORNING
    answers = {}
    for day in DAYS:
        articles = []
        for number in range(ARTICLES_A_DAY):
            is_changed = is_next and number * 100 < ARTICLES_A_DAY * CHANGED_PERCENT
            changed = CHANGED_FIGURES if is_changed else 0
            articles.append(
                {
                    "ref_date": day.isoformat(),
                    "msgid": f"{2_247_483_647 + day.toordinal() * 1000 + number}_1",
                    "title": f"标题 {number} “引号”\\",
                    "details": [
                        {
                            "stat_date": (day + timedelta(days=step)).isoformat(),
                            **{
                                name: 9000 // (place + 1) + number * (step + 1) + (place < changed)
                                for place, name in enumerate(figures)
                            },
                        }
                        for step in range(DATASET.window)
                    ],
                }
            )
        answers[day] = Answer(msgspec.json.encode({"list": articles}), fetched_at, 1)
    return answers


def land(engine: Engine, appid: str, answers: Answers) -> dict[date, int]:
    """Keep the raw answers, each a new one; their ids."""
    with engine.begin() as connection:
        return {
            day: connection.execute(
                statement("raw_response/land.sql"),
                {
                    "dataset": DATASET.name,
                    "appid": appid,
                    "publication_date": day,
                    "body": answer.body,
                    "hash": answer.sha256,
                    "fetched_at": answer.fetched_at,
                },
            ).scalar_one()
            for day, answer in answers.items()
        }


def load_ours(engine: Engine, appid: str, answers: Answers) -> None:
    """The load step, from the answers' bytes to the commit."""
    run = Run("benchmark", DATASET, MORNING.date(), is_scheduled=True)
    outcomes = [
        Outcome(day, 1, answer.fetched_at, answer, parsed(day, answer))
        for day, answer in answers.items()
    ]
    account = Account("benchmark", appid, "", appid)
    Load(engine, run, account, ready_hour=10).commit(outcomes, is_last=True)


def parsed(day: date, answer: Answer) -> Parsed:
    """What an answer says."""
    return parse(DATASET, answer.body, day, answer.fetched_at)


def ready_lines(engine: Engine, appid: str, answers: Answers) -> bytes:
    """The rows of the answers as COPY takes them."""
    ids = land(engine, appid, answers)
    pairs = []
    for day, answer in answers.items():
        articles = parsed(day, answer).articles.values()
        seen = [SeenArticle(article, answer.fetched_at, answer.fetched_at) for article in articles]
        pairs.append(StagedPair(day, ids[day], seen))
    return b"".join(row_lines(DATASET, pairs))


def load_lines(engine: Engine, appid: str, lines: bytes) -> None:
    """The limit: COPY and the merge, nothing else."""
    with engine.begin() as connection:
        connection.execute(statement("fact/stage.sql", DATASET))
        connection.connection.cursor().copy_expert(
            "COPY staged_row FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')", io.BytesIO(lines)
        )
        connection.execute(statement("fact/pin_plan.sql"))
        connection.execute(
            statement("fact/load.sql", DATASET),
            {"dataset": DATASET.name, "appid": appid, "changed_at": clock.now()},
        ).all()


def fill_history(engine: Engine) -> None:
    """Rows of years of other accounts, made by Postgres."""
    with engine.begin() as connection:
        present = connection.exec_driver_sql(f"SELECT count(*) FROM weixin.{DATASET.fact}").scalar()
        _insert_history(connection, HISTORY_ROWS - int(present or 0))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _insert_history(connection: Connection, rows: int) -> None:
    figures = ", ".join(metric.name for metric in DATASET.metrics)
    values = ", ".join("number" for _ in DATASET.metrics)
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.{DATASET.fact} (
            appid, msgid, stat_date, publication_date, {figures},
            raw_response_id, fetched_at, changed_at
        )
        SELECT
            'history-' || number %% 500, number / 7 || '_1', DATE '2026-01-01' + number %% 7,
            DATE '2026-01-01', {values}, 1, now(), now()
        FROM generate_series(1, {rows}) AS number
        """
    )


def show(name: str, case: Case) -> None:
    """A line per load of a case."""
    for load_name, times in (("first", case.first), ("next", case.next)):
        ours, limit, landing = (
            statistics.median(seconds) for seconds in (times.ours, times.limit, times.landing)
        )
        print(
            f"{name:22} {load_name:5} ours {ours:7.3f} s  limit {limit:7.3f} s  "
            f"ratio {times.ratio:.2f}  raw answers {landing:7.3f} s  peak {case.peak_mb:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
