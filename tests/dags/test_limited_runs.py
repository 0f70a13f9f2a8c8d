"""A run limited to some of the accounts."""

import pytest
from dag_runs import WINDOW, DailyDag, asked

from weixin_sandbox import Sandbox


@pytest.mark.parametrize("wanted", ["a1", "wx0000000000000002"])
def test_an_account_is_chosen_by_connection_or_appid(
    daily: DailyDag, sandbox: Sandbox, accounts, wanted: str
):
    """Nobody else is asked, not even for a token."""
    _, second, _ = accounts(3)

    outcome = daily.run(accounts=[wanted])

    assert outcome.state == "success"
    assert outcome.labels == ["号2"]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert {call.appid for call in sandbox.calls} == {second.appid}


def test_an_unknown_account_is_refused(daily: DailyDag, sandbox: Sandbox, accounts):
    """
    A name that nobody configured is a mistake, not an empty run.

    Those that are configured are named, nearest first, with every id the form takes.
    """
    accounts(2)

    outcome = daily.run(accounts=["a1", "号7"])

    assert outcome.state == "failed"
    line = (
        "accounts: weixin_accounts has no connection id or appid 号7; there are "
        "号1 (a0, wx0000000000000001), 号2 (a1, wx0000000000000002)"
    )
    assert outcome.problems == [("refresh_access_token", line), ("check", line)]
    assert [task for task, _ in outcome.errors] == ["refresh_access_token", "check"]
    assert sandbox.calls == []


def test_a_limited_run_leaves_the_other_accounts_active(daily: DailyDag, warehouse, accounts):
    """Accounts that a run was not asked for stay as they are."""
    accounts(2)
    daily.run()

    daily.run(accounts=["a0"])

    with warehouse.connect() as connection:
        active = connection.exec_driver_sql("SELECT conn_id, is_active FROM weixin.dim_account")
        assert sorted(map(tuple, active)) == [("a0", True), ("a1", True)]
