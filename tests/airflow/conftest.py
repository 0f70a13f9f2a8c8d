"""Fixtures: the DAG, which Airflow runs in this process against the sandbox and a warehouse."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine
from support.in_process import SETTINGS
from support.receivers import Receiver

from weixin_etl import rules
from weixin_etl.api import client as api_client
from weixin_sandbox import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Sandbox


@pytest.fixture
def airflow(metadata_url: str, warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of Airflow and of its subprocesses, with a healthy scheduler."""
    from weixin_etl.orchestration.web import airflow_state

    url = warehouse.url.set(drivername="postgres").render_as_string(hide_password=False)
    databases = {"AIRFLOW_CONN_WEIXIN_WAREHOUSE": url}
    databases |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url}
    for name, value in {**SETTINGS, **databases}.items():
        monkeypatch.setenv(name, value)
    health = {"scheduler": {"status": "healthy"}}
    monkeypatch.setattr(airflow_state, "get_airflow_health", lambda: health)


class _NoMemory(dict[Any, Any]):
    """A token cache that keeps nothing: in Airflow each task is a new process without tokens."""

    def setdefault(self, _: Any, default: Any = None) -> Any:
        return default


@pytest.fixture
def daily(
    airflow: None,
    sandbox: Sandbox,
    sandbox_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> DailyDag:
    """Return the DAG, with the sandbox's account 春风 in the connection `weixin_default`."""
    monkeypatch.setattr(api_client, "token_caches", _NoMemory())
    dag = DailyDag(monkeypatch, caplog, sandbox, sandbox_url)
    dag.connect(DEFAULT_ACCOUNT, "weixin_default", extra={"name": "春风"})
    return dag


@pytest.fixture
def scheduled(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> DailyDag:
    """Return the DAG with scheduled runs that poll every second instead of every half hour."""
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.utils.types import DagRunType

    create_dagrun = SerializedDAG.create_dagrun

    def create(dag: SerializedDAG, *, run_id: str, run_type: DagRunType, **values: Any) -> Any:
        assert run_type is DagRunType.MANUAL
        scheduled_id = run_id.replace("manual", "scheduled")
        return create_dagrun(dag, run_id=scheduled_id, run_type=DagRunType.SCHEDULED, **values)

    monkeypatch.setattr(SerializedDAG, "create_dagrun", create)
    monkeypatch.setattr(rules, "POLL_INTERVAL", timedelta(seconds=1))
    return daily


@pytest.fixture
def receiver(daily: DailyDag) -> Iterator[Receiver]:
    """Yield a receiver of messages, to which the connection `weixin_alerts` leads."""
    with Receiver().serving() as receiver:
        daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", receiver.connection)
        yield receiver


@pytest.fixture
def platform(daily: DailyDag) -> DailyDag:
    """Return the DAG that collects only an open platform, without authorised accounts yet."""
    daily.sandbox.accounts.clear()
    component = Account(DEFAULT_COMPONENT.appid, DEFAULT_COMPONENT.secret, "平台")
    daily.connect(component, "weixin_platform", extra={"name": "平台", "mode": "platform"})
    daily.collect("weixin_platform")
    daily.set("AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET", daily.sandbox.component.push_ticket())
    return daily
