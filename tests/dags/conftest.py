"""A real Airflow for these tests: its metadata in Postgres, everything else by environment."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import support
from cryptography.fernet import Fernet
from dag_runs import DAG_ID, REPOSITORY, DailyDag, Done, PlatformDag
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl import rules
from weixin_etl.api import client as api_client
from weixin_etl.api.token import TokenKeeper
from weixin_etl.model import Account as CollectedAccount
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Sandbox

SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    "AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS": "0",
    "WEIXIN_IN_HASTE": "1",
}


@pytest.fixture(scope="session")
def metadata_url(embedded_server: Server) -> str:
    """Airflow's own migrated database, and this process's Airflow on it."""
    embedded_server.create_database("airflow_dags")
    url = embedded_server.url("airflow_dags")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in _airflow(url).items():
            environment.setenv(name, value)
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, check=True, capture_output=True)

        # other tests may have imported Airflow already, with the database and key of its defaults
        from airflow import settings
        from airflow.models.crypto import get_fernet

        get_fernet.cache_clear()
        settings.configure_vars()
        settings.dispose_orm()
        settings.configure_orm()
    return url


def _airflow(metadata_url: str) -> dict[str, str]:
    return {**SETTINGS, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url}


@pytest.fixture(scope="session")
def migrated_warehouse(embedded_server: Server) -> Iterator[Engine]:
    """A migrated warehouse that these tests share."""
    with support.migrated_warehouse(embedded_server, "weixin_dags") as engine:
        yield engine


@pytest.fixture
def warehouse(migrated_warehouse: Engine) -> Engine:
    """An empty, migrated warehouse on the embedded server: it is the DAG that is under test."""
    support.empty(migrated_warehouse)
    return migrated_warehouse


@pytest.fixture
def airflow(metadata_url: str, warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of Airflow and of what it starts: settings and the warehouse."""
    url = warehouse.url.set(drivername="postgres").render_as_string(hide_password=False)
    for name, value in {**_airflow(metadata_url), "AIRFLOW_CONN_WEIXIN_WAREHOUSE": url}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def daily(
    airflow: None,  # it needs one
    sandbox_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> DailyDag:
    """The DAG with the sandbox's account in its connection `weixin_default`."""
    dag = DailyDag(monkeypatch, caplog)
    dag.connect(DEFAULT_ACCOUNT, sandbox_url, "weixin_default")
    return dag


@pytest.fixture
def scheduled(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> DailyDag:
    """The DAG with runs as the scheduler makes them, at 08:30, with a second for half an hour."""
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.utils.types import DagRunType

    create_dagrun = SerializedDAG.create_dagrun

    def create(dag: SerializedDAG, *, run_id: str, run_type: DagRunType, **values: Any) -> Any:
        assert run_type is DagRunType.MANUAL
        scheduled_id = run_id.replace("manual", "scheduled")
        return create_dagrun(dag, run_id=scheduled_id, run_type=DagRunType.SCHEDULED, **values)

    monkeypatch.setattr(SerializedDAG, "create_dagrun", create)
    monkeypatch.setattr(rules, "WAIT_FOR_READY", timedelta(seconds=1))
    daily.set("WEIXIN_NOW", "2026-11-24T08:30:00+08:00")
    return daily


@pytest.fixture
def accounts(daily: DailyDag, sandbox: Sandbox, sandbox_url: str) -> Callable[[int], list[Account]]:
    """Let the sandbox know this many accounts, connect them as a0, a1, … and collect them."""

    def make(count: int) -> list[Account]:
        made = [
            Account(f"wx{number:016x}", f"{number:032x}", f"号{number}")
            for number in range(1, count + 1)
        ]
        sandbox.accounts = {account.appid: account for account in made}
        for number, account in enumerate(made):
            daily.connect(account, sandbox_url, f"a{number}")
        daily.collect([f"a{number}" for number in range(count)])
        return made

    return make


@pytest.fixture
def metadata(metadata_url: str) -> Iterator[Engine]:
    """Airflow's own database."""
    engine = sqlalchemy.create_engine(metadata_url)
    yield engine
    engine.dispose()


@pytest.fixture
def dags_test(daily: DailyDag, tmp_path: Path) -> Callable[[str], Done]:
    """Run `airflow dags test` of a day, logging all there is, with a home of its own."""

    def run(day: str) -> Done:
        daily.set("AIRFLOW_HOME", str(tmp_path))
        daily.set("AIRFLOW__LOGGING__LOGGING_LEVEL", "DEBUG")
        daily.set("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
        return subprocess.run(
            [sys.executable, "-m", "airflow", "dags", "test", DAG_ID, day],
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


class _NoMemory(dict[CollectedAccount, TokenKeeper]):
    """Keeps nothing: each task is a process in Airflow, and has no token of another's memory."""

    def setdefault(self, _: CollectedAccount, default: TokenKeeper) -> TokenKeeper:  # type: ignore[override]
        return default


@pytest.fixture
def memories_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task finds a token that another one has asked for in the memory of this process."""
    monkeypatch.setattr(api_client, "keepers", _NoMemory())


@pytest.fixture
def receiver(daily: DailyDag) -> Iterator[Receiver]:
    """Who is told: `weixin_alerts` leads there."""
    with Receiver().listening() as receiver:
        daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", receiver.connection)
        yield receiver


@pytest.fixture
def platform(
    daily: DailyDag, memories_apart: None, sandbox: Sandbox, sandbox_url: str
) -> PlatformDag:
    """It alone is collected, has a good ticket, and no account has authorised it yet."""
    sandbox.accounts.clear()
    component = Account(DEFAULT_COMPONENT.appid, DEFAULT_COMPONENT.secret, "平台")
    extra = {"name": component.name, "mode": "platform"}
    daily.connect(component, sandbox_url, "weixin_platform", extra=extra)
    daily.collect(["weixin_platform"])
    platform = PlatformDag(daily, sandbox)
    platform.set_ticket(sandbox.component.push_ticket())
    return platform
