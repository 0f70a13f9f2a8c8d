"""What a run tells: its asset event, its report, and red whenever something is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from dag_runs import DAG_ID, DailyDag, Outcome, asked, counts, november
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.orchestration.tasks import daily as verbs
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
                "in_by_another": 0,
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


def test_a_day_is_announced_once_and_only_when_it_is_in(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Loaded while not ready: when it is ready, though nothing of it changes any more then."""
    daily.set("WEIXIN_NOW", "2026-11-24T08:30:00+08:00")
    sandbox.scenarios[:] = [Scenario("not-ready")]
    not_ready = daily.run()
    kept = counts(warehouse, not_ready)
    daily.set("WEIXIN_NOW", "2026-11-24T10:30:00+08:00")
    ready = daily.run()
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")
    unchanged = daily.run()

    assert (not_ready.state, not_ready.problems, kept) == ("failed", [], (7, 134, 0, 0))
    line = (
        "沙箱公众号: run again after 2026-11-24 10:00 Beijing time (the figures are not ready yet: "
        "no article has yesterday's row) · 2026-11-18 to 2026-11-23 · weixin_default"
    )
    assert not_ready.log.split("\n").count(line) == len(["ingest", "report", "check"])
    assert partitions(not_ready) == []
    assert partitions(ready) == [f"2026-11-{day}" for day in range(18, 23)]
    assert unchanged.tasks["report"] == "skipped"
    assert partitions(unchanged) == []


def test_the_next_run_announces_what_a_run_that_died_loaded(
    daily: DailyDag, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Though it finds every row unchanged."""
    with monkeypatch.context() as dying:
        dying.setattr(verbs, "report", dies)
        died = daily.run()
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    following = daily.run()

    assert counts(warehouse, following) == (7, 0, 0, 184)
    assert partitions(died) == []
    assert partitions(following) == [f"2026-11-{day}" for day in range(18, 24)]


def test_another_try_reports_anew(daily: DailyDag, monkeypatch: pytest.MonkeyPatch):
    """
    Airflow drops the event of a try of `report` that fails: the next one announces the days.

    So does `check` print the counts, as after "clear only failed tasks", which never runs the green
    report again.
    """
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    for verb, name in ((report_verb, "changed_days"), (check_verb, "check")):
        monkeypatch.setattr(verb, name, dying_once(getattr(verb, name)))

    outcome = daily.run()

    line = "report it, with the lines above (OSError: no memory)"
    assert outcome.state == "success"
    assert outcome.errors == [(task, "see the ERROR line above") for task in ("report", "check")]
    assert (outcome.told("report"), outcome.told("check")) == ([line], [line])
    assert partitions(outcome) == [f"2026-11-{day}" for day in range(18, 24)]
    totals = "7 calls, 184 inserted, 0 updated, 0 unchanged, 0 rejected, 0 restated, 0 planned, "
    after_report = outcome.log.split("starting task_id=check", 1)[1]
    assert after_report.count(totals) == 1


def dying_once(real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which raises after its work when it is called for the first time."""
    tries = []

    def first_dies(*arguments: Any) -> Any:
        done = real(*arguments)
        tries.append(done)
        if len(tries) == 1:
            raise OSError("no memory")
        return done

    return first_dies


def dies(*_: object) -> None:
    """A report that does not come to its end."""
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("database", "tries", "line"),
    [
        (
            None,
            1,
            "create weixin_warehouse with type postgres (there is no Airflow connection "
            "weixin_warehouse)",
        ),
        (
            "weixin_dags_bare",
            1,
            "run `weixin-etl migrate` (the warehouse lacks the migrations 0001_pipeline, ",
        ),
        (
            "postgres://nobody:s3cr3t@127.0.0.1:1/none?sslmode=disable",
            2,
            "start Postgres, or correct the connection weixin_warehouse (the warehouse does not "
            "answer: Connection refused, at ",
        ),
    ],
    ids=["no connection", "not migrated", "unreachable"],
)
def test_a_warehouse_that_cannot_be_used(
    daily: DailyDag,
    sandbox: Sandbox,
    receiver: Receiver,
    embedded_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    database: str | None,
    tries: int,
    line: str,
):
    """
    `plan` says what to do, `check` repeats it with the accounts; what may pass is tried again.

    Nothing can be recorded, so `check` alone tells people, directly. No figure is asked for.
    """
    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    monkeypatch.delenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE")
    if database and ":" not in database:
        embedded_server.create_database(database)
        database = embedded_server.libpq_url(database).replace("postgresql:", "postgres:")
    if database:
        daily.set("AIRFLOW_CONN_WEIXIN_WAREHOUSE", database)

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors if task == "plan"] == ["plan"] * tries
    assert outcome.errors[-1][0] == "check"
    told = outcome.told("plan")
    assert told == [told[0]] * tries
    assert told[0].startswith(line)
    first, second = outcome.told("check")[-2:]
    assert (first, second.split(": ")[0]) == (told[0], "沙箱公众号")
    state = "does not work" if tries > 1 else "cannot be used"
    assert receiver.titles == [f"weixin-etl: the warehouse {state}"]
    assert "s3cr3t" not in f"{outcome.log}{receiver.messages}"
    assert asked(sandbox) == {}
