"""Runs of the DAG in this process by Airflow's own `dag.test()`, and what they leave."""

import json
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import rows

from weixin_etl.api import http
from weixin_etl.api.http import CallLimits
from weixin_etl.orchestration import settings
from weixin_sandbox import Account, Sandbox

REPOSITORY = Path(__file__).parents[2]
DAG_ID = "weixin_article_total"
Done = subprocess.CompletedProcess[str]
MORNING = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
"""The tick of 24 November, 08:30 in Beijing."""


def november(*days: int) -> list[date]:
    """Days of November 2026."""
    return [date(2026, 11, day) for day in days]


WINDOW = november(17, 18, 19, 20, 21, 22, 23)
"""The publication days of `MORNING`."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    run_id: str
    state: str
    tasks: dict[str, str]
    """The state of each task; of a mapped one that of its first batch."""
    labels: list[str]
    """What the UI calls each batch."""
    errors: list[tuple[str, str]]
    """Each failed try, in order: the task and its last sentence."""
    log: str
    problems: list[tuple[str, str]]
    """What the tasks logged as ERROR, in order: the task and the line."""

    def told(self, task_id: str) -> list[str]:
        """The ERROR lines of the task, of all its tries."""
        return [line for task, line in self.problems if task == task_id]


@dataclass
class Errors:
    """An Airflow listener that keeps the exception of each failed try."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen for as long as the block lasts."""
        from airflow.listeners import hookimpl
        from airflow.sdk.listener import get_listener_manager

        class Listener:
            @hookimpl
            def on_task_instance_failed(_self, task_instance: Any, error: object) -> None:  # noqa: N805 # self is taken
                self.seen.append((task_instance.task_id, str(error)))

        listener = Listener()
        manager = get_listener_manager()
        manager.add_listener(listener)
        try:
            yield
        finally:
            manager.pm.unregister(listener)


@dataclass
class DailyDag:
    """The DAG, parsed anew for each run with the settings that hold then."""

    monkeypatch: pytest.MonkeyPatch
    caplog: pytest.LogCaptureFixture
    dag_id: str = DAG_ID

    def connect(self, account: Account, base_url: str, conn_id: str, **changed: Any) -> None:
        """Make an Airflow connection for the account, in the environment."""
        connection = {
            "conn_type": "weixin",
            "login": account.appid,
            "password": account.secret,
            "host": base_url,
            "extra": {"name": account.name},
            **changed,
        }
        self.set(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def collect(self, conn_ids: Sequence[str]) -> None:
        """Put the connections in the Variable that lists what is collected."""
        self.set("AIRFLOW_VAR_WEIXIN_ACCOUNTS", json.dumps(list(conn_ids)))

    def set(self, name: str, value: str) -> None:
        """Set an environment variable until the test's end."""
        self.monkeypatch.setenv(name, value)

    def retry(self, times: int) -> None:
        """Let Airflow try a failed task again, a second later."""
        self.monkeypatch.setattr(settings, "_RETRIES", times)
        self.set("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "1")

    def call(self, times: int) -> None:
        """Let a call be tried so often."""
        self.monkeypatch.setattr(http, "CallLimits", partial(CallLimits, tries=times))

    def on(self, days_later: int, at: str = "10:30", **form: Any) -> Outcome:
        """Run it on the morning some days after `MORNING`, at that time; the clock stays there."""
        today = MORNING.date() + timedelta(days=days_later)
        self.set("WEIXIN_NOW", f"{today}T{at}:00+08:00")
        return self.run(datetime.combine(today, time(0, 30), UTC), **form)

    def run(
        self,
        logical_date: datetime | None = MORNING,
        run_after: datetime | None = None,
        **form: Any,
    ) -> Outcome:
        """Run it once; `form` holds the parameters somebody entered."""
        dag = parsed(self.dag_id)
        errors = Errors()
        self.caplog.clear()
        with errors.listening(), self.caplog.at_level(logging.INFO):
            run = dag.test(logical_date=logical_date, run_after=run_after, run_conf=form)
        instances = sorted(run.get_task_instances(), key=lambda ti: ti.map_index, reverse=True)
        return Outcome(
            run.run_id,
            str(run.state),
            {ti.task_id: str(ti.state) for ti in instances},
            [ti.rendered_map_index for ti in reversed(instances) if ti.map_index >= 0],
            errors.seen,
            "\n".join(record.getMessage() for record in self.caplog.records),
            list(_problems(self.caplog.records)),
        )


def set_paused(*, is_paused: bool) -> None:
    """Pause or unpause every DAG: of a paused one nobody hears that anything is wrong."""
    from airflow.models import DagModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.query(DagModel).update({"is_paused": is_paused})


@dataclass
class PlatformDag:
    """The DAG with the sandbox's third-party platform in its connection `weixin_platform`."""

    dag: DailyDag
    sandbox: Sandbox

    def authorize(self, count: int) -> list[Account]:
        """Let this many more accounts authorise it."""
        first = len(self.sandbox.accounts) + 1
        made = [Account(f"wx{n:016x}", "", f"号{n}") for n in range(first, first + count)]
        for account in made:
            self.sandbox.component.authorize(account)
        return made

    def set_ticket(self, ticket: str) -> None:
        """Write a ticket where its receiver does."""
        self.dag.set("AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET", ticket)


def _problems(records: Sequence[logging.LogRecord]) -> Iterator[tuple[str, str]]:
    task = ""
    for record in records:
        line = record.getMessage()
        if begun := re.match(r"\[DAG TEST\] starting task_id=(\w+)", line):
            task = begun[1]
        elif record.name.startswith("weixin_etl") and record.levelno == logging.ERROR:
            yield task, line


NOT_IN = "1 account is not in: see the lines above"
"""The last sentence of a task that could not bring an account in."""


def parsed(dag_id: str = DAG_ID) -> Any:
    """The DAG, out of its file."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(REPOSITORY / "dags")).dags[dag_id]


def asked(sandbox: Sandbox, appid: str | None = None) -> dict[date, int]:
    """How often the sandbox was asked for each publication day (of one account)."""
    return Counter(
        call.publication_date
        for call in sandbox.calls
        if call.path.startswith("/datacube/") and call.publication_date
        if appid in (None, call.appid)
    )


def fact(warehouse: Engine) -> list[tuple[Any, ...]]:
    """The whole fact, every column."""
    return rows(
        warehouse, "SELECT * FROM weixin.fact_article_total ORDER BY appid, msgid, stat_date"
    )


def states(warehouse: Engine, outcome: Outcome) -> dict[date, str]:
    """How the last attempt of each pair of a run of one account ended."""
    sql = """
        SELECT day, coalesce(error_kind, 'ok')
        FROM weixin.run_report INNER JOIN weixin.coverage USING (dataset, appid, day)
        WHERE run_id = :run_id
    """
    return dict(rows(warehouse, sql, run_id=outcome.run_id))


def counts(warehouse: Engine, outcome: Outcome) -> tuple[int, ...]:
    """A run's calls and its rows inserted, updated and unchanged."""
    sql = """
        SELECT sum(calls), sum(inserted), sum(updated), sum(unchanged)
        FROM weixin.run_report WHERE run_id = :run_id
    """
    return rows(warehouse, sql, run_id=outcome.run_id)[0]
