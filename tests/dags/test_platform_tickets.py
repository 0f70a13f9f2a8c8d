"""Runs of a third-party platform without a ticket, a token or a list."""

from datetime import date

from dag_runs import MORNING, NOT_IN, WINDOW, PlatformDag, november, rows
from figures import loaded, truth
from platform_runs import ACTIVE, OPEN_INCIDENTS, component_calls, conn_ids, spoil, trouble
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.problem import ProblemKind
from weixin_sandbox import DEFAULT_COMPONENT, Call, Sandbox, Scenario

TRIED_AGAIN = ("refresh_access_token", "see the ERROR line above")
SAID = {
    "old": "mend what writes the ticket into the Variable weixin_platform_ticket (the platform's "
    "component_verify_ticket expired",
    "missing": "let your receiver write it into the Airflow Variable weixin_platform_ticket "
    "(WeChat's component_verify_ticket is missing)",
}


def test_without_a_good_ticket_one_sentence_names_the_variable(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """
    Nothing is asked in vain, however many accounts there are, and they stay in the list.

    The next morning with a good ticket brings the missed days in.
    """
    accounts = platform.authorize(4)
    platform.dag.run()
    shown = []
    for days_later, (how, sentence) in enumerate(SAID.items(), start=1):
        sandbox.calls.clear()
        spoil(platform, how, warehouse)
        outcome = platform.dag.on(days_later)
        shown.append([str(it.problem) for it in trouble(warehouse, hours_later=6)])

        assert outcome.state == "failed"
        (line,) = outcome.told("refresh_access_token")
        assert line.startswith(f"weixin_platform: {sentence}")
        assert outcome.told("check") == [line]
        assert outcome.errors == [("check", "1 account is not in: see the lines above")]
        assert component_calls(sandbox) == ({"api_component_token": 1} if how == "old" else {})
        assert rows(warehouse, ACTIVE) == conn_ids(accounts)
    (of_first,) = shown[0]
    assert SAID["old"] in of_first

    platform.set_ticket(sandbox.component.push_ticket())
    next_morning = platform.dag.on(3)

    assert next_morning.state == "success"
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
    assert loaded(warehouse).keys() == truth(sandbox, accounts, days, date(2026, 11, 27)).keys()


def test_a_ticket_that_ends_during_the_run_is_one_trouble(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, receiver: Receiver
):
    """However many accounts ask for a token in vain; the next morning with a good one ends it."""
    platform.authorize(4)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")

    def end(call: Call) -> None:
        if call.publication_date:
            sandbox.before_delivery = None
            sandbox.component.expire_tickets()
            sandbox.component.expire_tokens()
            sandbox.expire_tokens()

    sandbox.before_delivery = end
    outcome = platform.dag.run()
    incidents = rows(warehouse, OPEN_INCIDENTS)
    shown_later = trouble(warehouse, hours_later=6)
    platform.set_ticket(sandbox.component.push_ticket())
    next_morning = platform.dag.on(1)

    assert outcome.state == "failed"
    (line,) = outcome.told("check")
    assert line.startswith("weixin_platform: mend what writes the ticket into the Variable ")
    assert [kind for _, kind in incidents] == ["platform"]
    assert [it.problem.kind for it in shown_later] == [ProblemKind.PLATFORM]
    assert next_morning.state == "success"
    assert [title for title in receiver.titles if "no token" in title] == [
        "weixin-etl: weixin_platform gets no token",
        "weixin-etl: over: weixin_platform gets no token",
    ]


def test_a_ticket_replaced_during_the_run_is_used(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """Every token ends, and the ticket of the first is old: the run goes on with the newest."""
    accounts = platform.authorize(2)

    def renew(call: Call) -> None:
        if call.publication_date == WINDOW[-1]:
            sandbox.before_delivery = None
            sandbox.component.expire_tickets()
            sandbox.component.expire_tokens()
            sandbox.expire_tokens()
            platform.set_ticket(sandbox.component.push_ticket())

    sandbox.before_delivery = renew
    outcome = platform.dag.run()

    assert (outcome.state, outcome.problems) == ("success", [])
    assert sandbox.before_delivery is None
    assert component_calls(sandbox)["api_component_token"] >= 2
    assert loaded(warehouse) == truth(sandbox, accounts, WINDOW, MORNING.date())


def test_without_its_list_the_platform_is_not_in(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """
    Once Airflow's tries have ended, the run is red by one sentence; its accounts stay active.

    The next morning brings the missed day in.
    """
    platform.dag.retry(1)
    accounts = platform.authorize(2)
    platform.dag.run()
    sandbox.scenarios[:] = [Scenario("list-call:busy")]

    outcome = platform.dag.on(1)
    sandbox.scenarios.clear()
    next_morning = platform.dag.on(2)

    assert outcome.state == "failed"
    *tries, last = outcome.errors
    assert set(tries) == {TRIED_AGAIN}
    assert last == ("check", NOT_IN)
    (line,) = outcome.told("check")
    assert line.startswith("weixin_platform: wait; if it persists, check")
    assert rows(warehouse, ACTIVE) == conn_ids(accounts)
    assert next_morning.state == "success"
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25)
    assert loaded(warehouse).keys() == truth(sandbox, accounts, days, date(2026, 11, 26)).keys()


def test_what_may_pass_is_tried_again_before_accounts_are_left_out(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """A bad minute at WeChat costs no account its morning: neither of the token nor of the list."""
    accounts = platform.authorize(2)
    platform.dag.run()
    sandbox.component.expire_tokens()
    platform.dag.retry(3)
    platform.dag.call(2)
    sandbox.scenarios[:] = [
        Scenario(f"{call}-call:http-500", account=DEFAULT_COMPONENT.appid, times=2)
        for call in ("token", "list")
    ]

    outcome = platform.dag.on(1)

    assert (outcome.state, outcome.errors) == ("success", [TRIED_AGAIN] * 2)
    days = november(17, 18, 19, 20, 21, 22, 23, 24)
    assert loaded(warehouse).keys() == truth(sandbox, accounts, days, date(2026, 11, 25)).keys()
