"""
Compare the load with its limit: the same answers, on the same server, in turns.

Each round gives both programs a new database and the three loads of a shape: the first morning, the
next morning, and the same answers again. A load is a process of its own. Its rows are compared with
the answers. Before each load the database is vacuumed and analysed, as autovacuum does before the
next morning, and checkpointed. `load.py` calls `hold`.
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
FACT = "weixin.fact_article_total"
TABLES = {"limit": limit.TABLE, "load": FACT, "days": FACT}
"""The measured programs, and the table that each fills. `days` is `load` with account days."""
LINE = re.compile(r"seconds=(\S+) rows=\d+ peak_mb=(\d+)$")


class Taken(NamedTuple):
    """The time, memory and write-ahead log of a load."""

    seconds: float
    peak_mb: float
    wal_mb: float


@contextmanager
def server(binaries: Path | None = None) -> Iterator[Server]:
    """Run a temporary Postgres with default settings; by default the embedded one."""
    with tempfile.TemporaryDirectory(prefix="weixin-bench-") as directory:
        Path(directory).chmod(0o755)
        started = Server(Path(directory, "server"), binaries)
        try:
            started.start()
            yield started
        finally:
            started.stop()


def hold(shapes: Iterable[str], rounds: int, binaries: Path | None) -> None:
    """Measure all loads of the shapes, and print a table row for each."""
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
    """Return the medians of the rounds, by load and program."""
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
    return {key: Taken(*map(statistics.median, zip(*taken[key], strict=True))) for key in taken}


def measure(server: Server, program: str, path: Path) -> Taken:
    """Load a file, and return what the load took."""
    server.ask("round", "CHECKPOINT")
    before = server.ask("round", "SELECT pg_current_wal_lsn()")
    printed = process(server, program, path)
    wal = server.ask("round", f"SELECT pg_current_wal_lsn() - '{before}'")
    (figures,) = LINE.findall(printed)
    return Taken(*map(float, (*figures, wal / 10**6)))


def process(server: Server, program: str, path: Path) -> str:
    """Load a file in a process of its own, and return the line that it prints."""
    command = [sys.executable, LOAD, "--answers", str(path), "--url", server.libpq_url("round")]
    options = [] if program == "load" else [f"--{program}"]
    return subprocess.check_output([*command, *options], text=True).rstrip()


def compare(server: Server, program: str, path: Path) -> None:
    """Exit unless the table holds exactly the rows of the file."""
    with closing(psycopg2.connect(server.libpq_url("round"))) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLES[program]}")
        both = (cursor, rows(path))
        stored, expected = (sorted(tuple(map(str, row)) for row in found) for found in both)
    if stored != expected:
        raise SystemExit(f"{program} did not load the rows of {path}")
