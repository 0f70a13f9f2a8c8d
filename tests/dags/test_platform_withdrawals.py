"""Runs of a third-party platform whose accounts withdraw their authorisation."""

from datetime import date

from dag_runs import MORNING, WINDOW, PlatformDag, asked, november, rows
from figures import loaded, truth
from platform_runs import ACTIVE, component_calls, conn_ids, data_calls, shown, trouble
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.problem import ProblemKind
from weixin_sandbox import Account, Call, Sandbox


def withdrawals(warehouse: Engine) -> list[tuple[str, bool]]:
    """The open withdrawals: the account, and whether it is only a warning."""
    return [
        (it.problem.account, it.is_warning)
        for it in shown(warehouse).open
        if it.problem.kind is ProblemKind.WITHDRAWN
    ]


WITHDRAWN = "号2: have it authorised again if you want its figures (its owner withdrew"
OPENED = "weixin-etl: 号2: authorisation withdrawn"


def told_of_withdrawals(receiver: Receiver) -> list[str]:
    """The titles of the messages about it."""
    return [title for title in receiver.titles if "withdrawn" in title]


def test_an_account_that_withdrew_is_told_once_and_not_asked(
    platform: PlatformDag,
    sandbox: Sandbox,
    sandbox_url: str,
    warehouse: Engine,
    receiver: Receiver,
):
    """
    The run is green, and the warning stays on the status, until it is authorised again.

    Then its missed days come in, and that it is over is told. An account with a connection of its
    own goes on by that, and nobody is told of its withdrawal.
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
    assert WITHDRAWN in first.log
    assert not first.problems
    assert data_calls(sandbox, gone) == []
    assert {*data_calls(sandbox, both)} <= {0, None}
    assert asked(sandbox, both.appid)[date(2026, 11, 25)] == 1
    assert component_calls(sandbox)["api_get_authorizer_info"] == 2
    assert rows(warehouse, ACTIVE) == [("own",), *conn_ids(accounts[:1])]
    assert withdrawals(warehouse) == [("号2", True)]
    assert told_of_withdrawals(receiver) == [OPENED]

    sandbox.component.authorize(gone.appid)
    again = platform.dag.on(3)

    assert again.state == "success"
    assert withdrawals(warehouse) == []
    assert told_of_withdrawals(receiver) == [OPENED, OPENED.replace(": ", ": over: ", 1)]
    days = november(17, 18, 19, 20, 21, 22, 23, 24, 25, 26)
    assert loaded(warehouse).keys() == (
        truth(sandbox, [*accounts, both], days, date(2026, 11, 27)).keys()
    )


def test_an_account_that_withdraws_during_the_run(
    platform: PlatformDag,
    sandbox: Sandbox,
    warehouse: Engine,
    receiver: Receiver,
):
    """Green with a warning, the others are in; one incident, and the next morning asks no more."""
    fine, gone = platform.authorize(2)
    platform.dag.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")

    def withdraw(call: Call) -> None:
        if call.appid == gone.appid and call.publication_date == WINDOW[-5]:
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
    assert calls == [0] * 5 + [61003]
    assert figures == truth(sandbox, [fine], WINDOW, MORNING.date()) | truth(
        sandbox, [gone], WINDOW[-5:], MORNING.date()
    )
    assert after_run == ([("号2", True)], [])
    assert next_morning.state == "success"
    assert data_calls(sandbox, gone) == []
    assert withdrawals(warehouse) == [("号2", True)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.incident WHERE kind = 'withdrawn'") == [
        (1,)
    ]
    assert told_of_withdrawals(receiver) == [OPENED]
