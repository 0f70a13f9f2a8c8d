"""An endpoint that WeChat took offline: red once, then one question a day until it is back."""

from datetime import date, timedelta

from dag_runs import WINDOW, DailyDag, asked, loaded, states, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

OFFLINE = (
    "沙箱公众号: unpause and trigger weixin_article_total_detail, which has 0 of 7 days (WeChat "
    "took this endp… · 2026-11-17 to 2026-11-23 · weixin_default, errcode 47009"
)
STILL_OFFLINE = (
    "沙箱公众号: unpause and trigger weixin_article_total_detail, which has 0 of 1 days (WeChat "
    "still has getarticletotal of…"
)


def test_the_first_refusal_is_red_and_names_the_successor(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """No day comes in, each is asked once, and nobody tries again."""
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [Scenario("offline")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.told("ingest") == [OFFLINE]
    assert [task for task, _ in outcome.errors] == ["ingest", "check"]
    assert outcome.told("check") == [OFFLINE]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert states(warehouse, outcome) == dict.fromkeys(WINDOW, "failed")


def test_later_runs_ask_once_and_are_green(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """They only warn; and the first one that is answered brings every open day in."""
    sandbox.scenarios[:] = [Scenario("offline")]
    daily.run()
    calls = {}
    for days_later in (1, 2, 3):
        sandbox.calls.clear()
        outcome = daily.on(days_later)
        calls[days_later] = (
            *(outcome.state, asked(sandbox), outcome.problems),
            STILL_OFFLINE in outcome.log,
        )

    sandbox.scenarios.clear()
    sandbox.calls.clear()
    back = daily.on(4)
    loaded_when_back = loaded(warehouse)
    next_morning = daily.on(5)

    assert calls == {
        1: ("success", {date(2026, 11, 24): 1}, [], True),
        2: ("success", {date(2026, 11, 25): 1}, [], True),
        3: ("success", {date(2026, 11, 26): 1}, [], True),
    }
    assert (back.state, next_morning.state) == ("success", "success")
    days = [date(2026, 11, 17) + timedelta(days=n) for n in range(11)]
    assert loaded_when_back == truth(sandbox, DEFAULT_ACCOUNT, days, date(2026, 11, 28))
    days = [date(2026, 11, 17) + timedelta(days=n) for n in range(12)]
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, days, date(2026, 11, 29))
    assert STILL_OFFLINE not in next_morning.log
