"""
What only a running Airflow shows: the deadline of a scheduled run, metrics, and a killed task.

Its deadline is a minute after 08:30, so the run that `make up` lets Airflow make has missed it.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from people import Person
from receivers import Receiver
from rest import Rest

from weixin_local import machine
from weixin_local.environment import admin_password, connection
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Watched:
    """A running Airflow, with whoever is told and whatever its metrics are sent to."""

    person: Person
    rest: Rest
    receiver: Receiver
    sandbox: Sandbox
    metrics: set[str]

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, (self.receiver.messages, self.metrics)
            time.sleep(0.2)

    def about(self, dag_id: str, title: str) -> list[dict[str, Any]]:
        """The messages with these words that link to a run of the DAG."""
        return [
            message
            for message in self.receiver.messages
            if title in message["title"] and f"/dags/{dag_id}/" in message["message"]
        ]

    def asked(self) -> int:
        """How many calls of `ingest` the sandbox has met."""
        return sum(call.path.startswith("/datacube/") for call in self.sandbox.calls)

    def scheduled(self) -> dict[str, str]:
        """The run that Airflow made by itself."""
        runs = self.rest("GET", f"dags/{DAG}/dagRuns?run_type=scheduled")["dag_runs"]
        return runs[0] if runs else {"state": ""}


@contextmanager
def kept(statsd: socket.socket, metrics: set[str]) -> Iterator[None]:
    """What a StatsD receiver is sent, as `name:value`, until the block ends."""
    has_ended = threading.Event()

    def listen() -> None:
        while not has_ended.is_set():
            with suppress(TimeoutError):
                metrics.update(statsd.recv(65536).decode().splitlines())

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()
        statsd.close()


@pytest.fixture(scope="module")
def watched(person: Person) -> Iterator[Watched]:
    """It runs, with the real clock; the sandbox takes its time for the first answers."""
    sandbox = Sandbox()
    statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    statsd.bind(("127.0.0.1", 0))
    statsd.settimeout(0.5)
    port = machine.choose_port()
    metrics: set[str] = set()
    with (
        sandbox.serve() as base_url,
        Receiver().listening() as receiver,
        kept(statsd, metrics),
    ):
        account = DEFAULT_ACCOUNT
        said = person.weixin(
            "up",
            "--port",
            str(port),
            AIRFLOW_CONN_WEIXIN_DEFAULT=connection(
                account.appid, account.secret, base_url, name=account.name
            ),
            AIRFLOW_CONN_WEIXIN_ALERTS=receiver.connection,
            AIRFLOW__WEIXIN__DEADLINE_HOUR="08:31",
            AIRFLOW__WEIXIN__RETRIES="0",
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
            AIRFLOW__METRICS__STATSD_PORT=str(statsd.getsockname()[1]),
        )
        assert said.returncode == 0, said.stdout + said.stderr
        rest = Rest(port, admin_password(person.home))
        yield Watched(person, rest, receiver, sandbox, metrics)


def test_a_run_that_misses_its_deadline_is_told_and_so_is_its_end(watched: Watched) -> None:
    """Once each; the message links to the run."""
    late = "weixin-etl: the daily run is late"
    watched.until(lambda: len(watched.about(DAG, "the daily run is late")) == 2)

    begun, over = watched.about(DAG, "the daily run is late")
    assert (begun["title"], over["title"]) == (late, "weixin-etl: over: the daily run is late")
    assert begun["message"].endswith(
        f"/dags/{DAG}/runs/scheduled__"
        + quote(watched.scheduled()["logical_date"][:10])
        + "T00%3A30%3A00%2B00%3A00"
    )


def test_the_runs_counts_and_the_freshness_are_metrics(watched: Watched) -> None:
    """Their names say the dataset and the account, because StatsD drops tags."""
    watched.until(lambda: watched.scheduled()["state"] == "success")
    name = "airflow.weixin.article_total"
    watched.until(lambda: any(f"{name}.freshness_hours:" in it for it in watched.metrics))

    [inserted] = [it for it in watched.metrics if it.startswith(f"{name}.rows.inserted:")]
    assert inserted != f"{name}.rows.inserted:0|g"
    assert f"{name}.pairs.not_in:0|g" in watched.metrics
    fresh = {it.split(":")[0] for it in watched.metrics if "freshness_hours" in it}
    assert {f"{name}.freshness_hours", f"{name}.freshness_hours.{DEFAULT_ACCOUNT.appid}"} <= fresh


def test_a_task_that_was_killed_is_told_by_the_check(watched: Watched) -> None:
    """Nothing of the task could: `check` runs right after it."""
    watched.sandbox.scenarios[:] = [Scenario("slow")]
    asked = watched.asked()
    run = watched.rest("POST", f"dags/{DAG}/dagRuns", {"logical_date": None})["dag_run_id"]
    watched.until(lambda: watched.asked() > asked)
    ingest = next(
        it
        for it in watched.rest("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        if it["task_id"] == "ingest"
    )
    killed = [
        it for it in psutil.process_iter() if f"worker -- {ingest['id']}" in " ".join(_title(it))
    ]
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    watched.sandbox.scenarios[:] = []

    assert killed
    watched.until(lambda: bool(watched.about(DAG, "not asked")))


def _title(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return list(process.cmdline())
    return []


def test_the_addresses_of_receivers_are_shown_to_nobody(watched: Watched) -> None:
    """Whoever may read connections sees stars: an address is a secret."""
    extra = '{"config": {"path": "wecombot://s3cr3t-key"}}'
    body = {"connection_id": "alerts_too", "conn_type": "apprise", "extra": extra}
    watched.rest("POST", "connections", body)

    shown = watched.rest("GET", "connections/alerts_too")

    assert "config" in shown["extra"]
    assert "s3cr3t-key" not in shown["extra"]
