"""Runs of a third-party platform: its accounts, its tokens, its ticket."""

import json
from collections import Counter
from datetime import date

import pytest
from conftest import PlatformDag
from dag_runs import MORNING, WINDOW, Figures, Outcome, asked, loaded, november, rows, truth
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_sandbox import DEFAULT_COMPONENT, Account, Sandbox, Scenario

OF_PLATFORM = "/cgi-bin/component/"
ACTIVE = "SELECT conn_id FROM weixin.dim_account WHERE is_active ORDER BY conn_id"


def component_calls(sandbox: Sandbox) -> Counter[str]:
    """How often each of a platform's own calls was made."""
    return Counter(
        call.path.removeprefix(OF_PLATFORM)
        for call in sandbox.calls
        if call.path.startswith(OF_PLATFORM)
    )


def truths(
    sandbox: Sandbox, accounts: list[Account], days: list[date] = WINDOW, on: date = MORNING.date()
) -> Figures:
    """What the sandbox knows of several accounts."""
    return {
        key: figures
        for account in accounts
        for key, figures in truth(sandbox, account, days, on).items()
    }


def conn_ids(accounts: list[Account]) -> list[tuple[str]]:
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
    first = platform.authorize(1)
    platform.dag.run()
    new = platform.authorize(2)

    outcome = platform.dag.on(1)
    later = platform.dag.on(2)

    assert outcome.state == "success"
    lacks = (
        "2 accounts are new: 号2, 号3; daily runs ask for their days from 2026-11-18 on, for "
        "earlier ones trigger a run with begin_date and end_date"
    )
    assert lacks in outcome.log
    assert "are new" not in later.log
    days = november(18, 19, 20, 21, 22, 23, 24, 25)
    of_new = {key for key in loaded(warehouse) if key[0] in {it.appid for it in new}}
    assert of_new == truths(sandbox, new, days, date(2026, 11, 26)).keys()
    assert first


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


# --------------------------------------------------------------------------- ticket, list


def spoil(platform: PlatformDag, how: str) -> None:
    """Let the platform have no token and no ticket that is good for one."""
    platform.sandbox.component.expire_tokens()
    match how:
        case "missing":
            platform.dag.monkeypatch.delenv("AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET")
        case "old":
            platform.sandbox.component.expire_tickets()
        case "wrong":
            platform.set_ticket("ticket@@@nobody's")


CAUSES = {
    "missing": "let your receiver write it into the Airflow Variable weixin_platform_ticket "
    "(WeChat's component_verify_ticket is missing)",
    "old": "mend what writes WeChat's component_verify_ticket into the Airflow Variable "
    "weixin_platform_ticket (the platfo…",
    "wrong": "mend what writes WeChat's component_verify_ticket into the Airflow Variable "
    "weixin_platform_ticket (the platfo…",
}


@pytest.mark.parametrize("how", CAUSES)
def test_without_a_good_ticket_one_sentence_names_the_variable(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine, how: str
):
    """
    Nothing is asked in vain, however many accounts there are, and they stay in the list.

    The next morning with a good ticket brings the missed days in.
    """
    accounts = platform.authorize(6)
    platform.dag.run()
    sandbox.calls.clear()
    spoil(platform, how)

    outcome = platform.dag.on(1)
    calls, active = component_calls(sandbox), rows(warehouse, ACTIVE)
    platform.set_ticket(sandbox.component.push_ticket())
    next_morning = platform.dag.on(2)

    assert outcome.state == "failed"
    print(outcome.problems, calls)
    (line,) = outcome.told("refresh_access_token")
    assert CAUSES[how] in line
    assert outcome.told("check") == [line]
    assert calls.total() <= 3
    assert active == conn_ids(accounts)
    assert next_morning.state == "success"
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25)
    assert loaded(warehouse).keys() == truths(sandbox, accounts, days, date(2026, 11, 26)).keys()
