"""
How quick the page "WeChat articles" answers with 500 accounts and two years of publication days.

    python benchmarks/page.py [postgresql://…/an_empty_database] [--accounts 500] [--days 730]

Fills an empty database (without one, that of a Postgres it starts itself) with everything the page
reads, some accounts in trouble, then asks what each view asks and prints its time: the median and
the longest of 5. Airflow, the login and the browser are not measured.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from page_world import fill, run_id_of
from sqlalchemy import Connection
from throw_away import database

from weixin_etl import clock, status, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, Dataset
from weixin_etl.orchestration.page import articles, calendar, runs

RUNS = 5
CATCH_UP_DAYS = 60


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description="Time what the page asks the warehouse for.")
    parser.add_argument("url", nargs="?")
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--days", type=int, default=730)
    options = parser.parse_args()
    now = clock.now()
    with database(options.url) as url:
        warehouse.migrate(url)
        engine = warehouse.engine(url).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if not connection.exec_driver_sql("SELECT EXISTS (TABLE weixin.coverage)").scalar():
                fill(connection, ARTICLE_TOTAL, options.accounts, options.days, now)
                connection.exec_driver_sql("VACUUM ANALYZE")
            pairs = connection.exec_driver_sql("SELECT count(*) FROM weixin.coverage").scalar()
            print(f"{options.accounts} accounts, {options.days} days, {pairs:,} pairs")
            compare(connection, ARTICLE_TOTAL, now)
        engine.dispose()


def compare(connection: Connection, dataset: Dataset, now: datetime) -> None:
    """Ask what each view asks."""
    yesterday = clock.beijing_date(now) - timedelta(days=1)

    def shown(**which: object) -> calendar.View:
        asked = {"last": None, "days": 42, "search": "", "offset": 0, "only_trouble": False}
        return calendar.view(
            connection,
            dataset,
            **{**asked, **which},  # type: ignore[arg-type]
            now=now,
            catch_up_days=CATCH_UP_DAYS,
        )

    def story() -> object:
        return calendar.story(
            connection, dataset, "wx0007", yesterday, now=now, catch_up_days=CATCH_UP_DAYS
        )

    newest = articles.view(connection, dataset, "wx0007").articles[0]
    questions: dict[str, Callable[[], object]] = {
        "problems and accounts, health": lambda: status.read(
            connection, None, now=now, catch_up_days=CATCH_UP_DAYS, datasets=[dataset]
        ),
        "calendar, first page": shown,
        "calendar, last page": lambda: shown(offset=475),
        "calendar, two years ago": lambda: shown(last=yesterday - timedelta(days=690)),
        "calendar, searched": lambda: shown(search="灯塔"),
        "calendar, only trouble": lambda: shown(only_trouble=True),
        "a pair's story": story,
        "runs, first page": lambda: runs.view(connection, dataset, lambda *_: {}, 0),
        "runs, last page": lambda: runs.view(connection, dataset, lambda *_: {}, 700),
        "a run by account": lambda: runs.accounts(connection, dataset, run_id_of(yesterday)),
        "choice of accounts": lambda: articles.accounts(connection, dataset),
        "an account's articles": lambda: articles.view(connection, dataset, "wx0007"),
        "an article's sources": lambda: articles.sources(
            connection, dataset, "wx0007", newest.msgid
        ),
    }
    for title, ask in questions.items():
        measure(title, ask)


def measure(title: str, ask: Callable[[], object]) -> None:
    """Print how long it takes."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    print(f"{title:32} {statistics.median(taken) * 1000:7.0f} ms  {max(taken) * 1000:7.0f} ms")


if __name__ == "__main__":
    main()
