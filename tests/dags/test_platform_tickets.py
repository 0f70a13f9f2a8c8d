"""Runs of a third-party platform without a ticket, a token or a list."""

from datetime import date
from typing import Any

import pytest
from dag_runs import NOT_IN, WINDOW, PlatformDag, loaded, november, rows
from platform_runs import (
    ACTIVE,
    OPEN_INCIDENTS,
    component_calls,
    conn_ids,
    data_calls,
    shown,
    spoil,
    trouble,
    truths,
)
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.problem import ProblemKind
from weixin_sandbox import DEFAULT_COMPONENT, Account, Call, Sandbox, Scenario

TRIED_AGAIN = ("refresh_access_token", "see the ERROR line above")
SAID = {
    "missing": "let your receiver write it into the Airflow Variable weixin_platform_ticket "
    "(WeChat's component_verify_ticket is missing)",
    "old": "mend what writes the ticket into the Variable weixin_platform_ticket (the platform's "
    "component_verify_ticket expired",
    "wrong": "mend what writes the ticket into the Variable weixin_platform_ticket (the platform's "
    "component_verify_ticket is wrong",
}


@pytest.mark.parametrize("how", SAID)
def test_without_a_good_ticket_one_sentence_names_the_variable(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, how: str
):
    """
    Nothing is asked in vain, however many accounts there are, and they stay in the list.

    The next morning with a good ticket brings the missed days in.
    """
    accounts = platform.authorize(4)
    platform.dag.run()
    sandbox.calls.clear()
    spoil(platform, how, warehouse)

    outcome = platform.dag.on(1)
    calls, active = component_calls(sandbox), rows(warehouse, ACTIVE)
    shown_later = trouble(warehouse, hours_later=6)
    platform.set_ticket(sandbox.component.push_ticket())
    next_morning = platform.dag.on(2)

    assert outcome.state == "failed"
    (line,) = outcome.told("refresh_access_token")
    assert line.startswith(f"weixin_platform: {SAID[how]}")
    assert outcome.told("check") == [line]
    assert outcome.errors == [("check", "weixin_platform is not in: see the lines above")]
    assert calls["api_component_token"] == (how != "missing")
    assert calls.total() <= 1
    assert active == conn_ids(accounts)
    assert [str(it.problem) for it in shown_later] == [line]
    assert next_morning.state == "success"
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25)
    assert loaded(warehouse).keys() == truths(sandbox, accounts, days, date(2026, 11, 26)).keys()


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


@pytest.mark.parametrize("form", [{}, {"accounts": ["wx0000000000000002"]}])
def test_it_is_one_sentence_whoever_is_listed_or_wanted(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, form: dict[str, Any]
):
    """
    Also when accounts are listed one by one; none leaves the list, nor is one unknown.

    Here WeChat refuses the platform's token before its time.
    """
    accounts = platform.authorize(2)
    entries = [conn_id for (conn_id,) in conn_ids(accounts)]
    platform.dag.collect(entries)
    platform.dag.run()
    sandbox.component.expire_tokens()
    sandbox.component.expire_tickets()
    sandbox.calls.clear()

    outcome = platform.dag.on(1, **form)

    assert outcome.state == "failed"
    (line,) = outcome.told("refresh_access_token")
    assert "weixin_platform_ticket" in line
    assert component_calls(sandbox)["api_component_token"] == 1
    assert rows(warehouse, ACTIVE) == conn_ids(accounts)


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
    assert loaded(warehouse) == truths(sandbox, accounts)


