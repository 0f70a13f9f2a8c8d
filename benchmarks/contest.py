"""
A contest of loaders: the same answers, the same server, in turns.

Each round gives every contender a new copy of the database in which it has created its tables, and
the three loads of a shape: first morning, next morning, the same answers again. A load is a process
of its own. What it left is compared with the answers. Then the database is vacuumed and analysed,
as autovacuum does long before the next morning, and checkpointed.
"""

import hashlib
import itertools
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import psycopg2
from contender import COLUMNS, METRICS, TABLE, rows
from shapes import FETCHED_AT, write

from weixin_etl import clock
from weixin_local.postgres import Server

HERE = Path(__file__).parent
LINE = re.compile(r"seconds=(?P<seconds>\S+) rows=(?P<rows>\d+) peak_mb=(?P<peak_mb>\d+)$")
HISTORY = "history-"
"""What the accounts of rows that were there before are called."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that takes `--answers` and `--url`, and the table it fills."""

    name: str
    program: tuple[str | Path, ...]
    table: str = TABLE


OURS = Contender("ours", (sys.executable, HERE / "load.py"), "weixin.fact_article_total")
LIMIT = Contender("limit", (sys.executable, HERE / "limit.py"))


ENVIRONMENT = HERE.parent / ".venv-peers"
MODULES = f"{HERE}:{HERE.parent / 'plugins'}"
"""What the peers need of the project."""
PEERS = {
    "insert_rows": "apache-airflow-providers-postgres",
    "pandas_staging": "pandas",
}
"""The programs of `peers/`, each with the distribution it shows."""


def peer(name: str) -> Contender:
    """A program of `peers/`, named with its version."""
    installed = [str(path) for path in ENVIRONMENT.glob("lib/python*/site-packages")]
    (found,) = distributions(name=PEERS[name], path=installed)
    title = f"{name} ({found.name} {found.version})"
    return Contender(title, (ENVIRONMENT / "bin/python", HERE / "peers" / f"{name}.py"))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a load took."""

    seconds: float
    rows: int
    peak_mb: float
    wal_mb: float


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table: one contender's load in all rounds."""

    title: str
    load: str
    contender: str
    rounds: Sequence[Taken]

    def median(self, what: str) -> float:
        """Of the rounds."""
        return float(statistics.median(getattr(taken, what) for taken in self.rounds))


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


def hold(
    contenders: Sequence[Contender],
    runs: Iterable[tuple[str, int]],
    *,
    rounds: int,
    postgres: Path | None,
) -> None:
    """Print a table of the contenders with each shape, beside as many rows of other accounts."""
    with server(postgres) as started, tempfile.TemporaryDirectory() as scratch:
        contest = Contest(started, contenders, rounds, scratch)
        cases = [case for shape, history in runs for case in contest.run(shape, history)]
        print(f"{clock.now():%Y-%m-%d}, {contest.machine()}, medians of {rounds}\n")
    print(table(cases))


