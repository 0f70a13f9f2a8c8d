"""Commands read accounts and the warehouse from where the DAG's tasks do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def stored(airflow: None, warehouse: Engine, sandbox_url: str) -> Iterator[None]:
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
                host=sandbox_url,
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
def command(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run a command with an environment that knows one account and no warehouse."""
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE")

    def run(*options: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "weixin_etl.cli", *options],
            env={**os.environ, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_database_that_does_not_answer_is_said(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
):
    """Else other accounts than the DAG's would look like the DAG's."""
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    )

    done = command("replay", "article_total")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "weixin-etl: Airflow's database does not answer, so connections and Variables that are not "
        "in the environment are not found"
    )
    assert "create the connection weixin_warehouse" in done.stderr


@pytest.mark.usefixtures("stored")
def test_what_was_made_in_the_ui_is_found(command: Callable[..., Done]):
    """The warehouse, and the accounts with those of the environment, as the DAG finds them."""
    replay, probe = command("replay", "article_total"), command("probe")

    assert (replay.returncode, replay.stderr) == (0, "")
    assert DEFAULT_ACCOUNT.name in probe.stdout
    assert "界面的号" in probe.stdout
