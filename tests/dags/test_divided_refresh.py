"""refresh_access_token divided into several tasks, as with thousands of accounts."""

from collections import Counter

import pytest
from dag_runs import MORNING, WINDOW, DailyDag, asked, loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import Sandbox


@pytest.fixture(autouse=True)
def divided(daily: DailyDag) -> None:
    """Three tasks."""
    daily.set("AIRFLOW__WEIXIN__REFRESH_TASKS", "3")


def token_calls(sandbox: Sandbox) -> Counter[str | None]:
    """How often each account's token was asked for."""
    return Counter(call.appid for call in sandbox.calls if call.publication_date is None)


def test_every_account_is_in_one_part(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """All are loaded, and each is asked for its token once."""
    made = accounts(5)

    outcome = daily.run()

    assert outcome.state == "success"
    assert "starting task_id=refresh_access_token map_index=2" in outcome.log
    # a process keeps its tokens, and these tasks share one
    assert token_calls(sandbox) == {account.appid: 1 for account in made}
    expected: dict = {}
    for account in made:
        expected |= truth(sandbox, account, WINDOW, MORNING.date())
    assert loaded(warehouse) == expected


def test_connections_of_one_account_in_two_parts_are_one_account(
    daily: DailyDag, sandbox: Sandbox, sandbox_url: str, accounts
):
    """The one that gets a token is used."""
    first, second = accounts(2)
    daily.connect(first, sandbox_url, "a0", password="not the secret")
    daily.connect(first, sandbox_url, "again")
    daily.collect(["a0", "a1", "again"])

    outcome = daily.run()

    assert outcome.state == "success"
    assert asked(sandbox, first.appid) == asked(sandbox, second.appid) == dict.fromkeys(WINDOW, 1)


def test_what_is_wrong_in_one_part_is_told(daily: DailyDag, sandbox: Sandbox, accounts):
    """A connection that is missing makes the run red; the accounts of the other parts are in."""
    accounts(2)
    daily.collect(["a0", "a1", "forgotten"])

    outcome = daily.run()

    assert outcome.errors == [
        ("check", "forgotten: there is no such Airflow connection; create it with type weixin"),
    ]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 2)


def test_a_part_that_fails_is_told(daily: DailyDag, sandbox: Sandbox):
    """By the task's name, however many parts failed; nothing is asked for."""
    daily.set("AIRFLOW_VAR_WEIXIN_ACCOUNTS", "weixin_default")

    outcome = daily.run()

    assert [task for task, _ in outcome.errors] == [*["refresh_access_token"] * 3, "check"]
    assert outcome.said("check") == "failed: plan, refresh_access_token; see the log of each"
    assert sandbox.calls == []


def test_an_unknown_account_is_refused(daily: DailyDag, sandbox: Sandbox, accounts):
    """No part knows all accounts: the plan, which does, refuses; no figure is asked for."""
    accounts(3)

    outcome = daily.run(accounts=["a1", "a7"])

    assert [task for task, _ in outcome.errors] == ["plan", "check"]
    assert outcome.said("plan").startswith("accounts: a7 is no connection id or appid of")
    assert asked(sandbox) == {}


def test_an_account_is_chosen_by_connection_or_appid(daily: DailyDag, sandbox: Sandbox, accounts):
    """Nobody else is asked, not even for a token."""
    _, second, _ = accounts(3)

    outcome = daily.run(accounts=[second.appid])

    assert outcome.state == "success"
    assert {call.appid for call in sandbox.calls} == {second.appid}
