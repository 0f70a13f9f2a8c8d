"""What a run tells: its asset event, its report, and red whenever something is missing."""

from typing import Any

import pytest
from dag_runs import DAG_ID, DailyDag, Outcome, asked, counts, november
from sqlalchemy import Engine

from weixin_etl.orchestration import tasks
from weixin_etl.run import check as check_verb
from weixin_etl.run import report as report_verb
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox, Scenario


def asset_events(outcome: Outcome) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, partition and extra of each asset event of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_run_id=outcome.run_id).all()
        return sorted(
            ((event.asset.name, event.partition_key, event.extra) for event in events),
            key=lambda event: event[1],
        )


def partitions(outcome: Outcome) -> list[str]:
    """The publication days that a run announced."""
    return [day for _, day, _ in asset_events(outcome)]


def test_each_day_that_changed_has_an_asset_event(daily: DailyDag):
    """Whoever waits for the asset learns which day, how much came, and by which run."""
    outcome = daily.run()

    assert asset_events(outcome) == [
        (
            DAG_ID,
            f"2026-11-{day}",
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
                "held_back": 0,
                "caught_up": 0,
                "witnesses": 0,
                "final": 0,
                "resting": 0,
                "lost": 0,
            },
        )
        for day in range(18, 24)
    ]


def test_a_red_run_that_loaded_something_has_its_event(daily: DailyDag, sandbox: Sandbox):
    """The rows are there, so those who wait are told; of the day that is not in nothing."""
    sandbox.scenarios[:] = [Scenario("not-ready-code", day=november(23)[0])]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert partitions(outcome) == [f"2026-11-{day}" for day in range(18, 23)]
    _, _, extra = asset_events(outcome)[0]
    assert (extra["inserted"], extra["loaded"], extra["not_ready"]) == (174, 5, 1)


def test_a_run_in_which_nothing_came_has_no_event(daily: DailyDag, sandbox: Sandbox):
    """A refused account wakes nobody either; its run is red and its report says why."""
    sandbox.scenarios[:] = [Scenario("unauthorized")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.tasks["report"] == "skipped"
    assert asset_events(outcome) == []
    assert "0 loaded, 0 empty, 0 not_ready, 7 failed, 0 caught_up, 0 witnesses" in outcome.log


def test_a_day_is_announced_once_and_only_when_it_is_in(daily: DailyDag, sandbox: Sandbox):
    """Loaded while not ready: when it is ready, though nothing of it changes any more then."""
    daily.set("WEIXIN_NOW", "2026-11-24T08:30:00+08:00")
    sandbox.scenarios[:] = [Scenario("not-ready")]
    not_ready = daily.run()
    daily.set("WEIXIN_NOW", "2026-11-24T10:30:00+08:00")
    ready = daily.run()
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")
    unchanged = daily.run()

    assert partitions(not_ready) == []
    assert partitions(ready) == [f"2026-11-{day}" for day in range(18, 23)]
    assert unchanged.tasks["report"] == "skipped"
    assert partitions(unchanged) == []


def test_the_next_run_announces_what_a_run_that_died_loaded(
    daily: DailyDag, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Though it finds every row unchanged."""
    with monkeypatch.context() as dying:
        dying.setattr(tasks, "report", dies)
        died = daily.run()
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    following = daily.run()

    assert counts(warehouse, following) == (7, 0, 0, 184)
    assert partitions(died) == []
    assert partitions(following) == [f"2026-11-{day}" for day in range(18, 24)]


def test_a_report_that_dies_after_it_announced_does_so_again(
    daily: DailyDag, monkeypatch: pytest.MonkeyPatch
):
    """Airflow drops the event of a try that fails: the next try announces the run's days anew."""
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    real, tries = report_verb.changed_days, []

    def first_dies(*arguments: Any) -> Any:
        days = real(*arguments)
        tries.append(days)
        if len(tries) == 1:
            raise OSError("no memory")
        return days

    monkeypatch.setattr(report_verb, "changed_days", first_dies)

    outcome = daily.run()

    assert outcome.state == "success"
    assert len(tries) == 2
    assert partitions(outcome) == [f"2026-11-{day}" for day in range(18, 24)]


def test_a_second_try_of_check_makes_the_report_anew(
    daily: DailyDag, monkeypatch: pytest.MonkeyPatch
):
    """As after "clear only failed tasks", which never runs the green report again."""
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    real, tries = check_verb.check, []

    def first_fails(*arguments: Any) -> Any:
        tries.append(arguments)
        if len(tries) == 1:
            raise OSError("no memory")
        return real(*arguments)

    monkeypatch.setattr(check_verb, "check", first_fails)

    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.errors == [("check", "see the ERROR line above")]
    assert outcome.told("check") == ["report it, with the lines above (OSError: no memory)"]
    totals = "7 calls, 184 inserted, 0 updated, 0 unchanged, 0 rejected, 0 restated, 0 planned, "
    assert outcome.log.count(totals) == 2


def dies(*_: object) -> None:
    """A report that does not come to its end."""
    raise SystemExit(1)


def test_a_warehouse_without_tables_is_told_once(
    daily: DailyDag, sandbox: Sandbox, embedded_server: Server
):
    """The sentence names the missing migrations and the command; no figure is asked for."""
    embedded_server.create_database("weixin_dags_bare")
    url = embedded_server.libpq_url("weixin_dags_bare").replace("postgresql:", "postgres:")
    daily.set("AIRFLOW_CONN_WEIXIN_WAREHOUSE", url)

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors] == ["plan", "check"]
    assert outcome.errors[-1] == (
        "check",
        "failed: plan; see the lines above and the log of each",
    )
    (line,) = outcome.told("plan")
    assert line.startswith(
        "run `weixin-etl migrate` (the warehouse lacks the migrations 0001_pipeline, "
    )
    assert asked(sandbox) == {}


def test_a_warehouse_that_does_not_answer_is_tried_again(daily: DailyDag):
    """It may come back: once more here, then the run is red."""
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    daily.set("AIRFLOW_CONN_WEIXIN_WAREHOUSE", "postgres://nobody:nothing@127.0.0.1:1/none")

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors][:2] == ["plan", "plan"]
    first, second = outcome.told("plan")
    assert first == second
    assert first.startswith(
        "start Postgres, or correct the connection weixin_warehouse (the warehouse does not "
        "answer: Connection refused, at "
    )
    assert "nothing" not in first


def test_a_missing_warehouse_connection_is_told(daily: DailyDag, monkeypatch: pytest.MonkeyPatch):
    """The sentence says which connection to create."""
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE")

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.problems[0] == (
        "plan",
        "create it with type postgres (there is no Airflow connection weixin_warehouse)",
    )
