"""
Measure how long an export takes, and how much memory, with 500 accounts and 90 days.

    python benchmarks/export.py [--accounts 500] [--postgres /usr/lib/postgresql/15/bin]

It fills a database of a temporary Postgres with an article a day of each account, and writes all
sheets into an Excel file, then the largest table as CSV and as JSON lines, and composes a digest.
The peak of memory is that of the whole process.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import BinaryIO

from contest import server
from queries import fill
from sqlalchemy import Connection, Engine

from weixin_etl import warehouse
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.delivery import export
from weixin_etl.delivery.digest import compose_digest, read_digest
from weixin_etl.health.notifications import Installation
from weixin_etl.health.wording import Wording
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.statements import statement

PERIOD = date(2026, 8, 26), date(2026, 11, 23)
LARGEST = "article_day"


def main() -> None:
    """Fill the database, and print the seconds, the size and the peak of memory of each format."""
    parser = argparse.ArgumentParser(description="Time the export of much data.")
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--postgres", type=Path)
    options = parser.parse_args()
    with server(options.postgres) as started:
        started.create_database("benchmark")
        url = started.url("benchmark")
        warehouse.migrate(url)
        engine = warehouse.engine(url, {"statement_timeout": "0"})
        with engine.begin() as connection:
            for dataset in ARTICLE_DATASETS.values():
                fill(connection, dataset, options.accounts, articles_a_day=1)
            connection.execute(statement("account_day/mark_all.sql"))
        refresh_account_days(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        measure("xlsx", engine, write_xlsx)
        measure("csv", engine, write_csv)
        measure("jsonl", engine, write_jsonl)
        measure_digest(engine)
        engine.dispose()


Write = Callable[[Connection, export.Selection, BinaryIO], None]


def measure(name: str, engine: Engine, write: Write) -> None:
    """Write a file of the period, and print its rows, seconds, size and the peak of memory."""
    with engine.connect() as connection, tempfile.TemporaryFile() as file:
        selection = export.select(connection, [], *PERIOD)
        tables = selection.tables if name == "xlsx" else [LARGEST]
        rows = sum(selection.count(connection, table) for table in tables)
        began_at = time.perf_counter()
        write(connection, selection, file)
        seconds, megabytes = time.perf_counter() - began_at, file.tell() / 1e6
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {rows:,} rows, {seconds:.1f} s, {megabytes:.0f} MB, peak {peak_mb:.0f} MB")


def measure_digest(engine: Engine) -> None:
    """Compose the digest of the last day, and print its seconds and bytes."""
    with engine.connect() as connection:
        began_at = time.perf_counter()
        message = compose_digest(read_digest(connection, PERIOD[1]), Installation(""))
    seconds = time.perf_counter() - began_at
    print(f"digest: {seconds:.1f} s, {len(message.body.encode()):,} bytes")


def write_xlsx(connection: Connection, selection: export.Selection, file: BinaryIO) -> None:
    """Write all sheets."""
    export.write_workbook(connection, selection, file, words=Wording())


def write_csv(connection: Connection, selection: export.Selection, file: BinaryIO) -> None:
    """Write the largest table as CSV."""
    export.write_csv(connection, selection, LARGEST, file, words=Wording())


def write_jsonl(connection: Connection, selection: export.Selection, file: BinaryIO) -> None:
    """Write the largest table as JSON lines."""
    export.write_jsonl(connection, selection, LARGEST, file)


if __name__ == "__main__":
    main()
