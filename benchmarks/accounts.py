"""
What a morning costs with many accounts: the daily run through Airflow's scheduler.

    python benchmarks/accounts.py [--accounts 1 100 …] [--latency SECONDS] [--platform]

For each number of accounts it starts Airflow as `make up` does, and the sandbox in a process of its
own, in a folder of their own. The accounts are connections in Airflow's database and the Variable
`weixin_accounts`; with --platform they have authorised a third-party platform, the one connection
there is. Runs the DAG twice on the same day and prints for each run a row of a Markdown
table, then how long each task waited for its turn and how long it worked. The sandbox answers after
100 ms, with 10,000 accounts and more at once, so that our own cost shows. Fails unless a run is
green and the fact holds what the sandbox serves. Whatever was started is stopped, also by Ctrl-C.
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256
from multiprocessing.connection import Connection as Pipe
from typing import Any

import psutil
import sqlalchemy
from cryptography.fernet import Fernet
from rich.console import Console

from weixin_etl import clock, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.orchestration.settings import OPTIONS
from weixin_local import processes, stack
from weixin_local.api import AirflowApi
from weixin_local.environment import CONNECTION_VARIABLE, admin_password
from weixin_local.home import METADATA_DATABASE, WAREHOUSE_DATABASE, Home, find
from weixin_local.machine import choose_port
from weixin_local.progress import Steps
from weixin_local.stack import up
from weixin_sandbox import DEFAULT_COMPONENT, Account, Sandbox

ACCOUNTS = (1, 100, 1_000, 10_000)
LATENCY_SECONDS = 0.1
PLATFORM = "weixin_platform"
"""The connection of the platform."""
LATENCY_UP_TO = 1_000
"""With more accounts the answers come at once, unless `--latency` says otherwise."""

NO_ACCOUNT = '{"conn_type": "weixin"}'
"""A `weixin_default` that can't be used: the accounts come later."""

START_SECONDS = 120
STOP_SECONDS = 5
POLL_SECONDS = 0.25
STATS_SECONDS = 1.5
"""A backend of Postgres reports what it did at most once a second."""

ROLES = {"scheduler": "tasks", "api-server": "api"}
"""The parts of Airflow whose CPU time is told apart; tasks run below the scheduler."""

HEAD = (
    "accounts",
    "run",
    "other calls",
    "data calls",
    "rows",
    "run s",
    "calls/s",
    "bound s",
    "CPU s: tasks and scheduler",
    "warehouse",
    "API server",
    "Airflow's database",
    "sandbox",
    "peak MB of an ingest",
    "warehouse busy s",
    "no task at work s",
    "run ms per account",
    "CPU ms per account",
)
INSTANCES = sqlalchemy.text(
    """
    SELECT
        task_id,
        map_index,
        state,
        cast(extract(epoch FROM start_date - scheduled_dttm) AS float) AS waited,
        cast(extract(epoch FROM end_date - start_date) AS float) AS worked,
        cast(extract(epoch FROM start_date) AS float) AS began_at,
        cast(extract(epoch FROM end_date) AS float) AS ended_at
    FROM task_instance
    WHERE run_id = :run_id
    ORDER BY start_date
    """
)
RUN = sqlalchemy.text(
    """
    SELECT
        state,
        cast(extract(epoch FROM queued_at) AS float) AS queued_at,
        cast(extract(epoch FROM end_date) AS float) AS ended_at
    FROM dag_run WHERE run_id = :run_id
    """
)
CONNECT = sqlalchemy.text(
    """
    INSERT INTO connection (
        conn_id, conn_type, host, login, password, extra, is_encrypted, is_extra_encrypted
    )
    VALUES (:conn_id, 'weixin', :host, :login, :password, :extra, TRUE, TRUE)
    """
)
SET = sqlalchemy.text("INSERT INTO variable (key, val, is_encrypted) VALUES (:key, :val, TRUE)")
BUSY = sqlalchemy.text("SELECT active_time / 1000 FROM pg_stat_database WHERE datname = :name")
FACT = sqlalchemy.text(
    f"""
    SELECT appid, count(*), sum(int_page_read_count)
    FROM weixin.{ARTICLE_TOTAL.fact} GROUP BY appid
    """
)
CALLS = sqlalchemy.text(
    "SELECT coalesce(sum(calls), 0) FROM weixin.run_report WHERE run_id = :run_id"
)

