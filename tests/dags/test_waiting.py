"""A scheduled run waits until noon for figures that are not ready; no other run does."""

from dag_runs import MORNING, NOT_IN, WINDOW, DailyDag, asked
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import Sandbox, Scenario

YESTERDAY = WINDOW[-1]


def test_a_scheduled_run_asks_again_for_what_was_not_ready(
    scheduled: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """
    Until it comes: no task fails, no try is used up, and no day that is in is asked again.

    Airflow's own tries come first; each asks anew for what is not in.
    """
    waiting, troubled = accounts(2)
    sandbox.scenarios[:] = [
        Scenario("not-ready-code", account=waiting.appid, day=YESTERDAY, times=3),
        Scenario("not-ready-code", account=troubled.appid, day=YESTERDAY, times=2),
        Scenario("http-500", account=troubled.appid, day=WINDOW[2], times=5),
        Scenario("errcode:99999", account=troubled.appid, day=WINDOW[0]),
    ]
    scheduled.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    scheduled.retry(1)

    outcome = scheduled.run()

    assert outcome.run_id.startswith("scheduled__")
    assert outcome.state == "failed"
    assert outcome.errors == [("ingest", NOT_IN), ("ingest", NOT_IN), ("check", NOT_IN)]
    once = dict.fromkeys(WINDOW, 1)
    assert asked(sandbox, waiting.appid) == {**once, YESTERDAY: 4}
    assert asked(sandbox, troubled.appid) == {**once, YESTERDAY: 3, WINDOW[2]: 6, WINDOW[0]: 3}
    assert "asks again at 08:30 Beijing time" in outcome.log
    (line,) = outcome.told("check")
    assert line.endswith(" · 2026-11-17 · a1, errcode 99999")
    assert loaded(warehouse) == (
        truth(sandbox, [waiting], WINDOW, MORNING.date())
        | truth(sandbox, [troubled], WINDOW[1:], MORNING.date())
    )


def test_at_noon_it_is_red_and_names_them(scheduled: DailyDag, sandbox: Sandbox):
    """There is no later question to wait for."""
    scheduled.set("WEIXIN_NOW", "2026-11-24T12:01:00+08:00")
    sandbox.scenarios[:] = [Scenario("not-ready-code", day=YESTERDAY)]

    outcome = scheduled.run()

    assert outcome.state == "failed"
    assert asked(sandbox)[YESTERDAY] == 1
    assert outcome.errors == [("ingest", NOT_IN), ("check", NOT_IN)]
    assert (
        "(the figures are not ready yet: data not ready, please try later) · "
        "2026-11-23 · weixin_default, errcode 61503"
    ) in outcome.log
