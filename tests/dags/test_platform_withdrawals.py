"""Runs of a third-party platform whose accounts withdraw their authorisation."""

from datetime import date

from dag_runs import MORNING, WINDOW, PlatformDag, november, rows
from figures import loaded, truth
from platform_runs import ACTIVE, conn_ids, data_calls
from receivers import Receiver
from sqlalchemy import Engine

from weixin_sandbox import Account, Call, Sandbox


def test_an_account_that_withdrew_is_no_longer_collected(
    platform: PlatformDag,
    sandbox: Sandbox,
    sandbox_url: str,
    warehouse: Engine,
    receiver: Receiver,
):
    """
    The run is green, and it is told once; authorised again, its missed days come in.

    An account with a connection of its own goes on by that, and nobody is told.
    """
    accounts = platform.authorize(2)
    _, gone = accounts
    both = Account("wx00000000000000aa", "its own secret", "自")
    sandbox.component.authorize(both)
    platform.dag.connect(both, sandbox_url, "own")
    platform.dag.collect(["weixin_platform", "own"])
    platform.dag.run()
    for account in (gone, both):
        sandbox.component.withdraw(account.appid)
    sandbox.calls.clear()

    first, second = platform.dag.on(1), platform.dag.on(2)

    assert (first.state, second.state) == ("success", "success")
    assert data_calls(sandbox, gone) == []
    assert {*data_calls(sandbox, both)} <= {0, None}
    assert rows(warehouse, ACTIVE) == [("own",), *conn_ids(accounts[:1])]
    assert [it for it in receiver.titles if "collected" in it] == [
        "weixin-etl: 号2: no longer collected"
    ]

    sandbox.component.authorize(gone)
    again = platform.dag.on(3)

    assert again.state == "success"
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
    assert loaded(warehouse).keys() == (
        truth(sandbox, [*accounts, both], days, date(2026, 11, 27)).keys()
    )


def test_an_account_that_withdraws_during_the_run(
    platform: PlatformDag, sandbox: Sandbox, warehouse: Engine
):
    """The run is red by it alone, the others are in; the next morning asks it no more."""
    fine, gone = platform.authorize(2)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")

    def withdraw(call: Call) -> None:
        if call.appid == gone.appid and call.publication_date == WINDOW[-5]:
            sandbox.before_delivery = None
            sandbox.component.withdraw(gone.appid)

    sandbox.before_delivery = withdraw
    outcome = platform.dag.run()
    calls, figures = data_calls(sandbox, gone), loaded(warehouse)
    sandbox.calls.clear()
    next_morning = platform.dag.on(1)

    assert outcome.state == "failed"
    (line,) = outcome.told("check")
    assert line.startswith("号2: ")
    assert calls == [0] * 5 + [61003]
    assert figures == truth(sandbox, [fine], WINDOW, MORNING.date()) | truth(
        sandbox, [gone], WINDOW[-5:], MORNING.date()
    )
    assert next_morning.state == "success"
    assert data_calls(sandbox, gone) == []
