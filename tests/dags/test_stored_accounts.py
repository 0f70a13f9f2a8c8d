"""`weixin-etl plan` reads the accounts from where the DAG's tasks do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def stored(airflow: None, warehouse: Engine) -> Iterator[None]:
    """A second account, the list of accounts and the warehouse, as Airflow's UI keeps them."""
    from airflow.models import Connection, Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    url = warehouse.url
    with create_session() as session:
        session.add(
            Connection(
                conn_id="of_the_ui",
                conn_type="weixin",
                login="wx00000000000000ff",
                password="0123456789abcdef0123456789abcdef",
                extra=json.dumps({"name": "界面的号"}),
            )
        )
        session.add(
            Connection(
                conn_id="weixin_warehouse",
                conn_type="postgres",
                host=url.host,
                port=url.port,
                login=url.username,
                password=url.password,
                schema=url.database,
            )
        )
        session.add(Variable("weixin_accounts", json.dumps(["weixin_default", "of_the_ui"])))
    yield
    with create_session() as session:
        session.execute(delete(Connection))
        session.execute(delete(Variable))


@pytest.fixture
def plan(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run the command with an environment that knows one account and no warehouse."""
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE")

    def run(*options: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "weixin_etl.cli", "plan", *options],
            env={**os.environ, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_database_that_does_not_answer_is_said(
    plan: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
):
    """Else the plan of other accounts than the DAG's would look like the DAG's."""
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    )

    done = plan()

    assert done.returncode == 1
    assert done.stderr.startswith(
        "weixin-etl: Airflow's database does not answer, so connections and Variables that are not "
        "in the environment are not found ("
    )
    assert "there is no Airflow connection weixin_warehouse" in done.stderr


@pytest.mark.usefixtures("stored")
def test_accounts_made_in_the_ui_are_planned(plan: Callable[..., Done], sandbox: Sandbox):
    """With those of the environment, as the DAG would; what the quota holds back has its dates."""
    done = plan("--begin-date", "2024-01-01", "--end-date", "2026-11-20")

    assert [line for line in done.stderr.splitlines() if "secrets_masker" not in line] == []
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for name in (DEFAULT_ACCOUNT.name, "界面的号"):
        assert any(
            line.startswith(name) and line.endswith(" 900 0 155 0 1000 the count") for line in said
        )
    assert (
        "界面的号: held back for the quota: 2024-01-01 to 2024-06-03 (155 days); clear the task "
        "ingest after 00:00 Beijing time, or trigger a run with these dates then; 1000 of 1000 "
        "left (the count), and 100 are kept for daily runs ([weixin] quota_reserve)\n"
    ) in done.stdout
    assert sandbox.calls == []
