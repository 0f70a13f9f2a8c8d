"""
Measure what a morning, the page and questions cost as the warehouse grows, with 100 accounts.

    python benchmarks/growth.py [--days 1 30 365 730] [--accounts 100] [--rounds 5]

For each number of days it fills a database of a temporary Postgres, as if both article endpoints
had been loaded on so many mornings, with eight articles a day. Then all databases get the same next
mornings in turns: the steps of a run in one process, with answers from a file. Last come `status`,
the page and the questions. It prints medians, and their ratios to the first database. The bodies of
stored answers are left out of what is filled in. Seconds depend on what else the machine does;
blocks, which are counted whether they are cached or not, do not.
"""

import argparse
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import jinja2
import psutil
from answers import Place, places
from contest import server
from queries import page_queries
from sqlalchemy import Connection, Engine, text

from weixin_etl import clock, warehouse
from weixin_etl.api.client import Response, WeixinClient
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.model import Account, ConfiguredAccount, PlannedAccount, Run, Slice
from weixin_etl.orchestration.web.page import calendar
from weixin_etl.run import Work
from weixin_etl.run.check import check, report
from weixin_etl.run.ingest import IngestResult, ingest
from weixin_etl.run.plan import plan, split_batches
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.statements import execute, statement
from weixin_local.postgres import Server

DAY = timedelta(days=1)
FILLED_THROUGH = date(2026, 11, 24)
"""The last morning that is filled in: the queries of `page_queries` count back from its eve."""
MONTH_DAYS = 30
ARTICLES_A_DAY = 8
QUESTIONS = ("4", "5", "7", "9", "12", "13", "16", "19", "23", "24")
"""The numbers of the cookbook's questions that are measured, all queries of each."""
READS = 5
"""The number of times that each page and question is read."""
SQL = Path(__file__).with_name("growth.sql")
Taken = defaultdict[str, defaultdict[int, list[float]]]
"""Seconds or megabytes by what was measured and the days of the database."""


def main() -> None:
    """Fill the databases, measure them in turns, and print a table."""
    parser = argparse.ArgumentParser(description="Time mornings and questions as data grows.")
    parser.add_argument("--days", type=int, nargs="+", default=[1, 30, 365, 730])
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", type=Path)
    options = parser.parse_args()
    with server(options.postgres) as started:
        engines = {days: filled(started, days, options.accounts) for days in options.days}
        taken = measured(engines, options.accounts, options.rounds)
        describe(engines)
        print_table(taken)
        for engine in engines.values():
            engine.dispose()


# ------------------------------------------------------------------------------------------ filling


def filled(started: Server, days: int, accounts: int) -> Engine:
    """Create a database, fill it with so many mornings, and return its engine."""
    name = f"days_{days}"
    started.create_database(name)
    warehouse.migrate(started.url(name))
    engine = warehouse.engine(started.url(name), {"statement_timeout": "0"})
    began_at = perf_counter()
    for dataset in ARTICLE_DATASETS.values():
        for first, last in months(days):
            is_first = first == FILLED_THROUGH - DAY * (days - 1)
            *inserts, _ = statements(dataset, first, last, accounts, is_first=is_first)
            with engine.begin() as connection:
                for sql in inserts:
                    execute(connection, sql)
            warehouse.analyse_grown(engine)
    with engine.begin() as connection:
        connection.execute(statement("account_day/mark_all.sql"))
    refresh_account_days(engine)
    vacuum(engine)
    print(f"{days} days filled in {perf_counter() - began_at:.0f} s", file=sys.stderr, flush=True)
    return engine


def months(days: int) -> Iterator[tuple[date, date]]:
    """Yield the first and the last of each thirty mornings, the oldest first."""
    for offset in range(0, days, MONTH_DAYS):
        first = FILLED_THROUGH - DAY * (days - 1 - offset)
        yield first, min(first + DAY * (MONTH_DAYS - 1), FILLED_THROUGH)


def statements(
    dataset: Dataset, first: date, last: date, accounts: int, *, is_first: bool = False
) -> list[str]:
    """Return the statements of `growth.sql` for the mornings between two days, in their order."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - SQL, not HTML
    rendered = environment.from_string(SQL.read_text()).render(
        dataset=dataset,
        first=first,
        last=last,
        since=first - DAY * (dataset.window + 1),
        is_first=is_first,
        accounts=accounts,
        articles_a_day=ARTICLES_A_DAY,
        lowered=dataset.wholes[:4],
    )
    return re.split(r"^-- [a-z ]+\n", rendered, flags=re.MULTILINE)[1:]


def vacuum(engine: Engine) -> None:
    """Vacuum and analyse all tables, as autovacuum does, and checkpoint."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT")


