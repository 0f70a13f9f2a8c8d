"""What a run tells: its asset event, its report, and red whenever something is missing."""

from typing import Any

import pytest
from dag_runs import DAG_ID, DailyDag, Outcome, november

from weixin_local.postgres import Server
from weixin_sandbox import Sandbox, Scenario


def asset_events(outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
    """Name and extra of each asset event of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_run_id=outcome.run_id).all()
        return [(event.asset.name, event.extra) for event in events]


def test_the_asset_event_holds_the_counts(daily: DailyDag):
    """Whoever waits for the asset learns how much came, and by which run."""
    outcome = daily.run()

    assert asset_events(outcome) == [
        (
            DAG_ID,
            {
                "run_id": outcome.run_id,
                "calls": 7,
                "inserted": 184,
                "updated": 0,
                "unchanged": 0,
                "rejected": 0,
                "restated": 0,
                "loaded": 6,
                "empty": 1,
                "not_ready": 0,
                "failed": 0,
                "planned": 0,
                "caught_up": 0,
                "final": 0,
                "lost": 0,
            },
        )
    ]


def test_a_red_run_that_loaded_something_has_its_event(daily: DailyDag, sandbox: Sandbox):
    """The rows are there, so those who wait for them are told."""
    sandbox.scenarios[:] = [Scenario("not-ready-code", day=november(23)[0])]

    outcome = daily.run()

    assert outcome.state == "failed"
    ((_, extra),) = asset_events(outcome)
    assert (extra["inserted"], extra["loaded"], extra["not_ready"]) == (174, 5, 1)


def test_a_run_in_which_nothing_came_has_no_event(daily: DailyDag, sandbox: Sandbox):
    """A refused account wakes nobody either; its run is red and its report says why."""
    sandbox.scenarios[:] = [Scenario("unauthorized")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.tasks["report"] == "skipped"
    assert asset_events(outcome) == []
    assert (
        "0 planned, 0 loaded, 0 empty, 0 not_ready, 7 failed, 0 caught_up, 0 final, 0 lost"
        in outcome.log
    )


def test_a_warehouse_without_tables_is_told_once(
    daily: DailyDag, sandbox: Sandbox, embedded_server: Server
):
    """The sentence names the missing migrations and the command; no figure is asked for."""
    embedded_server.create_database("weixin_dags_bare")
    url = embedded_server.libpq_url("weixin_dags_bare").replace("postgresql:", "postgres:")
    daily.set("AIRFLOW_CONN_WEIXIN_WAREHOUSE", url)

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors] == ["plan", "report", "check"]
    assert outcome.errors[0][1].startswith("the warehouse lacks the migrations 0001_pipeline, ")
    assert outcome.errors[0][1].endswith("; run `weixin-etl migrate`")
    assert outcome.said("check") == "failed: plan, report; see the log of each"
    assert {call.path for call in sandbox.calls} == {"/cgi-bin/stable_token"}


def test_a_warehouse_that_does_not_answer_is_tried_again(daily: DailyDag):
    """It may come back: once more here, then the run is red."""
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    daily.set("AIRFLOW_CONN_WEIXIN_WAREHOUSE", "postgres://nobody:nothing@127.0.0.1:1/none")

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors][:2] == ["plan", "plan"]
    assert "the warehouse does not answer" in outcome.errors[0][1]
    assert "nothing" not in outcome.errors[0][1]


def test_a_missing_warehouse_connection_is_told(daily: DailyDag, monkeypatch: pytest.MonkeyPatch):
    """The sentence says which connection to create."""
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE")

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.errors[0] == (
        "plan",
        "there is no Airflow connection weixin_warehouse; create it with type postgres",
    )
