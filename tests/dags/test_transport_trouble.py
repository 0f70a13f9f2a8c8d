"""Trouble that goes by itself: tried again in the client, then by Airflow."""

from dag_runs import (
    MORNING,
    NOT_IN,
    WINDOW,
    DailyDag,
    asked,
    counts,
    loaded,
    november,
    states,
    truth,
)
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

(THE_DAY,) = november(20)


def test_trouble_of_a_moment_stays_inside_the_client(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Twice in trouble, then fine: no task fails, and the calls are counted."""
    sandbox.scenarios[:] = [Scenario("cut-answer", day=THE_DAY, times=2)]

    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.errors == []
    assert asked(sandbox) == {**dict.fromkeys(WINDOW, 1), THE_DAY: 3}
    assert counts(warehouse, outcome) == (9, 184, 0, 0)
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())


def test_airflow_tries_only_what_is_open(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """A day that outlasts the client's five tries is asked again, the other days are not."""
    sandbox.scenarios[:] = [Scenario("http-500", day=THE_DAY, times=5)]

    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.errors == [("ingest", NOT_IN)]
    assert outcome.problems == [
        (
            "ingest",
            "沙箱公众号: wait; if it persists, check the Base URL and any proxy (no usable "
            "answer came: HTTP 500) · 2026-11-20 · weixin_default",
        )
    ]
    assert asked(sandbox) == {**dict.fromkeys(WINDOW, 1), THE_DAY: 6}
    assert counts(warehouse, outcome) == (12, 184, 0, 0)
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())


def test_tries_come_to_an_end(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """Three more tries by default, each of five calls; then the run is red and names the day."""
    sandbox.scenarios[:] = [Scenario("busy", day=THE_DAY)]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors] == ["ingest"] * 4 + ["check"]
    assert asked(sandbox) == {**dict.fromkeys(WINDOW, 1), THE_DAY: 20}
    assert states(warehouse, outcome)[THE_DAY] == "failed"
    assert outcome.told("check") == [
        "沙箱公众号: wait; if it persists, check the Base URL and any proxy (no usable "
        "answer came: system error) · 2026-11-20 · weixin_default, errcode -1"
    ]


def test_another_accounts_trouble_is_not_a_reason_to_ask_again(
    daily: DailyDag, sandbox: Sandbox, accounts
):
    """Each batch is a task: the fine one is not run a second time."""
    fine, troubled = accounts(2)
    sandbox.scenarios[:] = [Scenario("http-500", account=troubled.appid, day=THE_DAY, times=5)]

    outcome = daily.run()

    assert outcome.state == "success"
    assert asked(sandbox, fine.appid) == dict.fromkeys(WINDOW, 1)
