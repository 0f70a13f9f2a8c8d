"""
What a morning costs with many accounts: the daily run through Airflow's scheduler.

    python benchmarks/accounts.py [--accounts 1 100 …] [--datasets [NAME …]] [--latency SECONDS]
        [--runs 2]

For each number of accounts it starts Airflow as `make up` does, in a folder of its own, and serves
the sandbox itself. The accounts are connections in Airflow's database and the Variable
`weixin_accounts`. Runs the DAG of each dataset, with `--datasets` alone of all, twice on the same
day and prints for each run a row of a Markdown table. The sandbox answers after 100 ms: take
`--latency 0` with 10,000 accounts, so that our own cost shows. Fails unless a run is green and the
fact holds what the sandbox serves; then the logs stay. Whatever was started is stopped, also by
Ctrl-C.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256

import psutil
import sqlalchemy
from cryptography.fernet import Fernet

from weixin_etl import clock, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset, Rows
from weixin_local.home import (
    CONNECTION_VARIABLE,
    METADATA_DATABASE,
    WAREHOUSE_DATABASE,
    Home,
    find,
)
from weixin_local.machine import choose_port
from weixin_local.up import COMPONENTS
from weixin_sandbox import Account, Sandbox

ACCOUNTS = (1, 100, 1_000)
NO_ACCOUNT = '{"conn_type": "weixin"}'
"""A `weixin_default` that can't be used: the accounts come later."""

START_SECONDS = 600
POLL_SECONDS = 0.25
RUN_SECONDS = 1800

HEAD = (
    "dataset | accounts | run | other calls | data calls | rows | run s | calls/s "
    "| CPU s: tasks and scheduler | API server | Postgres | sandbox "
    "| run ms per account | CPU ms per account"
)
ENDED = "SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')"
RUN = sqlalchemy.text(
    """
    SELECT state, cast(extract(epoch FROM end_date - queued_at) AS float) AS seconds
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
CALLS = sqlalchemy.text(
    "SELECT coalesce(sum(calls), 0) FROM weixin.run_report WHERE run_id = :run_id"
)

Content = dict[str, tuple[int, int]]  # rows of each account, and the sum of a figure


def main() -> None:
    """Measure each number of accounts in a fresh installation."""
    parser = argparse.ArgumentParser(description="Measure the daily run with many accounts.")
    parser.add_argument("--accounts", type=int, nargs="+", default=ACCOUNTS, metavar="N")
    parser.add_argument(
        "--datasets", nargs="*", default=[ARTICLE_TOTAL.name], choices=[*DATASETS], metavar="NAME"
    )
    parser.add_argument("--latency", type=float, default=0.1, metavar="SECONDS")
    parser.add_argument("--runs", type=int, default=2, help="on the same day")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    for count in options.accounts:
        with installation(count, options.latency) as installed:
            for name in options.datasets or DATASETS:
                unpause(installed, DATASETS[name])
                for number in range(1, options.runs + 1):
                    measure(installed, DATASETS[name], f"{number}.")


@dataclass(frozen=True)
class Installation:
    """Airflow at work, with accounts to collect from the sandbox."""

    home: Home
    command: psutil.Process
    """`make up`, whose children Airflow's components are."""
    sandbox: Sandbox
    base_url: str

    @cached_property
    def metadata(self) -> sqlalchemy.Engine:
        """Airflow's own database."""
        return warehouse.engine(self.home.server.url(METADATA_DATABASE))

    @cached_property
    def warehouse(self) -> sqlalchemy.Engine:
        """The pipeline's."""
        return warehouse.engine(self.home.server.url(WAREHOUSE_DATABASE))

    def component(self, name: str) -> psutil.Process:
        """One of Airflow's."""
        started = sorted(self.command.children(), key=psutil.Process.create_time)
        return started[[*COMPONENTS].index(name)]

    def trigger(self, dag_id: str) -> str:
        """Start a run; its id."""
        run_id = f"{dag_id}-{time.time_ns()}"
        local = [sys.executable, "-m", "weixin_local", "airflow", "dags", "trigger", dag_id]
        environment = {**os.environ, CONNECTION_VARIABLE: NO_ACCOUNT}
        subprocess.run(
            [*local, "--run-id", run_id], env=environment, stdout=subprocess.DEVNULL, check=True
        )
        return run_id


@contextmanager
def installation(count: int, latency: float) -> Iterator[Installation]:
    """Everything started, as long as the block lasts; the logs stay if it fails."""
    os.environ["WEIXIN_HOME"] = tempfile.mkdtemp(prefix="weixin-accounts-")
    home = find()
    sandbox = Sandbox(accounts=accounts(count), latency_seconds=latency)
    command = [sys.executable, "-m", "weixin_local", "up", "--port", str(choose_port())]
    log = home.logs / "up.log"
    with sandbox.serve() as base_url, log.open("w") as output:
        environment = {**os.environ, CONNECTION_VARIABLE: NO_ACCOUNT}
        up = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            wait_until(
                lambda: up.poll() is not None or "  password" in log.read_text(), "the start"
            )
            installed = Installation(home, psutil.Process(up.pid), sandbox, base_url)
            # Airflow makes a run of each DAG as it starts; without an account these ask for nothing
            awake = [it for it in DATASETS.values() if not it.is_optional]
            wait_until(lambda: ended_runs(installed) == len(awake), "the first runs")
            stop_schedule(installed)
            connect_accounts(installed)
            yield installed
        except BaseException:
            sys.stderr.write(f"the logs are in {home.state}\n")
            raise
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()
    home.server.destroy()
    shutil.rmtree(home.state)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll; exit if it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not over after {seconds} s")
        time.sleep(POLL_SECONDS)


def ended_runs(installed: Installation) -> int:
    """How many runs have ended."""
    with installed.metadata.connect() as connection:
        return int(connection.exec_driver_sql(ENDED).scalar_one())


def stop_schedule(installed: Installation) -> None:
    """Keep 08:30 from making runs of its own: the DAG processor would set the time again."""
    installed.component("dag-processor").suspend()
    with installed.metadata.begin() as connection:
        connection.exec_driver_sql("UPDATE dag SET next_dagrun_create_after = NULL")


def unpause(installed: Installation, dataset: Dataset) -> None:
    """Let its runs start: an optional DAG waits for that. It makes none by itself."""
    with installed.metadata.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE dag SET is_paused = FALSE WHERE dag_id = %s", (dataset.dag_id,)
        )


