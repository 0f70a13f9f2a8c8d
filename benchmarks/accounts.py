"""
What a morning costs with many accounts: the daily run through Airflow's scheduler.

    python benchmarks/accounts.py [--accounts 1 100 …] [--datasets NAME …] [--latency SECONDS]

For each number of accounts it starts Airflow as `make up` does, in a folder of its own, and serves
the sandbox itself. The accounts are connections in Airflow's database and the Variable
`weixin_accounts`. Runs each DAG twice on the same day and prints for each run a row of a Markdown
table. The sandbox answers after 100 ms: take `--latency 0` with 10,000 accounts, so that our own
cost shows. Fails unless a run is green. Not to be run over 08:30 or midnight in Beijing: another
run would begin, or another day.
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
from weixin_local.home import CONNECTION_VARIABLE, METADATA_DATABASE, WAREHOUSE_DATABASE, Home, find
from weixin_sandbox import Account, Sandbox

LOCAL = [sys.executable, "-m", "weixin_local"]

HEAD = "dataset | accounts | run | other calls | data calls | rows | run s | CPU ms per account"
ENDED = "SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')"
STATE = "SELECT state FROM dag_run WHERE run_id = '{}'"
SECONDS = "SELECT extract(epoch FROM end_date - queued_at)::float FROM dag_run WHERE run_id = '{}'"
CALLS = "SELECT coalesce(sum(calls), 0) FROM weixin.run_report WHERE run_id = '{}'"


def main() -> None:
    """Measure each number of accounts in a fresh installation."""
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
    """Airflow at work, with accounts to collect from the sandbox."""

    home: Home
    command: psutil.Process
    """`make up`, whose children Airflow's components are."""
    sandbox: Sandbox

    def ask(self, sql: str, database: str = METADATA_DATABASE) -> Any:
        """The first value that a database answers."""
        return self.home.server.ask(database, sql)

    def airflow(self, *arguments: str) -> None:
        """Run a command of Airflow's own."""
        command = [*LOCAL, "airflow", *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def cpu_seconds(self) -> float:
        """Of Airflow's components and their tasks, and of Postgres, since they were started."""
        lock = self.home.server.directory / "data/postmaster.pid"
        postgres = psutil.Process(int(lock.read_text().split()[0]))
        started = [*self.command.children(), postgres]
        below = [it for root in started for it in root.children(recursive=True)]
        return sum(map(cpu_seconds, {*started, *below}))


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of its children that have ended."""
    with suppress(psutil.Error):
        return float(sum(process.cpu_times()[:4]))
    return 0.0


@contextmanager
def installation(count: int, latency: float) -> Iterator[Installation]:
    """Everything started, as long as the block lasts; the logs stay if it fails."""
    os.environ["WEIXIN_HOME"] = tempfile.mkdtemp(prefix="weixin-accounts-")
    # a `weixin_default` that can't be used: the accounts come later
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
            # Airflow makes a run of each DAG as it starts; without an account these ask for nothing
            awake = sum(not it.is_optional for it in DATASETS.values())
            wait_until(lambda: installed.ask(ENDED) == awake)
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


def wait_until(is_so: Callable[[], bool], seconds: float = 1800) -> None:
    """Poll; exit if it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"not over after {seconds} s")
        time.sleep(0.25)


def accounts(count: int) -> list[Account]:
    """Accounts with secrets as WeChat makes them: 32 hexadecimal digits."""
    return [
        Account(f"wx{number:016x}", sha256(str(number).encode()).hexdigest()[:32], f"号{number}")
        for number in range(1, count + 1)
    ]


def connect_accounts(installed: Installation, base_url: str) -> None:
    """Store the accounts as Airflow does, encrypted by its key."""
    connections = {
        f"account_{number}": {
            **{"conn_type": "weixin", "host": base_url},
            **{"login": it.appid, "password": it.secret, "extra": {"name": it.name}},
        }
        for number, it in enumerate(installed.sandbox.accounts.values(), start=1)
    }
    contents = {"connections": connections, "variables": {"weixin_accounts": [*connections]}}
    for kind, content in contents.items():
        path = Path(installed.home.state, f"{kind}.json")
        path.write_text(json.dumps(content))
        installed.airflow(kind, "import", str(path))


def measure(installed: Installation, dataset: Dataset, title: str) -> None:
    """Run the DAG once and print what it cost; it must be green, with every call told."""
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
    told = installed.ask(CALLS.format(run_id), WAREHOUSE_DATABASE)
    if state != "success" or told != data:
        sys.exit(f"{state}; {told} of {data} calls")


if __name__ == "__main__":
    main()
