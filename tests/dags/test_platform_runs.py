"""Runs of a third-party platform: its accounts, its tokens, its ticket."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from dag_runs import (
    NOT_IN,
    WINDOW,
    Done,
    Figures,
    PlatformDag,
    asked,
    loaded,
    november,
    rows,
    truth,
)
from receivers import Receiver
from secret_search import places, printed
from sqlalchemy import Engine

from weixin_etl import clock, status
from weixin_etl.cli import main
from weixin_etl.datasets import DATASETS
from weixin_etl.model import ProblemKind
from weixin_sandbox import DEFAULT_COMPONENT, Account, AccountKind, Call, Sandbox, Scenario

OF_PLATFORM = "/cgi-bin/component/"
OPEN_INCIDENTS = (
    "SELECT incident_id, kind FROM weixin.incident WHERE closed_at IS NULL ORDER BY incident_id"
)
TRIED_AGAIN = ("refresh_access_token", "see the ERROR line above")
ACTIVE = "SELECT conn_id FROM weixin.dim_account WHERE is_active ORDER BY conn_id"


def component_calls(sandbox: Sandbox) -> Counter[str]:
    """How often each of a platform's own calls was made."""
    return Counter(
        call.path.removeprefix(OF_PLATFORM)
        for call in sandbox.calls
        if call.path.startswith(OF_PLATFORM)
    )


def data_calls(sandbox: Sandbox, account: Account) -> list[int | None]:
    """The errcodes of an account's data calls, 0 for figures."""
    return [
        call.errcode
        for call in sandbox.calls
        if call.path.startswith("/datacube/") and call.appid == account.appid
    ]


def truths(
    sandbox: Sandbox,
    accounts: Sequence[Account],
    days: Sequence[date] = WINDOW,
    on: date = date(2026, 11, 24),
) -> Figures:
    """What the sandbox knows of several accounts."""
    return {
        key: figures
        for account in accounts
        for key, figures in truth(sandbox, account, days, on).items()
    }


def conn_ids(accounts: Sequence[Account]) -> list[tuple[str]]:
    """How a platform's accounts go in the warehouse."""
    return [(f"weixin_platform/{account.appid}",) for account in accounts]


# ------------------------------------------------------------------------------- whole mornings


def test_a_morning_of_a_platform(platform: PlatformDag, sandbox: Sandbox, warehouse: Engine):
    """Every figure of its accounts; one call for its token, one for the list, two an account."""
    accounts = platform.authorize(3)

    outcome = platform.dag.run()

    assert (outcome.state, outcome.errors) == ("success", [])
    assert outcome.labels == ["号1", "号2", "号3"]
    assert loaded(warehouse) == truths(sandbox, accounts)
    assert rows(warehouse, ACTIVE) == conn_ids(accounts)
    assert component_calls(sandbox) == {
        "api_component_token": 1,
        "api_get_authorizer_list": 1,
        "api_get_authorizer_info": 3,
        "api_authorizer_token": 3,
    }


def test_a_second_run_renews_no_token(platform: PlatformDag, sandbox: Sandbox):
    """It finds those of the first in the warehouse, the platform's own included."""
    platform.authorize(3)
    platform.dag.run()
    sandbox.calls.clear()

    outcome = platform.dag.run(refetch=True)

    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(WINDOW, 3)
    assert component_calls(sandbox) == {"api_get_authorizer_list": 1}


def test_one_account_of_a_platform_can_be_listed(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """`<conn_id>/<appid>`; the others are not asked for a token."""
    _, second, _ = platform.authorize(3)
    platform.dag.collect([f"weixin_platform/{second.appid}"])

    outcome = platform.dag.run()

    assert outcome.state == "success"
    assert loaded(warehouse) == truths(sandbox, [second])
    assert component_calls(sandbox)["api_authorizer_token"] == 1


def test_an_account_that_does_not_authorise_the_platform_is_named(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """The others are loaded."""
    (account,) = platform.authorize(1)
    platform.dag.collect([f"weixin_platform/{account.appid}", "weixin_platform/wx0"])

    outcome = platform.dag.run()

    assert outcome.state == "failed"
    assert outcome.told("check") == [
        "weixin_platform/wx0: have it authorised, or take it out of weixin_accounts (it does not "
        "authorise weixin_platform)"
    ]
    assert loaded(warehouse) == truths(sandbox, [account])


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        ("weixin_platform", ["号1", "号2", "号3"]),
        ("weixin_platform/wx0000000000000002", ["号2"]),
        ("wx0000000000000002", ["号2"]),
    ],
)
def test_the_form_chooses_all_accounts_of_a_platform_or_one(
    platform: PlatformDag, wanted: str, labels: list[str]
):
    """By the platform's connection, by `<conn_id>/<appid>`, or by AppID."""
    platform.authorize(3)

    outcome = platform.dag.run(accounts=[wanted], begin_date="2026-11-23", end_date="2026-11-23")

    assert (outcome.state, outcome.labels) == ("success", labels)


