"""
Measure the daily run through Airflow's scheduler with many accounts.

    python benchmarks/accounts.py [--accounts 1 100 …] [--datasets NAME …] [--latency SECONDS]

For each number of accounts it starts Airflow as `make up` does, in a folder of its own, and serves
the sandbox itself. The accounts are connections in Airflow's database and the Variable
`weixin_accounts`. It runs each DAG twice on the same day and prints a row of a Markdown table for
each run. It exits with an error if a run fails. By default the sandbox answers after 100 ms. Take
`--latency 0` with 10,000 accounts, so that the pipeline's own cost shows. Do not run it over 08:30
or midnight in Beijing, because another run or another day would begin.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_local.home import CONNECTION_VARIABLE, WAREHOUSE_DATABASE, Home, find
from weixin_local.postgres import METADATA_DATABASE
from weixin_sandbox import Account, Sandbox

LOCAL = [sys.executable, "-m", "weixin_local"]

HEAD = "dataset | accounts | run | other calls | data calls | rows | run s | CPU ms per account"
ENDED = "SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')"
STATE = "SELECT state FROM dag_run WHERE run_id = '{}'"
SECONDS = "SELECT extract(epoch FROM end_date - queued_at)::float FROM dag_run WHERE run_id = '{}'"
CALLS = "SELECT coalesce(sum(calls), 0) FROM weixin.run_report WHERE run_id = '{}'"


def main() -> None:
    """Measure each number of accounts in a new installation."""
    parser = argparse.ArgumentParser(description="Measure the daily run with many accounts.")
    parser.add_argument("--accounts", type=int, nargs="+", default=(1, 100, 1_000), metavar="N")
    parser.add_argument("--datasets", nargs="+", default=[ARTICLE_TOTAL.name], choices=DATASETS)
    parser.add_argument("--latency", type=float, default=0.1, metavar="SECONDS")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    for count in options.accounts:
        with installation(count, options.latency) as installed:
            for dataset in map(DATASETS.__getitem__, options.datasets):
                installed.airflow("dags", "unpause", dataset.dag_id)
                for number in (1, 2):
                    measure(installed, dataset, f"{number}. of the day")


@dataclass(frozen=True)
class Installation:
    """A running Airflow, and the sandbox with its accounts."""

    home: Home
    command: psutil.Process
    """The process of `make up`; its children are Airflow's components."""
    sandbox: Sandbox

    def ask(self, sql: str, database: str = METADATA_DATABASE) -> Any:
        """Return the first value of a query."""
        return self.home.server.ask(database, sql)

    def airflow(self, *arguments: str) -> None:
        """Run one of Airflow's own commands."""
        command = [*LOCAL, "airflow", *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of Airflow's components, their tasks and Postgres so far."""
        lock = self.home.server.directory / "data/postmaster.pid"
        postgres = psutil.Process(int(lock.read_text().split()[0]))
        started = [*self.command.children(), postgres]
        children = [child for root in started for child in root.children(recursive=True)]
        return sum(map(cpu_seconds, {*started, *children}))


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of its ended children; 0 if the process has ended."""
    with suppress(psutil.Error):
        return float(sum(process.cpu_times()[:4]))
    return 0.0


@contextmanager
def installation(count: int, latency: float) -> Iterator[Installation]:
    """Run an installation during the block; keep its folder with the logs if the block fails."""
    os.environ["WEIXIN_HOME"] = tempfile.mkdtemp(prefix="weixin-accounts-")
    # an unusable `weixin_default`, because the accounts are imported later
    os.environ[CONNECTION_VARIABLE] = '{"conn_type": "weixin"}'
    home = find()
    sandbox = Sandbox(accounts=accounts(count), latency_seconds=latency)
    log = home.state / "up.log"
    with sandbox.serve() as base_url, log.open("w") as output:
        command = [*LOCAL, "up", "--port", "18080"]
        up = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until(lambda: up.poll() is not None or "  password" in log.read_text())
            installed = Installation(home, psutil.Process(up.pid), sandbox)
            # Airflow creates a run of each DAG at its start; without accounts it asks for nothing
            unpaused = sum(not dataset.is_optional for dataset in DATASETS.values())
            wait_until(lambda: installed.ask(ENDED) == unpaused)
            connect_accounts(installed, base_url)
            yield installed
        except BaseException:
            sys.stderr.write(f"the logs are in {home.state}\n")
            raise
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()
    home.server.stop()
    shutil.rmtree(home.state)


def wait_until(is_reached: Callable[[], bool], seconds: float = 1800) -> None:
    """Wait until the condition is reached; exit if that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_reached():
        if time.monotonic() > deadline:
            sys.exit(f"not over after {seconds} s")
        time.sleep(0.25)


def accounts(count: int) -> list[Account]:
    """Return accounts with secrets of 32 hexadecimal digits, as WeChat has them."""
    return [
        Account(f"wx{number:016x}", sha256(str(number).encode()).hexdigest()[:32], f"号{number}")
        for number in range(1, count + 1)
    ]


def connect_accounts(installed: Installation, base_url: str) -> None:
    """Import the accounts into Airflow's database as connections, encrypted by Airflow's key."""
    connections = {
        f"account_{number}": {
            **{"conn_type": "weixin", "host": base_url},
            **{"login": account.appid, "password": account.secret},
            "extra": {"name": account.name},
        }
        for number, account in enumerate(installed.sandbox.accounts.values(), start=1)
    }
    contents = {"connections": connections, "variables": {"weixin_accounts": [*connections]}}
    for kind, content in contents.items():
        path = Path(installed.home.state, f"{kind}.json")
        path.write_text(json.dumps(content))
        installed.airflow(kind, "import", str(path))


def measure(installed: Installation, dataset: Dataset, title: str) -> None:
    """Run the DAG once and print its cost; exit if it fails or its report misses calls."""
    calls_before, cpu_before = len(installed.sandbox.calls), installed.cpu_seconds()
    run_id = f"{dataset.dag_id}-{time.time_ns()}"
    installed.airflow("dags", "trigger", dataset.dag_id, "--run-id", run_id)
    wait_until(lambda: installed.ask(STATE.format(run_id)) in ("success", "failed"))
    seconds = installed.ask(SECONDS.format(run_id))
    cpu = installed.cpu_seconds() - cpu_before
    made = Counter(call.path for call in installed.sandbox.calls[calls_before:])
    count, data = len(installed.sandbox.accounts), made[dataset.path]
    rows = installed.ask(f"SELECT count(*) FROM weixin.{dataset.fact}", WAREHOUSE_DATABASE)
    cells = (
        *(dataset.name, f"{count:,}", title),
        *(f"{made.total() - data:,}", f"{data:,}", f"{rows:,}"),
        *(f"{seconds:.1f}", f"{cpu / count * 1000:.1f}"),
    )
    print(f"\n| {HEAD} |\n|{' ---: |' * len(cells)}\n| {' | '.join(cells)} |\n")
    state = installed.ask(STATE.format(run_id))
    reported = installed.ask(CALLS.format(run_id), WAREHOUSE_DATABASE)
    if state != "success" or reported != data:
        sys.exit(f"{state}; {reported} of {data} calls")


if __name__ == "__main__":
    main()
