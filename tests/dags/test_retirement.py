"""An endpoint that WeChat took offline: red once, then one question a day until it is back."""

from datetime import date, timedelta

from dag_runs import WINDOW, DailyDag, asked, states
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

OFFLINE = (
    "沙箱公众号: unpause weixin_article_total_detail if it was weixin_article_total, else ask "
    "WeChat for a successor (WeChat took this endpoint offline: this api is offline, please use "
    "the new api) · "
    "2026-11-17 to 2026-11-23 · weixin_default, errcode 47009"
)
STILL_OFFLINE = OFFLINE.partition(" · ")[0]


def test_the_first_refusal_is_red_later_runs_ask_once_and_are_green(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """
    The first names the successor; each day is asked once, and nobody tries again.

    The others only warn. The morning after the first one that is answered brings every open day in.
    """
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [Scenario("offline")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.told("check") == [OFFLINE]
    assert [task for task, _ in outcome.errors] == ["ingest", "check"]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert states(warehouse, outcome) == dict.fromkeys(WINDOW, "endpoint_offline")
    for days_later in (1, 2):
        sandbox.calls.clear()
        outcome = daily.on(days_later)

        assert (outcome.state, outcome.problems) == ("success", [])
        assert asked(sandbox) == {date(2026, 11, 23 + days_later): 1}
        assert STILL_OFFLINE in outcome.log

    sandbox.scenarios.clear()
    sandbox.calls.clear()
    answered, back = daily.on(3), daily.on(4)

    assert (answered.state, back.state) == ("success", "success")
    days = [date(2026, 11, 17) + timedelta(days=n) for n in range(11)]
    assert asked(sandbox) == {**dict.fromkeys(days, 1), days[-2]: 2}
    assert loaded(warehouse) == truth(sandbox, [DEFAULT_ACCOUNT], days, date(2026, 11, 28))
