"""Runs of a third-party platform: its accounts, one by one or all, and its tokens."""

from datetime import date

import pytest
from dag_runs import WINDOW, PlatformDag, asked, loaded, november, rows
from platform_runs import ACTIVE, component_calls, conn_ids, data_calls, truths
from sqlalchemy import Engine

from weixin_etl.cli import main
from weixin_sandbox import Account, AccountKind, Sandbox, Scenario


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