Content = dict[str, tuple[int, int]]
"""Rows and reads of each account."""


class WrongError(Exception):
    """The run did not do what it is measured for. `str()` says what."""


def main() -> None:
    """Measure each number of accounts in a fresh installation."""
    parser = argparse.ArgumentParser(description="Measure the daily run with many accounts.")
    parser.add_argument("--accounts", type=int, nargs="+", default=ACCOUNTS, metavar="N")
    parser.add_argument("--latency", type=float, metavar="SECONDS")
    parser.add_argument("--minutes", type=float, default=30, help="that a run may take")
    parser.add_argument("--platform", action="store_true", help="the accounts of a platform")
    parser.add_argument("--runs", type=int, default=2, help="on the same day")
    parser.add_argument("--keep", action="store_true", help="leave the logs behind")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    console = Console(stderr=True)
    for count in options.accounts:
        is_slow = count <= LATENCY_UP_TO
        latency = options.latency if options.latency is not None else LATENCY_SECONDS * is_slow
        with installation(console, count, latency, options) as installed:
            for number in range(1, options.runs + 1):
                measure(installed, f"{number}.", options.minutes * 60)


# ------------------------------------------------------------------------------- what is measured


@dataclass(frozen=True)
class Installation:
    """Airflow at work, with accounts to collect from the sandbox."""

    home: Home
    api: AirflowApi
    sandbox: "SandboxProcess"
    count: int
    latency_seconds: float
    is_platform: bool

    @cached_property
    def metadata(self) -> sqlalchemy.Engine:
        """Airflow's own database."""
        return warehouse.engine(self.home.server.url(METADATA_DATABASE))

    @cached_property
    def warehouse(self) -> sqlalchemy.Engine:
        """The pipeline's."""
        return warehouse.engine(self.home.server.url(WAREHOUSE_DATABASE))


@contextmanager
def installation(
    console: Console, count: int, latency: float, options: argparse.Namespace
) -> Iterator[Installation]:
    """Everything started, as long as the block lasts."""
    os.environ["WEIXIN_HOME"] = tempfile.mkdtemp(prefix="weixin-accounts-")
    home = find()
    is_wanted = options.keep
    try:
        with SandboxProcess(count, latency, is_platform=options.platform) as sandbox:
            try:
                os.environ[CONNECTION_VARIABLE] = NO_ACCOUNT
                port = choose_port()
                up(home, port, Steps(console))
                api = AirflowApi(port, admin_password(home))
                api.log_in()
                installed = Installation(home, api, sandbox, count, latency, options.platform)
                wait_for_first_runs(installed)
                stop_schedule(installed)
                connect_accounts(installed)
                yield installed
            except BaseException:
                is_wanted = True
                raise
            finally:
                stack.stop(home)
                home.server.destroy()
    finally:
        if is_wanted:
            console.print(f"the logs are in {home.state}")
        else:
            shutil.rmtree(home.state, ignore_errors=True)


def wait_for_first_runs(installed: Installation) -> None:
    """Airflow makes a run of each DAG as it starts; without an account these ask for nothing."""
    deadline = time.monotonic() + START_SECONDS
    ended = sqlalchemy.text("SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')")
    while time.monotonic() < deadline:
        with installed.metadata.connect() as connection:
            if connection.execute(ended).scalar() == len(DATASETS):
                return
        time.sleep(POLL_SECONDS)
    raise WrongError(f"the runs that Airflow starts with have not ended after {START_SECONDS} s")


def stop_schedule(installed: Installation) -> None:
    """Keep 08:30 from making runs of its own; the DAG processor would set the time again."""
    recorded = processes.recorded(installed.home.processes)
    processes.stop([p for p in recorded if p.name == "dag-processor"], STOP_SECONDS)
    with installed.metadata.begin() as connection:
        connection.exec_driver_sql("UPDATE dag SET next_dagrun_create_after = NULL")


def accounts(count: int) -> list[Account]:
    """Accounts with secrets as WeChat makes them: 32 hexadecimal digits."""
    return [
        Account(f"wx{number:016x}", sha256(str(number).encode()).hexdigest()[:32], f"号{number}")
        for number in range(1, count + 1)
    ]


