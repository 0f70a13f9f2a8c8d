"""Mornings in a row, run by Airflow: what an endpoint, accounts and a platform go through."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from dag_runs import MORNING, WINDOW, DailyDag, asked, in_truth
from figures import loaded
from receivers import Receiver
from sqlalchemy import Engine
from support import rows

from weixin_etl.datasets import ARTICLES_SET, DATASETS
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Call, Scenario

TICKET = "AIRFLOW_VAR_WEIXIN_PLATFORM_TICKET"
Change = Callable[[DailyDag], object]
"""What happens before a morning."""


def account(number: int) -> Account:
    """One of a platform, or of a token service."""
    return Account(f"wx{number:016x}", "", f"号{number}")


def meet(*scenarios: Scenario) -> Change:
    """WeChat goes wrong so, from now on."""
    return lambda dag: dag.sandbox.scenarios.__setitem__(slice(None), scenarios)


def authorize(*numbers: int) -> Change:
    """Accounts of these numbers authorise the platform, or do so again."""
    return lambda dag: [dag.sandbox.component.authorize(account(it)) for it in numbers]


def withdraw(dag: DailyDag) -> None:
    dag.sandbox.component.withdraw(account(2).appid)


def during(change: Change) -> Change:
    """It happens as soon as yesterday has been asked for."""

    def before(dag: DailyDag) -> None:
        def then(call: Call) -> None:
            if call.publication_date and call.publication_date >= WINDOW[-1]:
                dag.sandbox.before_delivery = None
                change(dag)

        dag.sandbox.before_delivery = then

    return before


def end_ticket(dag: DailyDag) -> None:
    """The ticket and all tokens are good for nothing any more."""
    dag.sandbox.component.expire_tickets()
    dag.sandbox.component.expire_tokens()
    dag.sandbox.expire_tokens()


def remove_ticket(dag: DailyDag) -> None:
    """Nor is there one."""
    end_ticket(dag)
    dag.monkeypatch.delenv(TICKET)


def push_ticket(dag: DailyDag) -> None:
    """There is a new one, and nothing else is good any more."""
    end_ticket(dag)
    dag.set(TICKET, dag.sandbox.component.push_ticket())


def serve(*numbers: int) -> Change:
    """The company's token service has these accounts; its connection stands for all of them."""

    def change(dag: DailyDag) -> None:
        dag.sandbox.accounts.update({it.appid: it for it in map(account, numbers)})
        extra = {"token_url": f"{dag.url}/token-service"}
        dag.connect(Account("", "", "company"), "company", extra=extra)
        dag.collect("company")

    return change


def move(conn_id: str) -> Change:
    """An account is collected by its own secret, by a token service's or by the platform."""

    def change(dag: DailyDag) -> None:
        moving = replace(account(1), secret="its own secret")
        dag.sandbox.accounts[moving.appid] = moving
        dag.sandbox.component.authorize(moving)
        dag.connect(moving, "weixin_own")
        service = {"name": moving.name, "token_url": f"{dag.url}/token-service"}
        dag.connect(moving, "weixin_service", password="", extra=service)
        dag.collect(conn_id)

    return change


def own(dag: DailyDag) -> None:
    """It is the account of a connection that is collected, whose endpoint WeChat takes offline."""
    dag.sandbox.accounts[DEFAULT_ACCOUNT.appid] = DEFAULT_ACCOUNT
    dag.collect("weixin_default")
    meet(Scenario("offline"))(dag)


def leave(dag: DailyDag) -> None:
    """Two of three go: from the Variable, and as a connection has the AppID of another."""
    dag.collect("a0")
    dag.connect(Account(account(2).appid, f"{2:032x}", "号2"), "a0")


def same(_: DailyDag) -> None:
    """Nothing happens."""


