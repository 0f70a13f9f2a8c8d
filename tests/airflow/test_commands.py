"""Tests of `weixin-etl` commands beside Airflow: `status`, and the accounts that commands find."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dag_runs import DailyDag
from sqlalchemy import Engine, delete

from weixin_local.home import postgres_connection

NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/none"


def command(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment with one account and without a warehouse."""
    own = {k: v for k, v in os.environ.items() if k != "AIRFLOW_CONN_WEIXIN_WAREHOUSE"}
    return subprocess.run(
        [sys.executable, "-m", "weixin_etl.cli", *options],
        env={**own, "COLUMNS": "160", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_status_without_airflows_database_says_that_it_cannot_be_read(
    daily: DailyDag, warehouse: Engine, tmp_path: Path
):
    """The warehouse is still checked, with the read-only connection. No SQLite file is created."""
    daily.on(0)
    daily.monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)  # another test sets it
    daily.set("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(warehouse.url))
    file = tmp_path / "airflow.db"
    for url in (f"sqlite:///{file}", NOWHERE):
        status = command("status", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url)

        assert status.returncode == 0
        assert "Airflow's own database cannot be read" in status.stdout
    assert not file.exists()


def test_commands_find_the_connections_and_variables_of_the_ui(daily: DailyDag, warehouse: Engine):
    """
    Commands find the warehouse and the accounts in Airflow's database and in the environment.

    If Airflow's database does not answer, a command fails: it might miss accounts of the DAG.
    """
    from airflow.models import Connection, Variable
    from airflow.utils.session import create_session

    account = {"login": "wx00000000000000ff", "password": "f" * 32, "host": daily.url}
    uri = warehouse.url.set(drivername="postgres").render_as_string(hide_password=False)
    with create_session() as session:
        extra = json.dumps({"name": "界面的号"})
        session.add(Connection("of_the_ui", conn_type="weixin", extra=extra, **account))
        session.add(Connection("weixin_warehouse", uri=uri))
        session.add(Variable("weixin_accounts", json.dumps(["weixin_default", "of_the_ui"])))
    try:
        replay, probe = command("replay", "article_total"), command("probe")
        lost = command("replay", "article_total", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=NOWHERE)
    finally:
        with create_session() as session:
            session.execute(delete(Connection))
            session.execute(delete(Variable))

    assert (replay.returncode, replay.stderr) == (0, "")
    assert "春风" in probe.stdout
    assert "界面的号" in probe.stdout
    assert lost.returncode == 1
    assert lost.stderr.startswith("weixin-etl: Airflow's database does not answer")
