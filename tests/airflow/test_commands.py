"""Tests of `weixin-etl` commands beside Airflow: `status`, and the accounts that commands find."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine, delete

from weixin_etl.cli import main
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


@pytest.mark.parametrize(
    ("options", "first_line"),
    [
        (["figures.csv"], "appid,account_name,calendar_date,"),
        (["-", "--format", "csv", "--bom", "--language", "zh-CN"], "\ufeff公众号 AppID,公众号名称"),
        (["-", "--format", "jsonl", "--accounts", "春风"], '{"appid":"wx'),
        (["figures.xlsx", "--accounts", "春风"], "PK"),
    ],
)
def test_export_writes_a_file_or_standard_output(
    daily: DailyDag,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
    options: list[str],
    first_line: str,
) -> None:
    """The ending or `--format` says what is written; the progress is no part of it."""
    daily.on(0)
    daily.monkeypatch.chdir(tmp_path)
    capfdbinary.readouterr()
    assert main(["export", *options, "--begin", "2026-11-17", "--end", "2026-11-23"]) == 0
    output = capfdbinary.readouterr().out
    written = output if options[0] == "-" else (tmp_path / options[0]).read_bytes()
    assert written.decode(errors="replace").startswith(first_line)
    assert [path.name for path in tmp_path.iterdir()] == [o for o in options[:1] if o != "-"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["figures.xls"], "figures.xls has no ending that says the format"),
        (["-"], "- has no ending that says the format"),
        (["figures.csv", "--accounts", "夏"], "no account of the warehouse is called 夏"),
        (["nowhere/figures.csv"], "nowhere/figures.csv can't be written: No such file"),
    ],
)
def test_export_says_what_to_change_and_leaves_no_file(
    daily: DailyDag,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: list[str],
    text: str,
) -> None:
    """A wrong ending, account or folder ends the command before anything is written."""
    daily.on(0)
    daily.monkeypatch.chdir(tmp_path)
    assert main(["export", *options, "--begin", "2026-11-17", "--end", "2026-11-23"]) == 1
    assert text in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