def accounts(count: int) -> list[Account]:
    """Accounts with secrets as WeChat makes them: 32 hexadecimal digits."""
    return [
        Account(f"wx{number:016x}", sha256(str(number).encode()).hexdigest()[:32], f"号{number}")
        for number in range(1, count + 1)
    ]


def connect_accounts(installed: Installation) -> None:
    """Store the accounts as Airflow does, encrypted by its key."""
    settings = ConfigParser(interpolation=None)
    settings.read(installed.home.airflow / "airflow.cfg")
    fernet = Fernet(settings["core"]["fernet_key"])

    def encrypted(text: str) -> str:
        return fernet.encrypt(text.encode()).decode()

    rows = [
        {
            "conn_id": f"account_{number}",
            "host": installed.base_url,
            "login": account.appid,
            "password": encrypted(account.secret),
            "extra": encrypted(json.dumps({"name": account.name})),
        }
        for number, account in enumerate(installed.sandbox.accounts.values(), start=1)
    ]
    conn_ids = encrypted(json.dumps([row["conn_id"] for row in rows]))
    with installed.metadata.begin() as connection:
        connection.execute(CONNECT, rows)
        connection.execute(SET, {"key": "weixin_accounts", "val": conn_ids})


def measure(installed: Installation, dataset: Dataset, title: str) -> None:
    """
    Run the DAG once, print what it cost, and verify what it brought.

    Exits if it was red, took too long, or the fact is not what the sandbox serves.
    """
    day = clock.beijing_date(clock.now())
    calls_before = len(installed.sandbox.calls)
    cpu_before = cpu_seconds(installed)
    run_id = installed.trigger(dataset.dag_id)
    state = wait(installed, run_id)
    cpu = {role: spent - cpu_before[role] for role, spent in cpu_seconds(installed).items()}
    made = Counter(call.path for call in installed.sandbox.calls[calls_before:])
    with installed.metadata.connect() as connection:
        seconds = connection.execute(RUN, {"run_id": run_id}).one().seconds
    print_row(installed, dataset, title, seconds, made, cpu)
    print(", ".join(f"{count:,} {path}" for path, count in sorted(made.items())), end="\n\n")
    if state != "success":
        sys.exit(f"the run is {state}")
    verify(installed, dataset, run_id, day, made)


