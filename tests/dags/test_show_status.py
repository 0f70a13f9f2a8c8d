"""`weixin-etl status`: exit code and a line per problem, for whoever watches from outside."""

from pathlib import Path

import pytest
from dag_runs import DAG_ID, DailyDag
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_sandbox import Sandbox, Scenario

NOT_KNOWN = "Airflow's own database cannot be read from here"


@pytest.fixture
def scheduler(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow as it is when it runs well; of the successor nothing is collected."""
    from airflow.models import DagModel
    from airflow.utils.session import create_session

    from weixin_etl.orchestration import airflow_state

    daily.run()
    with create_session(scoped=False) as session:
        for dag in session.query(DagModel):
            dag.is_paused, dag.next_dagrun_create_after = False, None
    healthy = {"scheduler": {"status": airflow_state.HEALTHY}}
    monkeypatch.setattr(airflow_state, "get_airflow_health", lambda: healthy)


@pytest.mark.usefixtures("scheduler")
def test_figures_that_come_in_are_exit_code_0(capsys: pytest.CaptureFixture[str]):
    """One line, and up to which day they are in."""
    assert main(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[-1:] == [
        "1 of 1 accounts and datasets are in, the oldest up to 2026-11-23"
    ]


@pytest.mark.usefixtures("scheduler")
def test_a_refused_account_is_exit_code_1(
    daily: DailyDag, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
):
    """The line of the log in full, and since when."""
    sandbox.scenarios[:] = [Scenario("unauthorized")]
    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    daily.run(refetch=True)
    capsys.readouterr()

    assert main(["status"]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "article_total · 沙箱公众号: verify the account, or have permission set 7"
    )
    assert "2026-11-17 to 2026-11-23" in first
    assert first.endswith("since 2026-11-24 10:40 Beijing time")
    assert last.startswith("0 of 1 accounts")


@pytest.mark.usefixtures("scheduler")
def test_a_morning_without_a_run_is_exit_code_1(
    daily: DailyDag, capsys: pytest.CaptureFixture[str]
):
    """From noon on, yesterday's figures must be in."""
    daily.set("WEIXIN_NOW", "2026-11-25T11:00:00+08:00")
    before = main(["status"])
    capsys.readouterr()
    daily.set("WEIXIN_NOW", "2026-11-25T12:30:00+08:00")

    assert before == 0
    assert main(["status"]) == 1
    assert "2026-11-24" in capsys.readouterr().out


@pytest.mark.usefixtures("scheduler")
def test_a_paused_dag_and_a_missing_pool_are_told(
    daily: DailyDag, capsys: pytest.CaptureFixture[str]
):
    """Nobody inside of Airflow could: no task runs."""
    from airflow.models import DagModel, Pool
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.query(DagModel).filter_by(dag_id=DAG_ID).one().is_paused = True
    Pool.delete_pool("weixin_api")
    code = main(["status"])
    Pool.create_or_update_pool("weixin_api", slots=16, description="", include_deferred=False)

    assert code == 1
    said = capsys.readouterr().out
    assert f"unpause {DAG_ID}" in said
    assert "create the pool weixin_api" in said


@pytest.mark.usefixtures("scheduler")
def test_without_airflows_database_it_says_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The rest is judged by the warehouse."""
    from sqlalchemy.exc import OperationalError

    from weixin_etl.orchestration import airflow_state

    def unreachable(**_: object) -> None:
        raise OperationalError("SELECT 1", None, Exception("no such host"))

    monkeypatch.setattr(airflow_state, "create_session", unreachable)

    assert main(["status"]) == 0
    assert NOT_KNOWN in capsys.readouterr().out


@pytest.mark.usefixtures("scheduler")
def test_one_dataset_can_be_asked_for(capsys: pytest.CaptureFixture[str]):
    """Of the successor nothing is collected."""
    assert main(["status", "--dataset", "article_total"]) == 0
    capsys.readouterr()

    assert main(["status", "--dataset", "article_total_detail"]) == 1
    assert "unpause weixin_article_total_detail" in capsys.readouterr().out


@pytest.mark.usefixtures("scheduler")
@pytest.mark.parametrize(("is_succeeded", "count"), [(True, "1 of 1"), (False, "0 of 1")])
def test_a_retired_account_counts_until_its_successor_collects_it(
    warehouse: Engine, capsys: pytest.CaptureFixture[str], *, is_succeeded: bool, count: str
):
    """In the last line as in the exit code."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.coverage SET attempt_state = 'failed', error_code = 47009"
        )
        connection.exec_driver_sql(
            "INSERT INTO weixin.incident (dataset, kind, appid, account, conn_id, cause, cure, "
            "publication_dates, opened_at, seen_at) SELECT 'article_total', 'endpoint_offline', "
            "appid, name, conn_id, 'offline', 'use it', '{}', now(), now() FROM weixin.dim_account"
        )
        if is_succeeded:
            connection.exec_driver_sql(
                "INSERT INTO weixin.first_daily_run SELECT 'article_total_detail', appid, "
                "'2026-11-24' FROM weixin.first_daily_run"
            )
            connection.exec_driver_sql(
                "INSERT INTO weixin.coverage (dataset, appid, publication_date, data_state, "
                "fetched_at, ready_at, is_final, attempt_state, attempted_at) "
                "SELECT 'article_total_detail', appid, date '2026-11-24' - n, 'loaded', "
                "'2026-11-24 00:31+00', '2026-11-24 00:31+00', false, 'ok', '2026-11-24 00:31+00' "
                "FROM weixin.dim_account, generate_series(1, 30) AS n"
            )

    assert main(["status"]) == (0 if is_succeeded else 1)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("warning: ") == is_succeeded
    assert last.startswith(f"{count} accounts")