def connect_accounts(installed: Installation) -> None:
    """Store the accounts as Airflow does, encrypted by its key."""
    kept = json.loads((installed.home.airflow / "secrets.json").read_text())
    fernet = Fernet(kept["fernet_key"])

    def encrypted(text: str) -> str:
        return fernet.encrypt(text.encode()).decode()

    def described(conn_id: str, appid: str, secret: str, extra: dict[str, str]) -> dict[str, str]:
        return {
            "conn_id": conn_id,
            "host": installed.sandbox.base_url,
            "login": appid,
            "password": encrypted(secret),
            "extra": encrypted(json.dumps(extra)),
        }

    if installed.is_platform:
        component = DEFAULT_COMPONENT
        rows = [described(PLATFORM, component.appid, component.secret, {"mode": "platform"})]
    else:
        rows = [
            described(f"account_{number}", account.appid, account.secret, {"name": account.name})
            for number, account in enumerate(accounts(installed.count), start=1)
        ]
    variables = {
        "weixin_accounts": json.dumps([row["conn_id"] for row in rows]),
        f"{PLATFORM}_ticket": installed.sandbox.ticket,
    }
    with installed.metadata.begin() as connection:
        connection.execute(CONNECT, rows)
        connection.execute(
            SET, [{"key": key, "val": encrypted(text)} for key, text in variables.items()]
        )


def measure(installed: Installation, title: str, patience_seconds: float) -> None:
    """
    Run the DAG once, print what it cost, and verify what it brought.

    Raises:
        WrongError: it was red, took too long, or the fact is not what the sandbox serves.

    """
    day = clock.beijing_date(clock.now())
    calls_before = installed.sandbox.calls()
    busy_before = busy_seconds(installed)
    with Sampler(installed) as sampler:
        run_id = installed.api.trigger(ARTICLE_TOTAL.dag_id)
        state = wait(installed, run_id, patience_seconds)
    time.sleep(STATS_SECONDS)
    busy = busy_seconds(installed) - busy_before
    calls = installed.sandbox.calls()
    with installed.metadata.connect() as connection:
        run = connection.execute(RUN, {"run_id": run_id}).one()
        instances = connection.execute(INSTANCES, {"run_id": run_id}).all()
    made = calls - calls_before
    print_row(installed, title, run, instances, made, busy, sampler)
    print(", ".join(f"{count:,} {path}" for path, count in sorted(made.items())), end="\n\n")
    print_tasks(instances)
    if state != "success":
        failed = Counter(i.task_id for i in instances if i.state not in ("success", "skipped"))
        raise WrongError(f"the run is {state}: {dict(failed)}")
    verify(installed, run_id, day, made)


def wait(installed: Installation, run_id: str, patience_seconds: float) -> str:
    """The run's state when it has ended."""
    metadata = installed.metadata
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        with metadata.connect() as connection:
            state = str(connection.execute(RUN, {"run_id": run_id}).one().state)
        if state in ("success", "failed"):
            return state
        time.sleep(POLL_SECONDS)
    with metadata.connect() as connection:
        print_tasks(connection.execute(INSTANCES, {"run_id": run_id}).all())
    raise WrongError(f"the run has not ended after {patience_seconds / 60:g} minutes")


def verify(installed: Installation, run_id: str, day: date, calls: Counter[str]) -> None:
    """Compare the fact with the sandbox, account by account, and both sides' counts of calls."""
    if clock.beijing_date(clock.now()) != day:
        raise WrongError("midnight passed in Beijing during the run: measure again")
    with installed.warehouse.connect() as connection:
        stored = {appid: (rows, int(reads or 0)) for appid, rows, reads in connection.execute(FACT)}
        counted = connection.execute(CALLS, {"run_id": run_id}).scalar_one()
    served = installed.sandbox.content(day)
    wrong = [a for a in served.keys() | stored.keys() if served.get(a) != stored.get(a)]
    if wrong or not served:
        first = min(wrong, default="")
        raise WrongError(
            f"{len(wrong)} accounts differ, such as {first}: the sandbox serves "
            f"{served.get(first)}, the fact holds {stored.get(first)} (rows, reads)"
        )
    if counted != calls[ARTICLE_TOTAL.path]:
        asked = calls[ARTICLE_TOTAL.path]
        raise WrongError(f"the report says {counted} calls, the sandbox {asked}")


def busy_seconds(installed: Installation) -> float:
    """How long the warehouse's backends have worked on statements since it was made."""
    with installed.metadata.connect() as connection:
        return float(connection.execute(BUSY, {"name": WAREHOUSE_DATABASE}).scalar_one())


# ----------------------------------------------------------------------------------- how it prints


