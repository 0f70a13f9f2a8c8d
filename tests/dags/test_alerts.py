"""People are told of trouble once, when it is met for good, and once when it is over."""

import json
from collections.abc import Callable

import pytest
from dag_runs import DailyDag, rows
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.orchestration.tasks import alerts
from weixin_sandbox import Account, Sandbox, Scenario

OPEN = "SELECT kind, account, told_at IS NOT NULL FROM weixin.incident WHERE closed_at IS NULL"
REFUSED = [Scenario("unauthorized")]
TITLE = "weixin-etl: 沙箱公众号 refused"
LEFT = "weixin-etl: 沙箱公众号: no longer collected"
"""Where a test collects others."""


def at(daily: DailyDag, time_of_day: str) -> None:
    """Let it be that time of the morning, in Beijing."""
    daily.set("WEIXIN_NOW", f"2026-11-24T{time_of_day}:00+08:00")


@pytest.fixture
def told(daily: DailyDag, receiver: Receiver, sandbox: Sandbox, warehouse: Engine) -> Receiver:
    """Who is told, after a green run."""
    daily.set("AIRFLOW__API__BASE_URL", "http://airflow.example")
    at(daily, "09:00")
    daily.run()
    at(daily, "10:30")
    receiver.messages.clear()
    return receiver


def test_a_refused_account_is_told_once_and_so_is_its_recovery(
    daily: DailyDag, told: Receiver, sandbox: Sandbox, warehouse: Engine
):
    """By the task that met it, whatever meets it again; with its type, a link and no secret."""
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", told.both)
    sandbox.scenarios[:] = REFUSED
    first = daily.run(refetch=True)
    at(daily, "10:40")
    daily.run(refetch=True)
    sandbox.scenarios[:] = []
    at(daily, "11:45")
    daily.run(refetch=True)
    daily.run()

    assert told.titles == [TITLE, TITLE.replace(": ", ": over: ", 1)]
    begun, over = told.messages
    line, link = begun["message"].splitlines()
    assert line.startswith(
        "article_total: 沙箱公众号: verify the account, or have permission set 7 granted (2 for "
        "followers) (the account may not use this API: api unauthorized"
    )
    assert line.endswith(
        "weixin_default, errcode 48001 · 2026-11-17 to 2026-11-23"
        " · since 2026-11-24 10:30 Beijing time"
    )
    assert link.startswith("http://airflow.example/weixin/#problem-")
    assert over["message"].splitlines()[0] == (
        "article_total: over: 沙箱公众号 refused · "
        "from 2026-11-24 10:30 to 2026-11-24 11:45 Beijing time"
    )
    assert (begun["type"], over["type"]) == ("failure", "success")
    for message, read in zip(told.messages, told.channel, strict=True):
        assert {message["title"], *message["message"].splitlines()} <= {*read["text"].splitlines()}
        assert f"-{message['type']}-" in read["icon_url"]
        assert read.keys() == {"text", "icon_url", "username"}
    assert rows(warehouse, OPEN) == []
    assert is_before(first.log, "told: weixin-etl", "starting task_id=report")
    assert "s3cr3t" not in first.log


def is_before(log: str, one: str, other: str) -> bool:
    """Whether the first line with one text comes before the first with the other."""
    return 0 <= log.index(one) < log.index(other)


def test_what_no_receiver_took_is_told_by_the_next_run(
    daily: DailyDag, told: Receiver, sandbox: Sandbox, warehouse: Engine
):
    """
    One that hangs or refuses holds no run up; of two, one that took the message is enough.

    Otherwise the broken one would let the other get every message again and again.
    """
    sandbox.scenarios[:] = REFUSED
    told.answer = None
    hanging = daily.run(refetch=True)
    untold = rows(warehouse, OPEN)
    is_hanging = not told.released.is_set()
    told.answer = 500
    at(daily, "10:40")
    refusing = daily.run(refetch=True)
    got_by_then = [*told.titles]
    told.answer = 200
    extra = json.loads(told.connection)["extra"]["config"]
    both = {"config": [{"path": "json://127.0.0.1:1"}, extra]}
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", json.dumps({"conn_type": "apprise", "extra": both}))
    at(daily, "10:50")
    broken = daily.run(refetch=True)
    daily.run(refetch=True)

    assert untold == [("configuration", "沙箱公众号", False)]
    assert is_hanging
    assert told.refused >= 2
    assert got_by_then == []
    for outcome in (hanging, refusing, broken):
        assert f"not delivered by JSON: {TITLE}" in outcome.log
        assert "s3cr3t" not in outcome.log
    assert told.titles == [TITLE]


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"config": "s3cr3t"},
        {"config": {"url": "s3cr3t://x"}},
        {"config": {"path": "s3cr3t://x"}},
        {"config": []},
    ],
)
def test_a_wrong_connection_is_a_warning(
    daily: DailyDag, caplog: pytest.LogCaptureFixture, extra: dict[str, object]
):
    """It says how to write it, and quotes nothing of it."""
    connection = json.dumps({"conn_type": "apprise", "extra": extra})
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", connection)

    assert alerts.sender() is None

    assert "the connection weixin_alerts has no address that Apprise knows" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_tokens_refused_are_told_before_anything_is_asked(
    daily: DailyDag,
    told: Receiver,
    sandbox: Sandbox,
    sandbox_url: str,
    accounts: Callable[[int], list[Account]],
):
    """Eight at once are one message, and no batch tells them again."""
    refused = accounts(9)
    for number, account in enumerate(refused[:8]):
        daily.connect(account, sandbox_url, f"a{number}", password="wrong")

    outcome = daily.run()

    first, left = told.titles
    assert first.endswith(" refused, and 7 more")
    assert left == LEFT
    correct = "correct the password in the connection a"
    assert told.messages[0]["message"].count(correct) == 8
    assert is_before(outcome.log, "told: weixin-etl", "starting task_id=plan")


def test_a_dry_run_tells_nothing(daily: DailyDag, told: Receiver, sandbox: Sandbox):
    """Nor is anything over by it."""
    sandbox.scenarios[:] = [Scenario("token-call:errcode:40164")]
    daily.run(dry_run=True)

    assert told.titles == []


def test_an_account_that_leaves_the_list_is_told_once(
    daily: DailyDag,
    receiver: Receiver,
    sandbox_url: str,
    warehouse: Engine,
    accounts: Callable[[int], list[Account]],
):
    """Left out of the Variable, or its connection has another AppID: that is no open incident."""
    _, _, third = accounts(3)
    daily.on(1)
    daily.collect(["a0"])
    daily.connect(third, sandbox_url, "a0")
    one, two = daily.on(2), daily.on(3)

    assert (one.state, two.state) == ("success", "success")
    assert one.log.count("metrics that are not known here") == 1
    assert "no longer collected: 号1, 号2" in one.log
    assert "no longer collected" not in two.log
    [message] = receiver.messages
    assert message["title"] == "weixin-etl: 号1: no longer collected, and 1 more"
    assert [line.split(": ")[1] for line in message["message"].splitlines()[:2]] == ["号1", "号2"]
    assert message["type"] == "warning"
    assert rows(warehouse, OPEN) == []