# ----------------------------------------------------------------------------------------- mornings


class FileClient(WeixinClient):
    """A client that reads the answers from an open file."""

    def __init__(self, account: Account, file: int, answers: Mapping[Slice, Place]) -> None:
        """Take the account, and the places of the answers in the file."""
        self.account, self._file, self._answers = account, file, answers

    def check_token(self) -> None:
        """Do nothing: a file needs no token."""

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime] = clock.now
    ) -> Response:
        """Return the answer of a day, as if it were fetched now."""
        del dataset
        return Response(self._answers[self.account.appid, day].read(self._file), now(), calls=1)


def measured(engines: Mapping[int, Engine], accounts: int, rounds: int) -> Taken:
    """Measure the mornings after the filled ones in turns, then the reading, and return both."""
    taken: Taken = defaultdict(lambda: defaultdict(list))
    with TemporaryDirectory(prefix="weixin-bench-") as folder:
        for number in range(rounds + 1):  # the first round warms up and settles days
            morning = FILLED_THROUGH + DAY * (number + 1)
            for dataset in ARTICLE_DATASETS.values():
                path = Path(folder, dataset.name)
                write_answers(next(iter(engines.values())), dataset, morning, accounts, path)
                for days, engine in engines.items():
                    vacuum(engine)
                    for name, figure in run(engine, dataset, morning, path).items():
                        if number:
                            taken[f"{dataset.endpoint}: {name}"][days].append(figure)
    for days, engine in engines.items():
        for name, read in readings(FILLED_THROUGH + DAY * (rounds + 1)):
            taken[f"{name}: blocks"][days].append(blocks_of(engine, read))
    for _ in range(READS):
        for days, engine in engines.items():
            for name, read in readings(FILLED_THROUGH + DAY * (rounds + 1)):
                taken[name][days].append(seconds_of(engine, read))
    return taken


def blocks_of(engine: Engine, read: Callable[[Connection], object]) -> float:
    """Return the number of blocks that are read."""
    before = blocks(engine)
    with engine.connect() as connection:
        read(connection)
    return blocks(engine) - before


def seconds_of(engine: Engine, read: Callable[[Connection], object]) -> float:
    """Return the seconds of reading."""
    with engine.connect() as connection:
        began_at = perf_counter()
        read(connection)
        return perf_counter() - began_at


def write_answers(
    engine: Engine, dataset: Dataset, morning: date, accounts: int, path: Path
) -> None:
    """Write the answers of a morning to a file, as `answers.places` reads it."""
    shapes, *_, answers = statements(dataset, morning, morning, accounts)
    with closing(engine.raw_connection()) as connection, path.open("wb") as file:
        connection.cursor().execute(shapes)
        connection.cursor().copy_expert(f"COPY ({answers}) TO STDOUT", file)


def run(engine: Engine, dataset: Dataset, morning: date, path: Path) -> dict[str, float]:
    """Run a morning; return the seconds of its steps and its WAL; exit unless all days are in."""
    now = datetime.combine(morning, time(10, 30), clock.SHANGHAI)
    work = Work(Run(f"scheduled__{morning}", dataset, morning, True), engine, now=lambda: now)
    listed = configured(engine)
    wal_before, blocks_before = wal_bytes(engine), blocks(engine)
    began = [perf_counter()]
    accounts = plan(work, listed).accounts
    began.append(perf_counter())
    results = ingest_all(work, accounts, path)
    began.append(perf_counter())
    report(work, accounts)
    problems = check(work, listed, accounts).not_in
    began.append(perf_counter())
    if problems:
        raise SystemExit(f"{morning}: {problems[0]}")
    plan_, ingest_, report_ = (after - before for before, after in pairwise(began))
    commits = sum((took for result in results for took in result.tally.commit_times), timedelta())
    seconds = {"plan": plan_, "commits": commits.total_seconds(), "report and check": report_}
    seconds["whole morning"] = plan_ + ingest_ + report_
    megabytes = (wal_bytes(engine) - wal_before) / 10**6
    return seconds | {"WAL MB": megabytes, "blocks": blocks(engine) - blocks_before}