@pytest.mark.usefixtures("scheduler")
def test_a_receiver_that_got_nothing_is_told(
    daily: DailyDag, warehouse: Engine, capsys: pytest.CaptureFixture[str]
):
    """By the one who watches from outside; without a receiver it is as it was wanted."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.incident (dataset, kind, account, conn_id, cause, cure, "
            "publication_dates, opened_at, seen_at) VALUES ('article_total', 'unknown_metric', '', "
            "'', 'new', '', '{}', '2026-11-24 00:31+00', '2026-11-24 00:31+00')"
        )
    without = main(["status"])
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", '{"conn_type": "apprise"}')
    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    capsys.readouterr()

    assert without == 0
    assert main(["status"]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("correct the connection weixin_alerts")
    assert first.endswith("since 2026-11-24 08:31 Beijing time")


@pytest.mark.usefixtures("scheduler")
def test_days_that_a_backfill_left_open_are_listed_until_they_are_not_wanted(
    daily: DailyDag, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
):
    """The daily run asks for other days: its answers say nothing about these."""
    sandbox.scenarios[:] = [Scenario("bad-json")]
    daily.set("AIRFLOW__WEIXIN__RETRIES", "0")
    daily.set("AIRFLOW__WEIXIN__CALL_TRIES", "1")
    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    backfill = daily.run(begin_date="2026-08-03", end_date="2026-08-04")
    sandbox.scenarios[:] = []
    morning = daily.on(1)
    capsys.readouterr()
    before = main(["status"])
    listed = capsys.readouterr().out.splitlines()
    said = main(["unwanted", "article_total", "--begin", "2026-08-01", "--end", "2026-08-31"])
    sentence = capsys.readouterr().out

    assert (backfill.state, morning.state) == ("failed", "success")
    assert (before, said) == (1, 0)
    assert "2026-08-03 to 2026-08-04" in listed[0]
    assert sentence == (
        "1 account is not expected to have 2026-08-01 to 2026-08-31, unless a later run asks for "
        "one of these days, as daily runs do within their reach.\n"
    )
    assert main(["status"]) == 0


@pytest.mark.usefixtures("scheduler")
def test_where_there_is_no_airflow_none_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """SQLite would create an empty database by asking it."""
    import sqlalchemy
    from airflow import settings

    file = tmp_path / "airflow.db"
    nowhere = sqlalchemy.create_engine(f"sqlite:///{file}")
    monkeypatch.setattr(settings, "engine", nowhere)
    monkeypatch.setattr(settings, "Session", sqlalchemy.orm.sessionmaker(nowhere))
    monkeypatch.setattr(settings, "NonScopedSession", sqlalchemy.orm.sessionmaker(nowhere))

    assert main(["status"]) == 0
    assert NOT_KNOWN in capsys.readouterr().out
    assert not file.exists()


def test_a_warehouse_that_cannot_be_read_is_exit_code_2(
    daily: DailyDag, warehouse: Engine, capsys: pytest.CaptureFixture[str]
):
    """And the sentence says why, without the password."""
    daily.set(
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE",
        "postgres://nobody:s3cr3t@127.0.0.1:1/weixin?sslmode=disable",
    )

    assert main(["status"]) == 2
    said = capsys.readouterr().err
    assert "the warehouse does not answer" in said
    assert "s3cr3t" not in said
