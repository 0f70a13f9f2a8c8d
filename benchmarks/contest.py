"""
The load beside its limit: the same answers, the same server, in turns.

Each round gives both a new database and the three loads of a shape: first morning, next morning,
the same answers again. A load is a process of its own. What it left is compared with the answers.
Then the database is vacuumed and analysed, as autovacuum does long before the next morning, and
checkpointed.
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
from answers import COLUMNS, rows, write

from weixin_local.postgres import Server

LOAD = str(Path(__file__).with_name("load.py"))
TABLES = {"limit": limit.TABLE, "load": "weixin.fact_article_total"}
"""What is measured, and the table that each fills."""
LINE = re.compile(r"seconds=(\S+) rows=\d+ peak_mb=(\d+)$")


class Taken(NamedTuple):
    """What a load took."""

    seconds: float
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


def hold(shapes: Iterable[str], rounds: int, binaries: Path | None) -> None:
    """Print a row for each load of each shape."""
    with server(binaries) as started:
        print(f"PostgreSQL {started.ask('postgres', 'SHOW server_version')}, {rounds} rounds\n")
        print("| answers | load | by | seconds | × limit | WAL MB | peak MB |")
        print("| --- | --- | --- | --: | --: | --: | --: |")
        for shape in shapes:
            medians = measured(started, shape, rounds)
            for (load, program), taken in medians.items():
                times = taken.seconds / medians[load, "limit"].seconds
                print(
                    f"| {shape} | {load} | {program} | {taken.seconds:.4f} | {times:.2f} "
                    f"| {taken.wal_mb:.1f} | {taken.peak_mb:.0f} |"
                )


def measured(server: Server, shape: str, rounds: int) -> dict[tuple[str, str], Taken]:
    """The medians, by load and program."""
    taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        files = write(shape, Path(folder))
        for _, program in itertools.product(range(rounds), TABLES):
            server.create_database("round")
            for name in TABLES:
                process(server, name, Path(os.devnull))  # creates the tables
            for load, path in files.items():
                server.ask("round", "VACUUM (ANALYZE)")
                taken[load, program].append(measure(server, program, path))
                compare(server, program, path)
            server.ask("postgres", "DROP DATABASE round")
    return {it: Taken(*map(statistics.median, zip(*taken[it], strict=True))) for it in taken}


def measure(server: Server, program: str, path: Path) -> Taken:
    """Load a file."""
    server.ask("round", "CHECKPOINT")
    before = server.ask("round", "SELECT pg_current_wal_lsn()")
    printed = process(server, program, path)
    wal = server.ask("round", f"SELECT pg_current_wal_lsn() - '{before}'")
    (figures,) = LINE.findall(printed)
    return Taken(*map(float, (*figures, wal / 10**6)))


def process(server: Server, program: str, path: Path) -> str:
    """Load a file in a process of its own; the line it prints."""
    command = [sys.executable, LOAD, "--answers", str(path), "--url", server.libpq_url("round")]
    by = ["--limit"] if program == "limit" else []
    return subprocess.check_output([*command, *by], text=True).rstrip()


def compare(server: Server, program: str, path: Path) -> None:
    """Exit unless the table holds exactly the rows of the file."""
    with closing(psycopg2.connect(server.libpq_url("round"))) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLES[program]}")
        stored, asked = (sorted(tuple(map(str, row)) for row in it) for it in (cursor, rows(path)))
    if stored != asked:
        raise SystemExit(f"{program} did not load the rows of {path}")