def test_what_is_no_official_account_is_not_asked(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """A mini program in WeChat's list makes no run red; an entry that names it says why."""
    (account,) = platform.authorize(1)
    mini = Account("wx00000000000000ff", name="小程序", kind=AccountKind.MINI_PROGRAM)
    sandbox.component.authorize(mini)

    morning = platform.dag.run()
    platform.dag.collect(["weixin_platform", f"weixin_platform/{mini.appid}"])
    named = platform.dag.on(1)

    assert (morning.state, morning.labels) == ("success", ["号1"])
    assert data_calls(sandbox, mini) == []
    assert rows(warehouse, ACTIVE) == conn_ids([account])
    assert "平台" in morning.log
    assert f"{mini.appid} are no Official Accounts, and are not asked" in morning.log
    assert named.told("check") == [
        f"weixin_platform/{mini.appid}: take it out of weixin_accounts (it is no Official Account)"
    ]


def test_an_account_of_a_platform_can_be_left_out(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """One whose owner will never grant permission set 7, say; what it gave before stays."""
    fine, unwanted = platform.authorize(2)
    platform.dag.run()
    before = loaded(warehouse)
    platform.dag.collect(["weixin_platform", f"-weixin_platform/{unwanted.appid}"])
    sandbox.calls.clear()

    outcome = platform.dag.on(1)
    named = platform.dag.on(2, accounts=[unwanted.appid])

    assert (outcome.state, outcome.labels) == ("success", ["号1"])
    assert data_calls(sandbox, unwanted) == []
    assert rows(warehouse, ACTIVE) == conn_ids([fine])
    assert before.keys() <= loaded(warehouse).keys()
    assert named.state == "failed"
    assert named.told("refresh_access_token")[0].startswith(
        f"accounts: weixin_accounts has no connection id or appid {unwanted.appid}"
    )

    platform.dag.collect(["weixin_platform", *(f"-{it}" for (it,) in conn_ids([fine, unwanted]))])
    assert platform.dag.on(3).told("check") == [
        "weixin_platform: leave fewer out in weixin_accounts (all of its accounts are left out)"
    ]


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["-weixin_platform"], "-weixin_platform is no account of a platform; write"),
        (["-weixin_platform/wx1"], "names no account; write it like"),
    ],
)
def test_what_leaves_nothing_out_or_nothing_over_is_refused(
    platform: PlatformDag, entries: list[str], sentence: str
):
    """Else a slip of the pen would end the collection of a whole platform."""
    platform.dag.collect(entries)

    outcome = platform.dag.run()

    assert outcome.state == "failed"
    (line,) = outcome.told("refresh_access_token")
    assert sentence in line


def test_tokens_are_not_asked_for_in_vain(platform: PlatformDag, sandbox: Sandbox):
    """Five outages in a row, and the platform is left alone until each account's days are asked."""
    platform.authorize(12)
    platform.dag.set("AIRFLOW__WEIXIN__CALL_TRIES", "1")
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    platform.dag.set("AIRFLOW__WEIXIN__RETRIES", "0")
    sandbox.scenarios[:] = [
        Scenario("token-call:http-500", account=f"wx{number:016x}") for number in range(1, 13)
    ]

    outcome = platform.dag.run()

    assert outcome.state == "failed"
    assert component_calls(sandbox)["api_authorizer_token"] == 5 + 12


@pytest.mark.parametrize("order", [["own", "weixin_platform"], ["weixin_platform", "own"]])
def test_an_account_with_a_connection_of_its_own_is_one_account(
    platform: PlatformDag, sandbox: Sandbox, sandbox_url: str, warehouse: Engine, order: list[str]
):
    """It is asked once, by whichever comes first."""
    account = Account("wx00000000000000aa", "its own secret", "号一")
    sandbox.component.authorize(account)
    platform.dag.connect(account, sandbox_url, "own")
    platform.dag.collect(order)

    outcome = platform.dag.run()

    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    by = {"own": "own", "weixin_platform": f"weixin_platform/{account.appid}"}
    assert rows(warehouse, ACTIVE) == [(by[order[0]],)]
    assert f"{by[order[1]]} is the same account as {by[order[0]]}" in outcome.log


