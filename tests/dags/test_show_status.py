"""`weixin-etl status`: exit code and a line per problem, for whoever watches from outside."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from dag_runs import DailyDag, set_paused
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_etl.health.troubles import Airflow, DagState, Severity, Trouble
from weixin_etl.problem import Problem, ProblemKind
from weixin_local.home import postgres_connection
from weixin_sandbox import Sandbox, Scenario

NOT_KNOWN = "Airflow's own database cannot be read from here"


@pytest.fixture
def scheduler(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow as it is when it runs well; of the successor nothing is collected."""
    from airflow.models import DagModel
    from airflow.utils.session import create_session

    from weixin_etl.orchestration.web import airflow_state

    daily.run()
    with create_session(scoped=False) as session:
        for dag in session.query(DagModel):
            dag.is_paused, dag.next_dagrun_create_after = False, None
    healthy = {"scheduler": {"status": airflow_state.HEALTHY}}
    monkeypatch.setattr(airflow_state, "get_airflow_health", lambda: healthy)


@pytest.mark.usefixtures("scheduler")
def test_exit_code_0_and_1(daily: DailyDag, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]):
    """
    0 with a line that says how many accounts are in; 1 when something is wrong.

    From noon on, yesterday's figures must be in. A problem's line is that of the log, in full,
    with since when. One dataset can be asked for: of the successor nothing is collected.
    """

    def status(*options: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        return main(["status", *options]), capsys.readouterr().out.splitlines()

    well, collected = status(), status("--dataset", "article_total")
    uncollected = status("--dataset", "article_total_detail")
    daily.set("WEIXIN_NOW", "2026-11-25T11:00:00+08:00")
    before_noon, _ = status()
    daily.set("WEIXIN_NOW", "2026-11-25T12:30:00+08:00")
    after_noon = status()
    sandbox.scenarios[:] = [Scenario("unauthorized")]
    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    daily.run(refetch=True)
    refused = status()

    assert (well[0], well[1][-1]) == (
        0,
        "1 of 1 accounts and datasets are in",
    )
    assert (collected[0], uncollected[0]) == (0, 1)
    assert "trigger a DAG" in "".join(uncollected[1])
    assert (before_noon, after_noon[0]) == (0, 1)
    assert "2026-11-24" in "".join(after_noon[1])
    assert refused[0] == 1
    (line,) = [
        it for it in refused[1] if it.startswith("failure: article_total · 沙箱公众号: verify")
    ]
    assert "2026-11-17 to 2026-11-23" in line
    assert line.endswith("since 2026-11-24 10:40 Beijing time")
    assert refused[1][-1].startswith("0 of 1 accounts")


@pytest.mark.usefixtures("scheduler")
def test_a_pause_and_what_is_tried_again_are_told_in_the_language_that_is_set(
    daily: DailyDag, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A pause is a decision: exit code 0; what is tried again is 3, with the tries."""
    from weixin_etl.orchestration.web import airflow_state

    set_paused(is_paused=True)
    paused = main(["status"]), capsys.readouterr().out
    set_paused(is_paused=False)  # others look at the same Airflow
    fault = Problem.of_kind(ProblemKind.PROGRAM, "KeyError", subject="plan")
    tries = {"failed_tries": 2, "tries": 4, "next_at": datetime(2026, 11, 24, 3, tzinfo=UTC)}
    tried = Trouble(fault, "article_total", Severity.RETRYING, **tries)
    airflow = Airflow({"article_total": DagState()}, tried=[tried])
    monkeypatch.setattr(airflow_state, "read", lambda: airflow)
    daily.set("AIRFLOW__WEIXIN__LANGUAGE", "zh-CN")
    retried = main(["status", "--dataset", "article_total"]), capsys.readouterr().out

    assert (paused[0], retried[0]) == (0, 3)
    assert "note: article_total · unpause weixin_article_total if" in paused[1]
    assert (
        "retrying: article_total · 无需处理：4 次尝试中第 2 次失败；下一次在 2026-11-24 11:00"
        in retried[1]
    )


@pytest.mark.usefixtures("scheduler")
def test_without_airflows_database_it_says_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The rest is judged by the warehouse; and SQLite creates no database by being asked."""
    import sqlalchemy
    from airflow import settings

    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)  # another test's command set it
    file = tmp_path / "airflow.db"
    for url in (f"sqlite:///{file}", "postgresql+psycopg2://nobody@127.0.0.1:1/none"):
        nowhere = sqlalchemy.create_engine(url)
        monkeypatch.setattr(settings, "engine", nowhere)
        monkeypatch.setattr(settings, "Session", sqlalchemy.orm.sessionmaker(nowhere))
        monkeypatch.setattr(settings, "NonScopedSession", sqlalchemy.orm.sessionmaker(nowhere))

        assert main(["status"]) == 0
        assert NOT_KNOWN in capsys.readouterr().out
    assert not file.exists()


def test_a_warehouse_that_cannot_be_read_is_exit_code_2(
    daily: DailyDag, warehouse: Engine, capsys: pytest.CaptureFixture[str]
):
    """
    And the sentence says why, without the password.

    Who can only read needs no more: the API server has no other connection.
    """
    daily.set(
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE",
        "postgres://nobody:s3cr3t@127.0.0.1:1/weixin?sslmode=disable",
    )

    assert main(["status"]) == 2
    said = capsys.readouterr().err
    assert "the warehouse does not answer" in said
    assert "s3cr3t" not in said
    daily.set("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(warehouse.url))
    assert main(["status"]) == 1  # no account is collected yet