def configured(engine: Engine) -> list[ConfiguredAccount]:
    """Return the accounts that were filled in."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT appid, name FROM weixin.dim_account ORDER BY 1"))
        return [ConfiguredAccount(row.appid, row.appid, row.name) for row in rows]


def wal_bytes(engine: Engine) -> float:
    """Return the number of bytes of the write-ahead log so far."""
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT pg_current_wal_lsn() - '0/0'"))
        return float(found or 0)


def blocks(engine: Engine) -> float:
    """Return the number of blocks of tables and indexes that were read so far, cached or not."""
    engine.dispose()  # the end of a session writes its statistics
    with engine.connect() as connection:
        return float(connection.scalar(text(BLOCKS)) or 0)


BLOCKS = """
    SELECT sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0))
    FROM pg_statio_user_tables
"""


def ingest_all(work: Work, accounts: list[PlannedAccount], path: Path) -> list[IngestResult]:
    """Ingest the batches one after the other, with the answers of the file."""
    answers = {(place.appid, place.day): place for place in places(path)}
    with path.open("rb") as file:

        def open_client(planned: PlannedAccount) -> FileClient:
            account = Account(planned.conn_id, planned.appid, "", planned.name)
            return FileClient(account, file.fileno(), answers)

        return [ingest(work, batch, open_client) for batch in split_batches(accounts)]


# ------------------------------------------------------------------------------------------ reading


def readings(morning: date) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    """Yield what is read after a morning: its name, and the function that reads it."""
    now = datetime.combine(morning, time(12), clock.SHANGHAI)
    yield "status", lambda connection: status.read(connection, None, now=now)
    for dataset in ARTICLE_DATASETS.values():
        yield f"page: calendar {dataset.suffix}", pages(calendar_page, dataset, now)
        yield f"page: a day {dataset.suffix}", pages(day_page, dataset, now)
        yield f"page: articles {dataset.suffix}", pages(articles_page, dataset, now)
    questions: dict[str, list[str]] = defaultdict(list)
    for title, query in page_queries():
        questions[title].append(query)
    for title, queries in questions.items():
        if title.partition(".")[0] in QUESTIONS:
            yield title, partial(answer, queries)


def answer(queries: list[str], connection: Connection) -> None:
    """Run the queries of a question."""
    for query in queries:
        connection.execute(text(query)).all()


def pages(
    page: Callable[[calendar.Figures], object], dataset: Dataset, now: datetime
) -> Callable[[Connection], object]:
    """Return the function that reads a page of a dataset."""
    return lambda connection: page(calendar.Figures(connection, dataset, now))


def calendar_page(figures: calendar.Figures) -> object:
    """Read the first accounts of the calendar."""
    return calendar.view(figures, last=None, search="", offset=0)


def day_page(figures: calendar.Figures) -> object:
    """Read the story of a day of the last window."""
    return calendar.story(figures, "wx0001", figures.now.date() - DAY * 5)


def articles_page(figures: calendar.Figures) -> object:
    """Read the newest articles and the totals of their accounts, as the page does."""
    wanted = {"search": "", "since": figures.now.date() - DAY * 30}
    articles = figures.rows("page/articles.sql", **wanted, sort="gained", most=25, offset=0)
    return articles, figures.rows("page/account_totals.sql", **wanted, most=10)


# ----------------------------------------------------------------------------------------- printing


def describe(engines: Mapping[int, Engine]) -> None:
    """Print the memory, and the size of each database and of its facts."""
    memory = psutil.virtual_memory().total / 2**30
    for days, engine in engines.items():
        with engine.connect() as connection:
            buffers = connection.scalar(text("SHOW shared_buffers"))
            size = connection.scalar(text("SELECT pg_database_size(current_database()) / 1e9"))
            print(f"{days} days: {size:.1f} GB; shared_buffers {buffers}, memory {memory:.0f} GiB")
            for dataset in ARTICLE_DATASETS.values():
                print(connection.execute(text(SIZE.format(fact=dataset.fact))).one()._asdict())


SIZE = """
    SELECT
        '{fact}' AS fact,
        count(*) AS rows,
        round(pg_table_size('weixin.{fact}') / count(*)::numeric) AS bytes_a_row,
        round(pg_indexes_size('weixin.{fact}') / count(*)::numeric) AS index_bytes_a_row,
        round(pg_indexes_size('weixin.{fact}') / 1e6) AS index_mb
    FROM weixin.{fact}
"""


def print_table(taken: Taken) -> None:
    """Print the medians of what was measured, by days, and the last one as a multiple."""
    for name, by_days in taken.items():
        medians = [statistics.median(figures) for figures in by_days.values()]
        cells = " | ".join(f"{median:.4g}" for median in medians)
        print(f"| {name} | {cells} | {medians[-1] / medians[0]:.2f} |")


if __name__ == "__main__":
    main()