G, R, BUSY = "success", "failed", Scenario("list-call:busy")
NO_TOKEN, UNREACHABLE, WE = (
    "weixin_platform gets no token",
    "weixin_platform unreachable",
    "沙箱公众号",
)
LIVES: dict[str, tuple[list[tuple[Change, str, int | None, Sequence[str]]], Sequence[str]]] = {
    # each morning: what happens, the run's state, its calls (None: it depends on which account is
    # asked first), whom its check names; who was told
    "a retired endpoint is asked once a morning until it is back": (
        [
            (own, R, 7, [f"{WE} 47009"]),
            *[(same, G, 1, [])] * 2,
            (meet(), G, 1, []),
            (same, G, 11, []),
        ],
        [f"{WE}: endpoint retired", f"{WE} not asked"],
    ),
    "who leaves is told once": (
        [(lambda dag: dag.accounts(3), G, 21, []), (leave, G, 8, []), (same, G, 7, [])],
        ["号0: no longer collected, and 1 more"],
    ),
    "a new account of a platform begins with its window": (
        [(authorize(1), G, 7, []), (authorize(1, 2, 3), G, 22, []), (same, G, 23, [])],
        [],
    ),
    "without a good ticket nothing is asked in vain": (
        [
            (authorize(1, 2, 3), G, 21, []),
            (end_ticket, R, 0, ["weixin_platform 61005"]),
            (remove_ticket, R, 0, ["weixin_platform"]),
            (push_ticket, G, 30, []),
        ],
        [NO_TOKEN],
    ),
    "a ticket that ends during the run is one trouble": (
        [
            (authorize(1, 2, 3), G, 21, []),
            (during(end_ticket), R, 1, ["weixin_platform 61005"]),
            (push_ticket, G, 27, []),
        ],
        [NO_TOKEN],
    ),
    "a ticket that is replaced during the run is used": (
        [(authorize(1, 2), G, 14, []), (during(push_ticket), G, 16, [])],
        [],
    ),
    "an account that withdrew is told, and asked again when it authorises": (
        [
            (authorize(1, 2), G, 14, []),
            (withdraw, G, 8, []),
            (same, G, 7, []),
            (authorize(2), G, 17, []),
        ],
        ["号2: no longer collected"],
    ),
    "one that withdraws during the run is red by itself": (
        [
            (authorize(1, 2), G, 14, []),
            (during(withdraw), R, None, ["号2 61003"]),
            (same, G, 7, []),
        ],
        ["号2 refused", "号2: no longer collected"],
    ),
    "without its list a platform is not in": (
        [
            (authorize(1, 2), G, 14, []),
            (meet(BUSY), R, 0, ["weixin_platform -1"]),
            (meet(), G, 18, []),
        ],
        [UNREACHABLE],
    ),
    "a bad minute costs nobody a morning": (
        [(authorize(1, 2), G, 14, []), (meet(replace(BUSY, times=5)), G, 16, [])],
        [],
    ),
    "an account that moves is the same one, which is asked for what it lacks": (
        [
            (move("weixin_own"), G, 7, []),
            (move("weixin_service"), G, 8, []),
            (move("weixin_platform"), G, 7, []),
        ],
        [],
    ),
    "a token service stands for all its accounts": (
        [(serve(1), G, 7, []), (serve(1, 2), G, 15, [])],
        [],
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_mornings_in_a_row(platform: DailyDag, receiver: Receiver, warehouse: Engine, name: str):
    """What was missed is brought in by the next good one; a trouble is told once, and over once."""
    mornings, told = LIVES[name]
    platform.retries, seen = 2, []
    for day, (change, _, counted, _) in enumerate(mornings):
        change(platform)
        platform.sandbox.calls.clear()
        outcome = platform.on(day)
        calls = sum(asked(platform.sandbox).values())
        seen.append(
            (outcome.state, None if counted is None else calls, sorted(outcome.told("check")))
        )

    assert seen == [tuple(expected) for _, *expected in mornings]
    titles = [it.removeprefix("weixin-etl: ") for it in receiver.titles]
    assert [it for it in titles if not it.startswith("over")] == [*told]
    over = [f"over: {it}" for it in told if f"over: {it}" in titles]
    assert [it for it in titles if it.startswith("over")] == over
    assert over or not {NO_TOKEN, UNREACHABLE, f"{WE}: endpoint retired"} & {*told}
    assert loaded(warehouse) == in_truth(warehouse, platform.sandbox)


@pytest.mark.parametrize("name", ["article_share", "follower_change"])
def test_a_week_of_statistics_days(
    scheduled: DailyDag, platform: DailyDag, warehouse: Engine, name: str
):
    """
    A corrected figure, a late morning, a delayed answer and a missed day: the fact is the truth.

    One account has a connection; the other has granted a platform the articles but not the
    followers (61007): a dataset of followers lacks it, and none of articles does.
    """
    dataset, sandbox, appid = DATASETS[name], platform.sandbox, DEFAULT_ACCOUNT.appid
    sandbox.accounts[appid] = DEFAULT_ACCOUNT
    authorize(7)(platform)
    platform.collect("weixin_default", "weixin_platform")
    week = replace(scheduled, dag_id=dataset.dag_id)
    corrected, late, delayed = (WINDOW[-1] + timedelta(n) for n in range(3))
    has_it, ours = dataset.permission_set == ARTICLES_SET, {"endpoint": dataset.endpoint}
    sandbox.scenarios[:] = [
        *([] if has_it else [Scenario("errcode:61007", account(7).appid)]),
        Scenario("late-takeoff", appid, corrected, times=1, **ours),
        Scenario("empty", appid, late, times=2, **ours),
        Scenario("not-ready-code", appid, delayed, **ours),
    ]

    mornings = [week.on(0), week.on(1, "08:30"), week.on(2, "12:01")]
    sandbox.scenarios.pop()
    mornings += map(week.on, (4, 5, 6))  # nothing runs on the fourth morning

    assert [it.told("check") for it in mornings] == [[] if has_it else ["号7 61007"]] * 6
    green = [n for n, it in enumerate(mornings) if it.state == "success"]
    assert green == ([0, 1, 3, 4, 5] if has_it else [])
    assert loaded(warehouse, dataset) == in_truth(warehouse, sandbox, dataset)
    first, end = MORNING.date() - timedelta(dataset.window), date(2026, 11, 30)
    days = [first + timedelta(n) for n in range((end - first).days)]
    known = "SELECT day, settled = 'final' FROM weixin.coverage WHERE appid = :appid ORDER BY 1"
    final = end - timedelta(dataset.window)
    assert rows(warehouse, known, appid=appid) == [(it, it <= final or None) for it in days]
    replaced = "SELECT DISTINCT appid, stat_date, cause FROM weixin.fact_history"
    assert rows(warehouse, replaced) == [(appid, corrected, "wechat")]