def test_a_new_account_starts_with_its_window_and_says_what_it_lacks(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """The morning after it authorised the platform; the morning after that nothing is said."""
    platform.authorize(1)
    platform.dag.run()
    new = platform.authorize(2)

    outcome = platform.dag.on(1)
    later = platform.dag.on(2)

    assert outcome.state == "success"
    lacks = (
        "2 accounts are new: 号2, 号3; days before 2026-11-18 are asked for only by a run "
        "with begin_date and end_date"
    )
    assert outcome.log.count(lacks) == 1
    assert " new: " not in later.log
    days = november(18, 19, 20, 21, 22, 23, 24, 25)
    of_new = {key for key in loaded(warehouse) if key[0] in {it.appid for it in new}}
    assert of_new == truths(sandbox, new, days, date(2026, 11, 26)).keys()


def test_a_plan_makes_no_call(
    platform: PlatformDag, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
):
    """It knows the accounts that the last run found."""
    platform.authorize(2)
    platform.dag.run()
    sandbox.calls.clear()
    capsys.readouterr()

    assert main(["plan"]) == 0

    assert sandbox.calls == []
    said = capsys.readouterr().out
    assert ["号1" in said, "号2" in said] == [True, True]


def test_a_plan_of_a_platform_that_nobody_authorises(
    platform: PlatformDag, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
):
    """Before the first account it says what to do; after the last one there is nothing to ask."""
    assert main(["plan"]) == 1
    before = capsys.readouterr().err
    (only,) = platform.authorize(1)
    platform.dag.run()
    sandbox.component.withdraw(only.appid)
    platform.dag.on(1)
    capsys.readouterr()

    assert main(["plan"]) == 0

    assert "trigger a run: it reads WeChat's list of those that do" in before
    assert "0 calls, about 0 min" in capsys.readouterr().out


# --------------------------------------------------------------------------- ticket, list


def spoil(platform: PlatformDag, how: str, warehouse: Engine) -> None:
    """Let all tokens have ended by the next morning, and the ticket be good for none."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.platform_token SET expires_at = now()")
    match how:
        case "missing":
            platform.dag.monkeypatch.delenv("AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET")
        case "old":
            platform.sandbox.component.expire_tickets()
        case "wrong":
            platform.set_ticket("ticket@@@nobody's")


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


# -------------------------------------------------------------------------------- withdrawals


@pytest.fixture
def receiver(platform: PlatformDag) -> Iterator[Receiver]:
    """Who is told."""
    with Receiver().listening() as receiver:
        platform.dag.set("AIRFLOW_CONN_WEIXIN_ALERTS", receiver.connection)
        yield receiver


def shown(warehouse: Engine, hours_later: int = 0) -> status.Status:
    """What the page and `weixin-etl status` show."""
    now = clock.now() + timedelta(hours=hours_later)
    with warehouse.connect() as connection:
        return status.read(connection, None, now=now, catch_up_days=60)


def withdrawals(warehouse: Engine) -> list[tuple[str, bool]]:
    """The open withdrawals: the account, and whether it is only a warning."""
    return [
        (it.problem.account, it.is_warning)
        for it in shown(warehouse).open
        if it.problem.kind is ProblemKind.WITHDRAWN
    ]


def trouble(warehouse: Engine, hours_later: int = 0) -> list[status.Trouble]:
    """What is more than a warning."""
    return [it for it in shown(warehouse, hours_later).open if not it.is_warning]


WITHDRAWN = "号2: have it authorised again, or leave it (its owner withdrew the authorisation"
OPENED = "weixin-etl: 号2: authorisation withdrawn"


def told_of_withdrawals(receiver: Receiver) -> list[str]:
    """The titles of the messages about it."""
    return [title for title in receiver.titles if "withdrawn" in title]


def test_an_account_that_withdrew_is_told_once_and_not_asked(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, receiver: Receiver
):
    """
    The run is green, and the warning stays on the status, until it is authorised again.

    Then its missed days come in, and that it is over is told.
    """
    accounts = platform.authorize(2)
    _, gone = accounts
    platform.dag.run()
    sandbox.component.withdraw(gone.appid)
    sandbox.calls.clear()

    first, second = platform.dag.on(1), platform.dag.on(2)

    assert (first.state, second.state) == ("success", "success")
    assert WITHDRAWN in first.log
    assert not first.problems
    assert data_calls(sandbox, gone) == []
    assert component_calls(sandbox)["api_get_authorizer_info"] == 1
    assert rows(warehouse, ACTIVE) == conn_ids(accounts[:1])
    assert withdrawals(warehouse) == [("号2", True)]
    assert told_of_withdrawals(receiver) == [OPENED]

    sandbox.component.authorize(gone.appid)
    again = platform.dag.on(3)

    assert again.state == "success"
    assert withdrawals(warehouse) == []
    assert told_of_withdrawals(receiver) == [OPENED, OPENED.replace(": ", ": over: ", 1)]
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
    assert loaded(warehouse).keys() == truths(sandbox, accounts, days, date(2026, 11, 27)).keys()


def test_after_thirty_days_a_withdrawal_is_silently_gone(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, receiver: Receiver
):
    """Whoever has not acted by then does not want to."""
    _, gone = platform.authorize(2)
    platform.dag.run()
    sandbox.component.withdraw(gone.appid)
    open_on = {}
    for days_later in (1, 30, 31):
        outcome = platform.dag.on(days_later)
        open_on[days_later] = (outcome.state, withdrawals(warehouse))

    still = ("success", [("号2", True)])
    assert open_on == {1: still, 30: still, 31: ("success", [])}
    assert told_of_withdrawals(receiver) == [OPENED]


def test_an_account_that_withdrew_but_has_a_connection_of_its_own_is_no_trouble(
    platform: PlatformDag, sandbox: Sandbox, sandbox_url: str, receiver: Receiver
):
    """Nobody is told, morning after morning, of what the other connection makes up for."""
    account = Account("wx00000000000000aa", "its own secret", "号2")
    sandbox.component.authorize(account)
    platform.dag.connect(account, sandbox_url, "own")
    platform.dag.collect(["weixin_platform", "own"])
    platform.dag.run()
    sandbox.component.withdraw(account.appid)

    outcome = platform.dag.on(1)

    assert outcome.state == "success"
    assert asked(sandbox, account.appid)[date(2026, 11, 24)] == 1
    assert told_of_withdrawals(receiver) == []


QUOTA = "/cgi-bin/openapi/quota/get"


@pytest.mark.parametrize(
    ("when", "brought_in"), [("before ingest", []), ("at its fifth call", WINDOW[-5:])]
)
def test_an_account_that_withdraws_during_the_run(
    platform: PlatformDag,
    sandbox: Sandbox,
    warehouse: Engine,
    receiver: Receiver,
    when: str,
    brought_in: list[date],
):
    """Green with a warning, the others are in; one incident, and the next morning asks no more."""
    fine, gone = platform.authorize(2)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")

    def withdraw(call: Call) -> None:
        is_now = call.path == QUOTA if not brought_in else call.publication_date == WINDOW[-5]
        if call.appid == gone.appid and is_now:
            sandbox.before_delivery = None
            sandbox.component.withdraw(gone.appid)

    sandbox.before_delivery = withdraw
    outcome = platform.dag.run()
    calls, figures = data_calls(sandbox, gone), loaded(warehouse)
    after_run = withdrawals(warehouse), trouble(warehouse)
    sandbox.calls.clear()
    next_morning = platform.dag.on(1)

    assert (outcome.state, outcome.problems) == ("success", [])
    assert WITHDRAWN in outcome.log
    assert calls == [0] * len(brought_in) + [61003]
    assert figures == truths(sandbox, [fine]) | truths(sandbox, [gone], brought_in)
    assert after_run == ([("号2", True)], [])
    assert next_morning.state == "success"
    assert data_calls(sandbox, gone) == []
    assert withdrawals(warehouse) == [("号2", True)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.incident WHERE kind = 'withdrawn'") == [
        (1,)
    ]
    assert told_of_withdrawals(receiver) == [OPENED]


def test_an_account_that_wechat_lists_but_calls_unauthorised_is_red(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """WeChat's word of one call is not enough: else its figures would stop behind green runs."""
    fine, lacking = platform.authorize(2)
    listed = sandbox.component.page(0, 500)

    def withdraw(call: Call) -> None:
        if call.appid == lacking.appid and call.publication_date:
            sandbox.before_delivery = None
            sandbox.component.withdraw(lacking.appid)

    sandbox.before_delivery = withdraw
    monkeypatch.setattr(sandbox.component, "page", lambda *_: listed)
    outcome = platform.dag.run()
    next_morning = platform.dag.on(1)

    assert (outcome.state, next_morning.state) == ("failed", "failed")
    (line,) = next_morning.told("check")
    assert line.startswith("号2: have it authorised, or leave it out of weixin_accounts (it has ")
    assert {key[0] for key in loaded(warehouse)} >= {fine.appid}
    assert [it.problem.errcode for it in trouble(warehouse)] == [61003]


def test_an_account_that_withdraws_while_it_is_asked_by_its_name_is_red(
    platform: PlatformDag, sandbox: Sandbox
):
    """Whoever wants its figures is told that there are none."""
    _, gone = platform.authorize(2)

    def withdraw(call: Call) -> None:
        if call.appid == gone.appid and call.publication_date:
            sandbox.before_delivery = None
            sandbox.component.withdraw(gone.appid)

    sandbox.before_delivery = withdraw
    outcome = platform.dag.run(accounts=[gone.appid])

    assert outcome.errors[-1] == ("check", NOT_IN)
    assert "号2: have it authorised again, or leave it" in outcome.log


# ------------------------------------------------------------------------------------ secrets


def on_the_page(run_id: str) -> dict[str, str]:
    """Everything that the page's server answers."""
    from fastapi.testclient import TestClient

    from weixin_etl.orchestration.page.app import app
    from weixin_etl.orchestration.page.reader import Reader, reader

    dataset = "dataset=article_total"
    app.dependency_overrides[reader] = lambda: Reader(tuple(DATASETS.values()))
    try:
        client = TestClient(app)
        answers = {
            path: client.get(path).text
            for path in (
                "/health",
                "/api/problems",
                f"/api/calendar?{dataset}",
                f"/api/pair?{dataset}&appid=wx0000000000000002&day=2026-11-23",
                f"/api/runs?{dataset}",
                f"/api/run?{dataset}&run_id={quote(run_id)}",
            )
        }
    finally:
        app.dependency_overrides.clear()
    return answers


def test_no_token_ticket_or_secret_is_left_anywhere(
    platform: PlatformDag,
    sandbox: Sandbox,
    receiver: Receiver,
    warehouse: Engine,
    metadata: Engine,
    dags_test: Callable[[str], Done],
    tmp_path: Path,
):
    """
    In print and logs at DEBUG, both databases, messages and the page.

    Of a run in which accounts are refused in every way there is, and of one without a good ticket.
    """
    sandbox.component.rotates_refresh_tokens = True
    _, invalid, lacking, refused, renamed, gone = platform.authorize(6)
    platform.dag.set("AIRFLOW__WEIXIN__RETRIES", "0")
    platform.dag.set("AIRFLOW__WEIXIN__CALL_TRIES", "2")
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.component.revoke_permission(lacking.appid)
    sandbox.scenarios[:] = [
        Scenario("list-call:bad-json", times=1),
        Scenario("token-call:errcode:61023", account=invalid.appid),
        Scenario("errcode:40001", account=refused.appid),
        Scenario("info-call:cut-answer", account=renamed.appid),
    ]

    def withdraw(call: Call) -> None:
        if call.appid == gone.appid and call.publication_date == WINDOW[-2]:
            sandbox.component.withdraw(gone.appid)

    sandbox.before_delivery = withdraw
    first = dags_test("2026-11-24")
    sandbox.before_delivery = None
    spoil(platform, "old", warehouse)
    second = dags_test("2026-11-24")

    (run_id,) = rows(warehouse, "SELECT DISTINCT run_id FROM weixin.run_report")[0]
    for sentence in ("61023", "61007", "61003", "40001"):
        assert sentence in first.stdout
    assert "weixin_platform_ticket" in second.stdout
    ours = [DEFAULT_COMPONENT.secret, os.environ["AIRFLOW__CORE__FERNET_KEY"]]
    hidden = [*ours, *sandbox.component.issued_secrets, *sandbox.issued_tokens]
    said = {f"first {name}": text for name, text in printed(first).items()}
    said |= {f"second {name}": text for name, text in printed(second).items()}
    said |= on_the_page(run_id) | {"messages": str(receiver.messages)}
    databases = {"airflow": metadata, "weixin": warehouse}
    assert len(hidden) > 15
    assert places(hidden, said, [tmp_path], databases) == set()
    # the search finds what may be there
    assert places(["号2", refused.appid], said, [tmp_path], databases) >= {
        "first stdout",
        "/health",
        "/api/problems",
        "messages",
        "weixin.platform_token.appid",
    }