def test_accounts_known_before_are_asked_although_the_list_cannot_be_read(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """Once Airflow's tries have ended; the run is red by one sentence, since there may be more."""
    accounts = platform.authorize(2)
    platform.dag.run()
    sandbox.scenarios[:] = [Scenario("list-call:busy")]

    outcome = platform.dag.on(1)

    assert outcome.state == "failed"
    *tries, last = outcome.errors
    assert set(tries) == {TRIED_AGAIN}
    assert last == ("check", NOT_IN)
    (line,) = outcome.told("check")
    assert line.startswith("weixin_platform: wait; if it persists, check")
    assert [it.open_incidents for it in shown(warehouse).accounts] == [0, 0]
    days = november(17, 18, 19, 20, 21, 22, 23, 24)
    assert loaded(warehouse).keys() == truths(sandbox, accounts, days, date(2026, 11, 25)).keys()
    assert rows(warehouse, ACTIVE) == conn_ids(accounts)


@pytest.mark.parametrize("call", ["list", "token"])
def test_what_may_pass_is_tried_again_before_accounts_are_left_out(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, call: str
):
    """A bad minute at WeChat costs no account its morning."""
    accounts = platform.authorize(2)
    platform.dag.run()
    sandbox.component.expire_tokens()
    platform.dag.set("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    trouble = Scenario(f"{call}-call:http-500", account=DEFAULT_COMPONENT.appid, times=2)
    sandbox.scenarios[:] = [trouble]

    outcome = platform.dag.on(1)

    assert (outcome.state, outcome.errors) == ("success", [TRIED_AGAIN])
    days = november(17, 18, 19, 20, 21, 22, 23, 24)
    assert loaded(warehouse).keys() == truths(sandbox, accounts, days, date(2026, 11, 25)).keys()


def test_without_a_token_of_the_platform_no_trouble_is_over(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, receiver: Receiver
):
    """Of neither a withdrawal nor a wrong entry is anybody told a second time."""
    gone, _ = platform.authorize(2)
    platform.dag.collect(["weixin_platform", "weixin_platform/wx00000000000000ff"])
    platform.dag.run()
    sandbox.component.withdraw(gone.appid)
    platform.dag.on(1)
    told, before = [*receiver.titles], rows(warehouse, OPEN_INCIDENTS)
    spoil(platform, "old", warehouse)
    platform.dag.on(2)
    platform.set_ticket(sandbox.component.push_ticket())
    platform.dag.on(3)

    assert len(before) == 2
    assert rows(warehouse, OPEN_INCIDENTS) == before
    of_ticket = [title for title in receiver.titles if title not in told]
    assert [title.replace("over: ", "") for title in of_ticket] == [of_ticket[0]] * 2


def test_a_withdrawn_account_is_told_of_once_a_run_and_not_asked_for_by_its_name(
    platform: PlatformDag, sandbox: Sandbox
):
    """However often it is listed; a form that names it is refused, else its run would be green."""
    gone, _ = platform.authorize(2)
    platform.dag.collect(["weixin_platform", f"weixin_platform/{gone.appid}"])
    platform.dag.run()
    sandbox.component.withdraw(gone.appid)
    listed = platform.dag.on(1)
    named = platform.dag.on(2, accounts=[gone.appid])
    all_of_it = platform.dag.on(3, accounts=["weixin_platform"])

    assert listed.log.count("have it authorised again, or leave it") == 1
    assert listed.log.count("1 account is no longer collected") == 1
    assert named.state == "failed"
    assert named.told("refresh_access_token") == [
        f"accounts: {gone.appid} no longer authorises weixin_platform; have it authorised again, "
        "or leave it out"
    ]
    assert all_of_it.state == "success"


def test_a_platform_that_nobody_has_authorised_is_red(platform: PlatformDag):
    """It stands for nothing, as an empty list."""
    outcome = platform.dag.run()

    assert outcome.state == "failed"
    assert outcome.told("check") == [
        "weixin_platform: have one authorised: the next run finds it (no Official Account is known "
        "to authorise this platform)"
    ]


def test_an_authorisation_without_permission_set_7_is_red(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """The sentence says what to do; the other account is loaded, and nothing is asked in vain."""
    fine, lacking = platform.authorize(2)
    sandbox.component.revoke_permission(lacking.appid)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")

    outcome = platform.dag.run()

    assert outcome.state == "failed"
    (line,) = outcome.told("check")
    assert line.startswith(
        "号2: have set 7 authorised, or leave it out of weixin_accounts (the authorisation"
    )
    assert line.endswith("errcode 61007")
    assert data_calls(sandbox, lacking) == [61007]
    assert loaded(warehouse) == truths(sandbox, [fine])


def test_a_list_that_stays_unreadable_is_told_once(
    platform: PlatformDag, sandbox: Sandbox, receiver: Receiver
):
    """Though its accounts answer every morning; once it can be read again, that is told."""

    def told() -> list[str]:
        return [title for title in receiver.titles if "unreachable" in title]

    platform.authorize(2)
    platform.dag.run()
    sandbox.scenarios[:] = [Scenario("list-call:busy")]
    platform.dag.on(1)
    platform.dag.on(2)
    while_busy = told()
    sandbox.scenarios.clear()
    platform.dag.on(3)

    (opened,) = while_busy
    assert told() == [opened, opened.replace(": ", ": over: ", 1)]


def test_a_run_of_another_account_does_not_wait_for_the_platform(
    platform: PlatformDag, sandbox: Sandbox, sandbox_url: str
):
    """A backfill of an account with a connection of its own is green without the list."""
    own = Account("wx00000000000000aa", "its own secret", "号一")
    sandbox.accounts[own.appid] = own
    platform.authorize(1)
    platform.dag.connect(own, sandbox_url, "own")
    platform.dag.collect(["weixin_platform", "own"])
    sandbox.scenarios[:] = [Scenario("list-call:busy")]

    outcome = platform.dag.run(accounts=["own"])

    assert (outcome.state, outcome.errors) == ("success", [])
