"""
The load beside its limit: the same answers, the same server, in turns.

Each round gives both a new copy of the database in which they have created their tables, and the
three loads of a shape: first morning, next morning, the same answers again. A load is a process of
its own. What it left is compared with the answers. Then the database is vacuumed and analysed, as
autovacuum does long before the next morning, and checkpointed.
"""

import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import limit
import psycopg2
from answers import COLUMNS, METRICS, rows
from shapes import write

from weixin_local.postgres import Server

HERE = Path(__file__).parent
TABLES = {"limit": limit.TABLE, "load": "weixin.fact_article_total"}
"""The programs, and the table that each fills."""

LINE = re.compile(r"seconds=(\S+) rows=(\d+) peak_mb=(\d+)$")
HISTORY = "history-"
"""What the accounts of rows that were there before are called."""


class Taken(NamedTuple):
    """What a load took."""

    seconds: float
    rows: float
    peak_mb: float
    wal_mb: float


@contextmanager
def server(binaries: Path | None = None) -> Iterator[Server]:
    """A Postgres with its default settings, deleted at the end; without binaries the embedded."""
    directory = Path(tempfile.mkdtemp(prefix="weixin-bench-"))
    directory.chmod(0o755)
    started = Server(directory / "server", binaries)
    try:
        started.start()
        yield started
    finally:
        started.destroy()
        directory.rmdir()


def hold(runs: Iterable[tuple[str, int]], *, rounds: int, postgres: Path | None) -> None:
    """Print a row for each load of each shape, beside as many rows of other accounts."""
    with server(postgres) as started:
        version = started.ask("postgres", "SHOW server_version")
        print(f"{os.cpu_count()} cores, PostgreSQL {version}, medians of {rounds}\n")
        print("| answers | load | by | seconds | × limit | rows/s | WAL MB | peak MB |")
        print("| --- | --- | --- | --: | --: | --: | --: | --: |")
        for shape, history in runs:
            print_shape(measured(started, shape, history, rounds), shape, history)


def print_shape(medians: Mapping[tuple[str, str], Taken], shape: str, history: int) -> None:
    """The rows of a shape; seconds also in units of the limit's."""
    title = f"{shape} beside {history:,} rows" if history else shape
    for (load, program), taken in medians.items():
        print(
            f"| {title} | {load} | {program} | {taken.seconds:.3f} "
            f"| {taken.seconds / medians[load, 'limit'].seconds:.2f} "
            f"| {taken.rows / taken.seconds:,.0f} | {taken.wal_mb:.1f} | {taken.peak_mb:.0f} |"
        )


def measured(server: Server, shape: str, history: int, rounds: int) -> dict[tuple[str, str], Taken]:
    """The medians, by load and program."""
    taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, templates(server, history):
        files = write(shape, Path(folder))
        for _, program in itertools.product(range(rounds), TABLES):
            with copied(server, program) as database:
                for load, path in files.items():
                    taken[load, program].append(measure(server, database, program, path))
                    compare(server, database, program, path)
                    server.ask(database, "VACUUM (ANALYZE)")
    return {
        case: Taken(*map(statistics.median, zip(*of_case, strict=True)))
        for case, of_case in sorted(taken.items(), key=lambda it: [*files].index(it[0][0]))
    }


@contextmanager
def templates(server: Server, history: int) -> Iterator[None]:
    """For each program a database with its tables, made by a file without answers."""
    for program, table in TABLES.items():
        server.create_database(program)
        process(server, program, program, Path(os.devnull))
        server.ask(program, fill(table, history))
        server.ask(program, "VACUUM (ANALYZE)")
    yield
    for program in TABLES:
        server.ask("postgres", f'DROP DATABASE "{program}"')


@contextmanager
def copied(server: Server, program: str) -> Iterator[str]:
    """A database as its template."""
    server.ask("postgres", f'CREATE DATABASE round TEMPLATE "{program}" STRATEGY file_copy')
    yield "round"
    server.ask("postgres", "DROP DATABASE round")


def measure(server: Server, database: str, program: str, path: Path) -> Taken:
    """Load a file."""
    server.ask(database, "CHECKPOINT")
    before = server.ask(database, "SELECT pg_current_wal_lsn()")
    figures = process(server, database, program, path)
    wal = server.ask(database, f"SELECT pg_current_wal_lsn() - '{before}'")
    return Taken(*map(float, (*figures, wal / 10**6)))


def process(server: Server, database: str, program: str, path: Path) -> tuple[str, ...]:
    """Run the program; the figures of its line."""
    done = subprocess.run(
        [
            *(sys.executable, str(HERE / f"{program}.py")),
            *("--answers", str(path), "--url", server.libpq_url(database)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = LINE.search(done.stdout.rstrip())
    return found.groups() if found else ()


def compare(server: Server, database: str, program: str, path: Path) -> None:
    """Exit unless the table holds exactly the rows of the file."""
    with closing(psycopg2.connect(server.libpq_url(database))) as connection:
        cursor = connection.cursor()
        cursor.execute(
            f"SELECT {', '.join(COLUMNS)} FROM {TABLES[program]} WHERE appid NOT LIKE '{HISTORY}%'"
        )
        if sorted(map(str_row, cursor)) != sorted(map(str_row, rows(path))):
            raise SystemExit(f"{program} did not load the rows of {path}")


def str_row(row: tuple[object, ...]) -> tuple[str, ...]:
    """A row that compares with one of JSON."""
    return tuple(map(str, row))


def fill(table: str, count: int) -> str:
    """The statement that makes as many rows of other accounts."""
    figures = ", ".join("number" for _ in METRICS)
    return f"""
        INSERT INTO {table} (
            {", ".join(COLUMNS)}, raw_response_id, fetched_at, changed_at
        )
        SELECT
            '{HISTORY}' || number % 500, number / 7 || '_1', DATE '2026-01-01' + number % 7,
            DATE '2026-01-01', {figures}, 1, now(), now()
        FROM generate_series(1, {count}) AS number
    """