class Contest:
    """Contenders, a server, and a directory for what their processes keep for the next one."""

    def __init__(
        self, server: Server, contenders: Sequence[Contender], rounds: int, scratch: str
    ) -> None:
        self._server = server
        self._contenders = contenders
        self._rounds = rounds
        self._scratch = scratch

    def machine(self) -> str:
        """What the figures depend on."""
        processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        version = self._server.ask("postgres", "SHOW server_version").split()[0]
        return (
            f"{processor[1] if processor else platform.processor()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, PostgreSQL {version}"
        )

    def run(self, shape: str, history_rows: int) -> list[Case]:
        """Every contender's loads of the shape, beside as many rows of other accounts."""
        title = f"{shape} beside {history_rows:,} rows" if history_rows else shape
        rounds: dict[tuple[str, str], list[Taken]] = {
            (load, contender.name): [] for load in FETCHED_AT for contender in self._contenders
        }
        with tempfile.TemporaryDirectory() as folder:
            say(f"{title}: making the answers")
            files = write(shape, Path(folder))
            truths = {load: truth(path) for load, path in files.items()}
            with self._templates(title, history_rows):
                for number, contender, load, taken in self._turns(files, truths):
                    rounds[load, contender].append(taken)
                    say(f"{title}: round {number}, {contender}, {load}: {taken}")
        return [Case(title, load, contender, taken) for (load, contender), taken in rounds.items()]

    def _turns(
        self, files: Mapping[str, Path], truths: Mapping[str, str]
    ) -> Iterator[tuple[int, str, str, Taken]]:
        for number, contender in itertools.product(range(1, self._rounds + 1), self._contenders):
            with self._copied(contender) as database:
                for load, path in files.items():
                    taken = self._load(database, contender, path)
                    if self._content(database, contender) != truths[load]:
                        raise SystemExit(f"{contender.name} did not load the rows of {path}")
                    self._server.ask(database, "VACUUM (ANALYZE)")
                    yield number, contender.name, load, taken

    @contextmanager
    def _templates(self, title: str, history_rows: int) -> Iterator[None]:
        """For each contender a database with its tables, made by a file without answers."""
        for contender in self._contenders:
            say(f"{title}: tables of {contender.name}")
            database = _template(contender)
            self._server.create_database(database)
            self._process(database, contender, Path(os.devnull))
            if history_rows:
                self._server.ask(database, _history(contender.table, history_rows))
                self._server.ask(database, "VACUUM (ANALYZE)")
        yield
        for contender in self._contenders:
            self._server.ask("postgres", f'DROP DATABASE "{_template(contender)}"')

    @contextmanager
    def _copied(self, contender: Contender) -> Iterator[str]:
        template = _template(contender)
        self._server.ask(
            "postgres", f'CREATE DATABASE round TEMPLATE "{template}" STRATEGY file_copy'
        )
        yield "round"
        self._server.ask("postgres", "DROP DATABASE round")

    def _load(self, database: str, contender: Contender, path: Path) -> Taken:
        self._server.ask(database, "CHECKPOINT")
        wal_before = self._server.ask(database, "SELECT pg_current_wal_lsn()")
        line = self._process(database, contender, path)
        wal = self._server.ask(database, f"SELECT pg_current_wal_lsn() - '{wal_before}'")
        return Taken(
            float(line["seconds"]),
            int(line["rows"]),
            float(line["peak_mb"]),
            float(wal) / 1e6,
        )

    def _process(self, database: str, contender: Contender, path: Path) -> re.Match[str]:
        done = subprocess.run(
            [*contender.program, "--answers", path, "--url", self._server.libpq_url(database)],
            env={
                **os.environ,
                "TMPDIR": self._scratch,
                "PYTHONPATH": f"{HERE}:{HERE.parent}/plugins",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        line = LINE.search(done.stdout.rstrip())
        if done.returncode or not line:
            raise SystemExit(f"{contender.name} failed:\n{done.stdout}{done.stderr}")
        return line

    def _content(self, database: str, contender: Contender) -> str:
        with (
            closing(psycopg2.connect(self._server.libpq_url(database))) as connection,
            tempfile.TemporaryFile() as lines,
        ):
            connection.cursor().copy_expert(
                f"COPY (SELECT {', '.join(COLUMNS)} FROM {contender.table} "
                f"WHERE appid NOT LIKE '{HISTORY}%') TO STDOUT",
                lines,
            )
            lines.seek(0)
            return content(line.rstrip(b"\n") for line in lines)


def _template(contender: Contender) -> str:
    return f"{contender.name} before"


def _history(table: str, count: int) -> str:
    figures = ", ".join("number" for _ in METRICS)
    return f"""
        INSERT INTO {table} (
            appid, msgid, stat_date, publication_date, {", ".join(METRICS)},
            raw_response_id, fetched_at, changed_at
        )
        SELECT
            '{HISTORY}' || number % 500, number / 7 || '_1', DATE '2026-01-01' + number % 7,
            DATE '2026-01-01', {figures}, 1, now(), now()
        FROM generate_series(1, {count}) AS number
    """


def truth(path: Path) -> str:
    """What a table has to hold after the file."""
    lines = [
        "\t".join("\\N" if value is None else str(value) for value in row).encode()
        for row in rows(path)
    ]
    return content(lines)


def content(lines: Iterable[bytes]) -> str:
    """The number of lines, and a hash of them in order."""
    ordered = sorted(lines)
    digest = hashlib.sha256(b"\n".join(ordered)).hexdigest()
    return f"{len(ordered)} {digest}"


def table(cases: Sequence[Case]) -> str:
    """The cases in Markdown; each one's seconds also in units of the limit's."""
    limits = {
        (case.title, case.load): case.median("seconds")
        for case in cases
        if case.contender == LIMIT.name
    }
    lines = [
        "| answers | load | by | seconds | × limit | rows/s | WAL MB | peak MB |",
        "| --- | --- | --- | --: | --: | --: | --: | --: |",
    ]
    for case in cases:
        seconds = case.median("seconds")
        limit = limits.get((case.title, case.load))
        lines.append(
            f"| {case.title} | {case.load} | {case.contender} | {seconds:.3f} "
            f"| {f'{seconds / limit:.2f}' if limit else ''} | {case.median('rows') / seconds:,.0f} "
            f"| {case.median('wal_mb'):.1f} | {case.median('peak_mb'):.0f} |"
        )
    return "\n".join(lines)


def say(what: str) -> None:
    """A line of progress."""
    print(f"{clock.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)
