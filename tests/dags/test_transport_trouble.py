"""Trouble that goes by itself: tried again in the client, then by Airflow."""

from dag_runs import MORNING, NOT_IN, WINDOW, DailyDag, asked, loaded, november, truth
from sqlalchemy import Engine

from weixin_sandbox import Sandbox, Scenario

(THE_DAY,) = november(20)


def test_each_trouble_is_tried_again_where_it_is(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """
    Twice in the client; a day that outlasts its five tries, by Airflow, and no other day.

    After three more tries of Airflow's, each of five calls, the run is red and names the day. Each
    batch is a task: another account's trouble is no reason to ask again.
    """
    fine, of_a_moment, longer, lasting = made = accounts(4)
    sandbox.scenarios[:] = [
        Scenario("cut-answer", account=of_a_moment.appid, day=THE_DAY, times=2),
        Scenario("http-500", account=longer.appid, day=THE_DAY, times=5),
        Scenario("busy", account=lasting.appid, day=THE_DAY),
    ]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert outcome.errors == [("ingest", NOT_IN)] * 5 + [("check", NOT_IN)]
    asked_of = {account: asked(sandbox, account.appid) for account in made}
    assert {account: calls.pop(THE_DAY) for account, calls in asked_of.items()} == {
        fine: 1,
        of_a_moment: 3,
        longer: 6,
        lasting: 20,
    }
    others = dict.fromkeys([day for day in WINDOW if day != THE_DAY], 1)
    assert list(asked_of.values()) == [others] * 4
    assert (
        "号3: wait; if it persists, check the Base URL and any proxy (no usable answer came: "
        "HTTP 500) · 2026-11-20 · a2"
    ) in outcome.told("ingest")
    (told,) = outcome.told("check")
    assert told.startswith(
        "号4: wait; if it persists, check the Base URL and any proxy (no usable answer came: "
        "system error) · 2026-11-20 · a3, errcode -1"
    )
    figures = loaded(warehouse)
    for account in (fine, of_a_moment, longer):
        mine = {key: value for key, value in figures.items() if key[0] == account.appid}
        assert mine == truth(sandbox, account, WINDOW, MORNING.date())