def print_row(
    installed: Installation,
    title: str,
    run: sqlalchemy.Row[Any],
    instances: Sequence[sqlalchemy.Row[Any]],
    calls: Counter[str],
    busy: float,
    sampler: "Sampler",
) -> None:
    """The run's row of the table."""
    with installed.warehouse.connect() as connection:
        rows = sum(count for _, count, _ in connection.execute(FACT))
    seconds = run.ended_at - run.queued_at
    data = calls[ARTICLE_TOTAL.path]
    cpu = sampler.cpu_seconds()
    concurrency = int(OPTIONS["concurrency"][1])
    in_flight = at_once([i for i in instances if i.task_id == "ingest"]) * concurrency
    ours = cpu["tasks"] + cpu["warehouse"] + cpu["api"] + cpu["metadata"]
    cells = (
        f"{installed.count:,}",
        f"{title} of the day",
        f"{calls.total() - data:,}",
        f"{data:,}",
        f"{rows:,}",
        f"{seconds:.1f}",
        f"{calls.total() / seconds:.0f}",
        f"{data * installed.latency_seconds / max(in_flight, 1):.1f} ({in_flight} calls)",
        f"{cpu['tasks']:.1f}",
        f"{cpu['warehouse']:.1f}",
        f"{cpu['api']:.1f}",
        f"{cpu['metadata']:.1f}",
        f"{cpu['sandbox']:.1f}",
        f"{sampler.peak_mb():.0f}",
        f"{busy:.1f}",
        f"{idle_seconds(run, instances):.1f}",
        f"{seconds / installed.count * 1000:.1f}",
        f"{ours / installed.count * 1000:.1f}",
    )
    print(f"\n| {' | '.join(HEAD)} |\n|{' ---: |' * len(HEAD)}\n| {' | '.join(cells)} |\n")


def print_tasks(instances: Sequence[sqlalchemy.Row[Any]]) -> None:
    """For each task how long it waited for its turn and how long it worked."""
    print("| task | instances | waited s (median, most) | worked s (median, most, together) |")
    print("| --- | ---: | ---: | ---: |")
    for task_id in dict.fromkeys(instance.task_id for instance in instances):
        of_task = [i for i in instances if i.task_id == task_id and i.worked is not None]
        if of_task:
            waited = sorted(instance.waited for instance in of_task)
            worked = sorted(instance.worked for instance in of_task)
            print(
                f"| {task_id} | {len(of_task)} | {waited[len(waited) // 2]:.1f}, {waited[-1]:.1f} "
                f"| {worked[len(worked) // 2]:.1f}, {worked[-1]:.1f}, {sum(worked):.1f} |"
            )
    print(flush=True)


def idle_seconds(run: sqlalchemy.Row[Any], instances: Sequence[sqlalchemy.Row[Any]]) -> float:
    """How long no task was at work between the run's request and its end."""
    idle, until = 0.0, run.queued_at
    for instance in instances:
        if instance.began_at is not None and instance.ended_at is not None:
            idle += max(0, instance.began_at - until)
            until = max(until, instance.ended_at)
    return idle + float(max(0, run.ended_at - until))


def at_once(instances: Sequence[sqlalchemy.Row[Any]]) -> int:
    """The most instances that were at work at the same time."""
    changes = sorted(
        change for i in instances if i.worked for change in ((i.began_at, 1), (i.ended_at, -1))
    )
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


# --------------------------------------------------------------------------- processor and memory


