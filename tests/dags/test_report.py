"""What a run tells: its asset event, its report, and red whenever something is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from dag_runs import DAG_ID, DailyDag, Outcome, asked, counts, november
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.run import check as check_verb
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox, Scenario


def events(outcome: Outcome) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Name, partition and extra of each asset event of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        made = session.query(AssetEvent).filter_by(source_run_id=outcome.run_id).all()
        return [(event.asset.name, event.partition_key, event.extra) for event in made]


def changed(outcome: Outcome) -> list[str]:
    """The days that the one event of a run names."""
    ((_, _, extra),) = events(outcome)
    days: list[str] = extra["days"]
    return days


def test_a_green_run_makes_one_ordinary_event(daily: DailyDag):
    """Whoever waits for the asset learns which days changed, how much came, and by which run."""
    outcome = daily.run()

    assert events(outcome) == [
        (
            DAG_ID,
            None,
            {
                "run_id": outcome.run_id,
                "days": [f"2026-11-{day}" for day in range(18, 24)],
                "calls": 7,
                "inserted": 184,
                "updated": 0,
                "unchanged": 0,
                "rejected": 0,
                "in": 7,
                "not_in": 0,
            },
        )
    ]


def test_a_red_run_makes_none(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """Though it loaded something: the run that is green tells the days that changed in it."""
    sandbox.scenarios[:] = [Scenario("not-ready-code", day=november(23)[0])]

    red = daily.run()
    sandbox.scenarios.clear()
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")
    green = daily.run()

    assert (red.state, green.state) == ("failed", "success")
    assert (events(red), counts(warehouse, red)) == ([], (7, 174, 0, 0))
    assert changed(green) == ["2026-11-23"]
    daily.set("WEIXIN_NOW", "2026-11-24T11:01:00+08:00")
    assert changed(daily.run()) == []  # it is green: whoever waits knows that all is there


def test_another_try_reports_anew(daily: DailyDag, monkeypatch: pytest.MonkeyPatch):
    """Airflow drops the event of a try of `check` that fails: the next one makes it."""
    daily.retry(1)
    for name in ("report", "check"):
        monkeypatch.setattr(check_verb, name, dying_once(getattr(check_verb, name)))

    outcome = daily.run()

    line = "report it, with the lines above (OSError: no memory)"
    assert outcome.state == "success"
    assert outcome.errors == [(task, "see the ERROR line above") for task in ("report", "check")]
    assert (outcome.told("report"), outcome.told("check")) == ([line], [line])
    assert changed(outcome) == [f"2026-11-{day}" for day in range(18, 24)]


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


@pytest.mark.parametrize(
    ("database", "tries", "line"),
    [
        (
            None,
            1,
            "create the connection weixin_warehouse with type postgres (there is no Airflow "
            "connection to the warehouse)",
        ),
        (
            "weixin_dags_bare",
            1,
            "run `weixin-etl migrate` (the warehouse lacks migrations: 0001_warehouse",
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
    daily.retry(1)
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
    assert outcome.told("check")[-1] == told[0]
    state = "does not work" if tries > 1 else "cannot be used"
    assert receiver.titles == [f"weixin-etl: the warehouse {state}"]
    assert "s3cr3t" not in f"{outcome.log}{receiver.messages}"
    assert asked(sandbox) == {}
