"""
Runs of the DAG in this process by Airflow's own `dag.test()`, and their outcomes.

`DailyDag` sets the environment and runs the DAG. `expected_facts` computes the fact table from the
sandbox's answers.
"""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import rows
from support.people import PROJECT
from world.expected_tables import Answer, Facts, expected_tables

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_sandbox import Account, Sandbox

DAG_ID = ARTICLE_TOTAL.dag_id
MORNING = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
"""The logical date of the run of 24 November, 08:30 in Beijing."""
WINDOW = [MORNING.date() - timedelta(days=age) for age in range(7, 0, -1)]
"""The publication days of that run, oldest first."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run."""

    run_id: str
    state: str
    tasks: dict[str, str]
    """The state of each task; for a mapped task that of one instance, a failed one if any."""
    tries: dict[str, int]
    log: str
    problems: list[tuple[str, str]]
    """The ERROR log lines, each with its task, in order."""
    events: list[dict[str, Any]]
    """The extras of the run's asset events."""

    def errors_of(self, task_id: str) -> list[str]:
        """Return a task's ERROR lines, each shortened to its account and errcode."""
        lines = [line for task, line in self.problems if task == task_id]
        return [" ".join(re.findall(r"^[^: ]+(?=: )|(?<=errcode )-?\d+", line)) for line in lines]


@dataclass
class DailyDag:
    """The DAG, which is parsed anew for each run with the present settings."""

    monkeypatch: pytest.MonkeyPatch
    caplog: pytest.LogCaptureFixture
    sandbox: Sandbox
    url: str
    """The sandbox's URL."""
    dag_id: str = DAG_ID
    retries: int = 0

    def connect(self, account: Account, conn_id: str, **changed: Any) -> None:
        """Set an Airflow connection for the account in the environment."""
        extra = {"name": account.name}
        fields = {"login": account.appid, "password": account.secret, "host": self.url}
        connection = {"conn_type": "weixin", "extra": extra, **fields, **changed}
        self.set(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def collect(self, *conn_ids: str) -> None:
        self.set("AIRFLOW_VAR_WEIXIN_ACCOUNTS", json.dumps(conn_ids))

    def accounts(self, count: int) -> list[Account]:
        """Create accounts in the sandbox, connect them as a0, a1, …, collect and return them."""
        made = [Account(f"wx{n:016x}", f"{n:032x}", f"号{n}") for n in range(count)]
        self.sandbox.accounts.clear()
        self.sandbox.accounts.update({account.appid: account for account in made})
        for number, account in enumerate(made):
            self.connect(account, f"a{number}")
        self.collect(*(f"a{number}" for number in range(count)))
        return made

    def set(self, name: str, value: str) -> None:
        self.monkeypatch.setenv(name, value)

    def at(self, time_of_day: str, days_later: int = 0) -> None:
        """Set the clock to a time in Beijing, some days after `MORNING`."""
        self.set("WEIXIN_NOW", f"{MORNING.date() + timedelta(days_later)}T{time_of_day}:00+08:00")

    def on(self, days_later: int, at: str = "10:30", **form: Any) -> Outcome:
        """Run the DAG some days after `MORNING` at a time in Beijing; the clock stays there."""
        self.at(at, days_later)
        return self.run(MORNING + timedelta(days_later), **form)

    def run(self, logical_date: datetime | None = MORNING, **form: Any) -> Outcome:
        """Run the DAG once, with the parameters of the form, and return the outcome."""
        from airflow.models.asset import AssetEvent
        from airflow.utils.session import create_session

        dag = parsed(self.dag_id)
        for task in dag.tasks:
            task.retries, task.retry_delay = self.retries, timedelta()
        self.caplog.clear()
        with self.caplog.at_level(logging.INFO):
            run = dag.test(logical_date=logical_date, run_conf=form)
        instances = sorted(run.get_task_instances(), key=lambda ti: ti.map_index)
        by_state = sorted(instances, key=lambda ti: str(ti.state) == "failed")
        with create_session() as session:
            events = session.query(AssetEvent).filter_by(source_run_id=run.run_id).all()
            extras = [event.extra for event in events]
        return Outcome(
            run.run_id,
            str(run.state),
            {ti.task_id: str(ti.state) for ti in by_state},
            {ti.task_id: ti.try_number for ti in instances},
            "\n".join(record.getMessage() for record in self.caplog.records),
            list(_problems(self.caplog.records)),
            extras,
        )

    def by_command(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run `airflow dags test` for `MORNING`, with logs at DEBUG in the folder."""
        self.set("AIRFLOW_HOME", str(folder))
        self.set("AIRFLOW__LOGGING__LOGGING_LEVEL", "DEBUG")
        self.set("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(folder / "logs"))
        command = [sys.executable, "-m", "airflow", "dags", "test", DAG_ID, str(MORNING.date())]
        return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)


def _problems(records: Sequence[logging.LogRecord]) -> Iterator[tuple[str, str]]:
    task = ""
    for record in records:
        line = record.getMessage()
        if begun := re.match(r"\[DAG TEST\] starting task_id=(\w+)", line):
            task = begun[1]
        elif record.name.startswith("weixin_etl") and record.levelno == logging.ERROR:
            yield task, line


def set_paused(*, is_paused: bool) -> None:
    """Pause or unpause every DAG. Problems of a paused DAG are not reported."""
    from airflow.models import DagModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.query(DagModel).update({"is_paused": is_paused})


def parsed(dag_id: str = DAG_ID) -> Any:
    """Parse the DAG file and return one of its DAGs."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(PROJECT / "dags")).dags[dag_id]


def day_calls(sandbox: Sandbox) -> int:
    """Return how many calls asked the sandbox for a day's figures."""
    return sum(bool(call.publication_date) for call in sandbox.calls if "/datacube/" in call.path)


def expected_facts(warehouse: Engine, sandbox: Sandbox, dataset: Dataset = ARTICLE_TOTAL) -> Facts:
    """
    Compute the rows of the fact table from the sandbox's answers.

    The answer of each loaded day is the one that the sandbox gave on the day of the last call.
    """
    sql = """
        SELECT appid, day, ready_at, (ready_at AT TIME ZONE 'Asia/Shanghai')::date
        FROM weixin.coverage WHERE ready_at IS NOT NULL AND dataset = :dataset
    """
    answers = [
        Answer(appid, dataset, day, at, sandbox.answer(appid, day, asked_on, dataset.endpoint))
        for appid, day, at, asked_on in rows(warehouse, sql, dataset=dataset.name)
    ]
    return expected_tables([answers]).facts


def on_the_page(appid: str) -> dict[str, str]:
    """Return the texts that the page's server sends to a permitted reader, by path."""
    from fastapi.testclient import TestClient

    from weixin_etl.orchestration.web.page.app import app, readable

    dataset = f"dataset={ARTICLE_TOTAL.name}"
    day = f"/day?{dataset}&appid={appid}&day={WINDOW[3]}"
    paths = ("/", "/health", f"/coverage?{dataset}", day, f"/articles?{dataset}")
    app.dependency_overrides[readable] = lambda: tuple(DATASETS.values())
    try:
        return {path: TestClient(app).get(path).text for path in paths}
    finally:
        app.dependency_overrides.clear()