def wait(installed: Installation, run_id: str) -> str:
    """The run's state when it has ended."""

    def state() -> str:
        with installed.metadata.connect() as connection:
            return str(connection.execute(RUN, {"run_id": run_id}).one().state)

    wait_until(lambda: state() in ("success", "failed"), "the run", RUN_SECONDS)
    return state()


def verify(
    installed: Installation, dataset: Dataset, run_id: str, day: date, calls: Counter[str]
) -> None:
    """Compare the fact with the sandbox, account by account, and both sides' counts of calls."""
    if clock.beijing_date(clock.now()) != day:
        sys.exit("midnight passed in Beijing during the run: measure again")
    with installed.warehouse.connect() as connection:
        stored = {
            appid: (rows, int(figure or 0))
            for appid, rows, figure in connection.execute(fact(dataset))
        }
        counted = connection.execute(CALLS, {"run_id": run_id}).scalar_one()
    served = content(installed.sandbox, dataset, day)
    wrong = [a for a in served.keys() | stored.keys() if served.get(a) != stored.get(a)]
    if wrong or not served:
        first = min(wrong, default="")
        sys.exit(
            f"{len(wrong)} accounts differ, such as {first}: the sandbox serves "
            f"{served.get(first)}, the fact holds {stored.get(first)} (rows, sum of a figure)"
        )
    if counted != calls[dataset.path]:
        asked = calls[dataset.path]
        sys.exit(f"the report says {counted} calls, the sandbox {asked}")


def fact(dataset: Dataset) -> sqlalchemy.TextClause:
    """What the warehouse holds, as `content`."""
    return sqlalchemy.text(
        f"SELECT appid, count(*), sum({figure(dataset)}) FROM weixin.{dataset.fact} GROUP BY appid"
    )


def figure(dataset: Dataset) -> str:
    """The metric that is added up."""
    return dataset.readers or dataset.figures[0].name


def content(sandbox: Sandbox, dataset: Dataset, today: date) -> Content:
    """What it serves on the day: of each account that has any, the rows and the figure's sum."""
    days = [today - timedelta(days=age) for age in range(1, dataset.window + 1)]
    found: Content = {}
    for appid in sandbox.accounts:
        items = [
            item
            for day in days
            for item in json.loads(sandbox.answer(appid, day, today, dataset.endpoint))["list"]
        ]
        rows = [it[dataset.rows_key] if dataset.rows_key else it for it in items]
        if dataset.rows_in is Rows.LIST:
            rows = [row for of_item in rows for row in of_item]
        if rows:
            found[appid] = len(rows), sum(row[figure(dataset)] for row in rows)
    return found


def print_row(
    installed: Installation,
    dataset: Dataset,
    title: str,
    seconds: float,
    calls: Counter[str],
    cpu: Mapping[str, float],
) -> None:
    """The run's row of the table."""
    with installed.warehouse.connect() as connection:
        rows = sum(of_account for _, of_account, _ in connection.execute(fact(dataset)))
    count, data = len(installed.sandbox.accounts), calls[dataset.path]
    ours = cpu["tasks"] + cpu["api"] + cpu["postgres"]
    cells = (
        dataset.name,
        f"{count:,}",
        f"{title} of the day",
        f"{calls.total() - data:,}",
        f"{data:,}",
        f"{rows:,}",
        f"{seconds:.1f}",
        f"{calls.total() / seconds:.0f}",
        *(f"{cpu[role]:.1f}" for role in ("tasks", "api", "postgres", "sandbox")),
        f"{seconds / count * 1000:.1f}",
        f"{ours / count * 1000:.1f}",
    )
    print(f"\n| {HEAD} |\n|{' ---: |' * len(cells)}\n| {' | '.join(cells)} |\n")


def cpu_seconds(installed: Installation) -> dict[str, float]:
    """Of each part since it was started, ended children included."""
    lock = installed.home.server.directory / "data/postmaster.pid"
    roots = {
        "tasks": installed.component("scheduler"),  # they run below it
        "api": installed.component("api-server"),
        "postgres": psutil.Process(int(lock.read_text().split()[0])),
    }
    spent = {
        role: sum(map(_cpu_seconds, [root, *root.children(recursive=True)]))
        for role, root in roots.items()
    }
    return {**spent, "sandbox": _cpu_seconds(psutil.Process())}


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of its children that have ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


if __name__ == "__main__":
    main()
