"""
Tests of several mornings in a row, which Airflow runs.

In between, endpoints are retired, accounts move or withdraw, and a platform's ticket ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from dag_runs import WINDOW, DailyDag, day_calls, expected_facts
from sqlalchemy import Engine
from support.receivers import Receiver
from world.expected_tables import facts

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Call, Scenario

TICKET = "AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET"
Change = Callable[[DailyDag], object]
"""A function that changes the DAG's surroundings before a morning."""


def account(number: int) -> Account:
    """Return an account that may authorise the platform."""
    return Account(f"wx{number:016x}", "", f"号{number}")


def script(*scenarios: Scenario) -> Change:
    """Return a change that replaces the sandbox's scenarios."""
    return lambda dag: dag.sandbox.scenarios.__setitem__(slice(None), scenarios)


def authorize(*numbers: int) -> Change:
    """Return a change in which accounts with these numbers authorise the platform once more."""
    return lambda dag: [dag.sandbox.component.authorize(account(number)) for number in numbers]


def end_ticket(dag: DailyDag) -> None:
    """End the validity of the ticket and of all tokens."""
    dag.sandbox.component.expire_tickets()
    dag.sandbox.component.expire_tokens()
    dag.sandbox.expire_tokens()


def push_ticket(dag: DailyDag) -> None:
    """End the ticket and all tokens, and push a new ticket."""
    end_ticket(dag)
    dag.set(TICKET, dag.sandbox.component.push_ticket())


def push_ticket_later(dag: DailyDag) -> None:
    """Push a new ticket as soon as yesterday's figures are asked for."""

    def then(call: Call) -> None:
        if call.publication_date and call.publication_date >= WINDOW[-1]:
            dag.sandbox.before_delivery = None
            push_ticket(dag)

    dag.sandbox.before_delivery = then


def move(conn_id: str) -> Change:
    """Return a change that collects an account by its own secret, a token service or a platform."""

    def change(dag: DailyDag) -> None:
        moving = replace(account(1), secret="its own secret")
        dag.sandbox.accounts[moving.appid] = moving
        dag.sandbox.component.authorize(moving)
        dag.connect(moving, "weixin_own")
        service = {"token_url": f"{dag.url}/token-service"}
        dag.connect(Account("", "", "company"), "weixin_service", extra=service)
        dag.collect(conn_id)

    return change


def collect_retired(dag: DailyDag) -> None:
    """Collect the account of a connection, and let WeChat retire its endpoint."""
    dag.sandbox.accounts[DEFAULT_ACCOUNT.appid] = DEFAULT_ACCOUNT
    dag.collect("weixin_default")
    script(Scenario("offline"))(dag)


def unchanged(_: DailyDag) -> None:
    """Change nothing."""


G, R = "success", "failed"
NO_TOKEN, RETIRED = "weixin_platform gets no token", "春风: endpoint retired"
SEQUENCES: dict[str, tuple[list[tuple[Change, str, int, Sequence[str]]], Sequence[str]]] = {
    # For each morning: the change, the run's state, its calls and the errors of its check. Then the
    # titles of all messages.
    "a retired endpoint is asked once a morning until it is back": (
        [
            (collect_retired, R, 7, ["春风 47009"]),
            *[(unchanged, G, 1, [])] * 2,
            (script(), G, 1, []),
            (unchanged, G, 11, []),
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
            (lambda dag: dag.sandbox.component.withdraw(account(2).appid), G, 8, []),
            (unchanged, G, 8, []),
            (authorize(2), G, 18, []),
        ],
        ["号2: no longer collected"],
    ),
    "a bad minute costs nobody a morning": (
        [(authorize(1, 2), G, 14, []), (script(Scenario("list-call:busy", times=5)), G, 16, [])],
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


@pytest.mark.parametrize("name", SEQUENCES)
def test_mornings_in_a_row(platform: DailyDag, receiver: Receiver, warehouse: Engine, name: str):
    """The next good morning brings missed days. A problem is notified once, and once as over."""
    mornings, titles = SEQUENCES[name]
    platform.retries, seen = 2, []
    for day, (change, *_) in enumerate(mornings):
        change(platform)
        platform.sandbox.calls.clear()
        outcome = platform.on(day)
        errors = sorted(outcome.errors_of("check"))
        seen.append((outcome.state, day_calls(platform.sandbox), errors))

    assert seen == [tuple(expected) for _, *expected in mornings]
    assert [title.removeprefix("weixin-etl: ") for title in receiver.titles] == [*titles]
    assert facts(warehouse, ARTICLE_TOTAL) == expected_facts(warehouse, platform.sandbox)
