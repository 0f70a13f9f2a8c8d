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
from collections.abc import Iterable, Iterator
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
    with tempfile.TemporaryDirectory(prefix="weixin-bench-") as directory:
        Path(directory).chmod(0o755)
        started = Server(Path(directory, "server"), binaries)
        try:
            started.start()
            yield started
        finally:
            started.stop()


def hold(runs: Iterable[tuple[str, int]], *, rounds: int, postgres: Path | None) -> None:
    """Print a row for each load of each shape, beside as many rows of other accounts."""
    with server(postgres) as started:
        version = started.ask("postgres", "SHOW server_version")
        print(f"{os.cpu_count()} cores, PostgreSQL {version}, medians of {rounds}\n")
        print("| answers | load | by | seconds | × limit | rows/s | WAL MB | peak MB |")
        print("| --- | --- | --- | --: | --: | --: | --: | --: |")
        for shape, history in runs:
            medians = measured(started, shape, history, rounds)
            title = f"{shape} beside {history:,} rows" if history else shape
            for (load, program), taken in medians.items():
                print(
                    f"| {title} | {load} | {program} | {taken.seconds:.3f} "
                    f"| {taken.seconds / medians[load, 'limit'].seconds:.2f} "
                    f"| {taken.rows / taken.seconds:,.0f} "
                    f"| {taken.wal_mb:.1f} | {taken.peak_mb:.0f} |"
                )


def measured(server: Server, shape: str, history: int, rounds: int) -> dict[tuple[str, str], Taken]:
    """The medians, by load and program."""
    taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, templates(server, history):
        files = write(shape, Path(folder))
        for _, program in itertools.product(range(rounds), TABLES):
            server.ask("postgres", f'CREATE DATABASE round TEMPLATE "{program}" STRATEGY file_copy')
            for load, path in files.items():
                taken[load, program].append(measure(server, program, path))
                compare(server, program, path)
                server.ask("round", "VACUUM (ANALYZE)")
            server.ask("postgres", "DROP DATABASE round")
    return {
        (load, program): Taken(*map(statistics.median, zip(*taken[load, program], strict=True)))
        for load, program in itertools.product(files, TABLES)
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


def measure(server: Server, program: str, path: Path) -> Taken:
    """Load a file."""
    server.ask("round", "CHECKPOINT")
    before = server.ask("round", "SELECT pg_current_wal_lsn()")
    figures = process(server, "round", program, path)
    wal = server.ask("round", f"SELECT pg_current_wal_lsn() - '{before}'")
    return Taken(*map(float, (*figures, wal / 10**6)))


def process(server: Server, database: str, program: str, path: Path) -> tuple[str, ...]:
    """Run the program; the figures of its line."""
    what = ("--answers", str(path), "--url", server.libpq_url(database))
    command = [sys.executable, str(HERE / f"{program}.py"), *what]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = LINE.search(done.stdout.rstrip())
    return found.groups() if found else ()


def compare(server: Server, program: str, path: Path) -> None:
    """Exit unless the table holds exactly the rows of the file."""
    query = f"SELECT {', '.join(COLUMNS)} FROM {TABLES[program]} WHERE appid NOT LIKE '{HISTORY}%'"
    with closing(psycopg2.connect(server.libpq_url("round"))) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        stored, asked = (sorted(tuple(map(str, row)) for row in it) for it in (cursor, rows(path)))
    if stored != asked:
        raise SystemExit(f"{program} did not load the rows of {path}")


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