class Sampler:
    """Watches processes while a `with` block lasts: the CPU time of each part, peaks of memory."""

    _POSTGRES_BACKEND = re.compile(r"^postgres: \S+ (\S+) (127\.0\.0\.1|\[local\])")
    _TASK = re.compile(r"airflow worker -- (?P<ti>[0-9a-f]{8}-[0-9a-f-]+)$")

    def __init__(self, installed: Installation) -> None:
        self._installed = installed
        self._peaks: dict[str, int] = defaultdict(int)
        self._lasting: dict[int, float] = {}
        self._before: dict[str, float] = {}
        self._after: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Sampler":
        self._before = self._read()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._after = self._read()

    def cpu_seconds(self) -> dict[str, float]:
        """Of each part, ended children included, while the block lasted."""
        return {role: self._after[role] - self._before[role] for role in self._after}

    def peak_mb(self) -> float:
        """The highest memory (RSS) of a task that was an ingest."""
        with self._installed.metadata.connect() as connection:
            ingests = connection.execute(
                sqlalchemy.text("SELECT id::text FROM task_instance WHERE task_id = 'ingest'")
            ).scalars()
            return max((self._peaks[ti] for ti in ingests), default=0) / (1 << 20)

    def _sample(self) -> None:
        scheduler = next(
            p for p in processes.recorded(self._installed.home.processes) if p.name == "scheduler"
        )
        leader = psutil.Process(scheduler.session)
        while not self._stop.wait(POLL_SECONDS):
            for process in leader.children(recursive=True):
                with suppress(psutil.Error):
                    if found := self._TASK.search(" ".join(process.cmdline()).strip()):
                        rss = process.memory_info().rss
                        self._peaks[found["ti"]] = max(self._peaks[found["ti"]], rss)

    def _read(self) -> dict[str, float]:
        read = {"tasks": 0.0, "api": 0.0, "sandbox": 0.0, "metadata": 0.0, "warehouse": 0.0}
        for recorded in processes.recorded(self._installed.home.processes):
            if role := ROLES.get(recorded.name):
                read[role] += sum(map(_cpu_seconds, recorded.members()))
        read["sandbox"] = _cpu_seconds(psutil.Process(self._installed.sandbox.pid))
        server = psutil.Process(_postmaster(self._installed.home))
        every = [server, *server.children(recursive=True)]
        read["metadata"] = sum(map(self._of_metadata, every))
        # Airflow's own sessions last; the warehouse's end with their task, in the server's count
        read["warehouse"] = sum(map(_cpu_seconds, every)) - read["metadata"]
        return read

    def _of_metadata(self, process: psutil.Process) -> float:
        with suppress(psutil.Error):
            found = self._POSTGRES_BACKEND.match(" ".join(process.cmdline()))
            if found and found[1] == METADATA_DATABASE:
                return _cpu_seconds(process)
        return 0.0


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of its children that have ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _postmaster(home: Home) -> int:
    return int((home.server.directory / "data" / "postmaster.pid").read_text().split()[0])


# ------------------------------------------------------------------------------------- the sandbox


@dataclass
class SandboxProcess:
    """The sandbox in a process of its own, which ends with the `with` block or with its parent."""

    count: int
    latency_seconds: float
    is_platform: bool
    base_url: str = ""
    ticket: str = field(default="", repr=False)
    """The platform's `component_verify_ticket`."""
    pid: int = 0
    _pipe: Any = field(default=None, repr=False)
    _process: Any = field(default=None, repr=False)

    def __enter__(self) -> "SandboxProcess":
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve,
            args=(theirs, self.count, self.latency_seconds, self.is_platform),
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self.base_url, self.pid, self.ticket = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def calls(self) -> Counter[str]:
        """Calls answered so far, by path."""
        self._pipe.send(None)
        calls: Counter[str] = self._pipe.recv()
        return calls

    def content(self, day: date) -> Content:
        """What it serves on the day: of each account that has any, the rows and their reads."""
        self._pipe.send(day)
        content: Content = self._pipe.recv()
        return content


def serve(pipe: Pipe, count: int, latency_seconds: float, is_platform: bool) -> None:
    """Serve until the other end of the pipe is closed, and answer what it asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent closes the pipe
    sandbox = Sandbox(accounts=accounts(count), latency_seconds=latency_seconds)
    if is_platform:
        for account in accounts(count):
            sandbox.component.authorize(account)
    with sandbox.serve() as base_url, suppress(EOFError):
        pipe.send((base_url, os.getpid(), sandbox.component.ticket()))
        while True:
            asked = pipe.recv()
            if asked is None:
                answered = list(sandbox.calls)
                pipe.send(Counter(call.path for call in answered))
            else:
                pipe.send(_content(sandbox, asked))


def _content(sandbox: Sandbox, today: date) -> Content:
    days = [today - timedelta(days=age) for age in range(1, ARTICLE_TOTAL.window + 1)]
    content: Content = {}
    for appid in sandbox.accounts:
        rows = [
            row
            for day in days
            for article in json.loads(sandbox.answer(appid, day, today))["list"]
            for row in article["details"]
        ]
        if rows:
            content[appid] = len(rows), sum(row["int_page_read_count"] for row in rows)
    return content


if __name__ == "__main__":
    try:
        main()
    except WrongError as error:
        sys.exit(f"wrong: {error}")
