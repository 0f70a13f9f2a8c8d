"""Mornings in a row, run by Airflow: what an endpoint, accounts and a platform go through."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from dag_runs import WINDOW, DailyDag, asked, in_truth
from sqlalchemy import Engine
from support.receivers import Receiver
from world.truth import facts

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Call, Scenario

TICKET = "AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET"
Change = Callable[[DailyDag], object]
"""What happens before a morning."""


def account(number: int) -> Account:
    """One that may authorise the platform."""
    return Account(f"wx{number:016x}", "", f"号{number}")


def meet(*scenarios: Scenario) -> Change:
    """WeChat goes wrong so, from now on."""
    return lambda dag: dag.sandbox.scenarios.__setitem__(slice(None), scenarios)


def authorize(*numbers: int) -> Change:
    """Accounts of these numbers authorise the platform, or do so again."""
    return lambda dag: [dag.sandbox.component.authorize(account(it)) for it in numbers]


def end_ticket(dag: DailyDag) -> None:
    """The ticket and all tokens are good for nothing any more."""
    dag.sandbox.component.expire_tickets()
    dag.sandbox.component.expire_tokens()
    dag.sandbox.expire_tokens()


def push_ticket(dag: DailyDag) -> None:
    """There is a new one, and nothing else is good any more."""
    end_ticket(dag)
    dag.set(TICKET, dag.sandbox.component.push_ticket())


def push_ticket_later(dag: DailyDag) -> None:
    """That happens as soon as yesterday has been asked for."""

    def then(call: Call) -> None:
        if call.publication_date and call.publication_date >= WINDOW[-1]:
            dag.sandbox.before_delivery = None
            push_ticket(dag)

    dag.sandbox.before_delivery = then


def move(conn_id: str) -> Change:
    """An account is collected by its own secret, or with all of a token service or platform."""

    def change(dag: DailyDag) -> None:
        moving = replace(account(1), secret="its own secret")
        dag.sandbox.accounts[moving.appid] = moving
        dag.sandbox.component.authorize(moving)
        dag.connect(moving, "weixin_own")
        service = {"token_url": f"{dag.url}/token-service"}
        dag.connect(Account("", "", "company"), "weixin_service", extra=service)
        dag.collect(conn_id)

    return change


def own(dag: DailyDag) -> None:
    """It is the account of a connection that is collected, whose endpoint WeChat takes offline."""
    dag.sandbox.accounts[DEFAULT_ACCOUNT.appid] = DEFAULT_ACCOUNT
    dag.collect("weixin_default")
    meet(Scenario("offline"))(dag)


def same(_: DailyDag) -> None:
    """Nothing happens."""


G, R = "success", "failed"
NO_TOKEN, RETIRED = "weixin_platform gets no token", "春风: endpoint retired"
LIVES: dict[str, tuple[list[tuple[Change, str, int, Sequence[str]]], Sequence[str]]] = {
    # each morning: what happens, the run's state, its calls, whom its check names; what was told
    "a retired endpoint is asked once a morning until it is back": (
        [
            (own, R, 7, ["春风 47009"]),
            *[(same, G, 1, [])] * 2,
            (meet(), G, 1, []),
            (same, G, 11, []),
        ],
        [RETIRED, "春风 not asked", f"over: {RETIRED}"],
    ),
    "without a good ticket nothing is asked in vain": (
        [
            (authorize(1, 2, 3), G, 21, []),
            (end_ticket, R, 0, ["weixin_platform 61005"]),
            (push_ticket, G, 27, []),
        ],
        [NO_TOKEN, f"over: {NO_TOKEN}"],
    ),
    "a ticket that is replaced during the run is used": (
        [(authorize(1, 2), G, 14, []), (push_ticket_later, G, 16, [])],
        [],
    ),
    "an account that withdrew is told, and asked again when it authorises": (
        [
            (authorize(1, 2), G, 14, []),
            (lambda it: it.sandbox.component.withdraw(account(2).appid), G, 8, []),
            (same, G, 8, []),
            (authorize(2), G, 18, []),
        ],
        ["号2: no longer collected"],
    ),
    "a bad minute costs nobody a morning": (
        [(authorize(1, 2), G, 14, []), (meet(Scenario("list-call:busy", times=5)), G, 16, [])],
        [],
    ),
    "an account that moves is the same one, which is asked for what it lacks": (
        [
            (move("weixin_own"), G, 7, []),
            (move("weixin_service"), G, 8, []),
            (move("weixin_platform"), G, 8, []),
        ],
        [],
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_mornings_in_a_row(platform: DailyDag, receiver: Receiver, warehouse: Engine, name: str):
    """What was missed is brought in by the next good one; a trouble is told once, and over once."""
    mornings, told = LIVES[name]
    platform.retries, seen = 2, []
    for day, (change, *_) in enumerate(mornings):
        change(platform)
        platform.sandbox.calls.clear()
        outcome = platform.on(day)
        seen.append((outcome.state, asked(platform.sandbox), sorted(outcome.told("check"))))

    assert seen == [tuple(expected) for _, *expected in mornings]
    assert [it.removeprefix("weixin-etl: ") for it in receiver.titles] == [*told]
    assert facts(warehouse, ARTICLE_TOTAL) == in_truth(warehouse, platform.sandbox)
