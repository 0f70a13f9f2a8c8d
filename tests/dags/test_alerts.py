"""People are told of trouble once, when it is met for good, and once when it is over."""

from collections.abc import Callable
from typing import Any

import pytest
from dag_runs import DailyDag, rows
from receivers import Receiver
from sqlalchemy import Engine

from weixin_etl.run import ingest
from weixin_sandbox import Account, Sandbox, Scenario

OPEN = "SELECT kind, account, told_at IS NOT NULL FROM weixin.incident WHERE closed_at IS NULL"
OPEN_DAYS = "SELECT appid, count(*) FROM weixin.coverage WHERE NOT is_final"
REFUSED = [Scenario("unauthorized")]
LEFT = "weixin-etl: 沙箱公众号: no longer collected"
"""Where a test collects others."""


def at(daily: DailyDag, time_of_day: str) -> None:
    """Let it be that time of the morning, in Beijing."""
    daily.set("WEIXIN_NOW", f"2026-11-24T{time_of_day}:00+08:00")


@pytest.fixture
def told(daily: DailyDag, receiver: Receiver, sandbox: Sandbox, warehouse: Engine) -> Receiver:
    """Who is told, and already knows the sandbox's unknown metrics."""
    daily.set("AIRFLOW__API__BASE_URL", "http://airflow.example")
    at(daily, "09:00")
    daily.run()
    at(daily, "10:30")
    receiver.messages.clear()
    return receiver


def test_a_refused_account_is_told_once_and_so_is_its_recovery(
    daily: DailyDag, told: Receiver, sandbox: Sandbox, warehouse: Engine
):
    """Through runs that meet it again; the message links to the run and holds no secret."""
    sandbox.scenarios[:] = REFUSED
    first = daily.run(refetch=True)
    at(daily, "10:40")
    daily.run(refetch=True)
    sandbox.scenarios[:] = []
    at(daily, "11:45")
    daily.run(refetch=True)
    daily.run()

    assert told.titles == [
        "weixin-etl: 沙箱公众号 refused",
        "weixin-etl: over: 沙箱公众号 refused",
    ]
    line, since, link = told.messages[0]["message"].splitlines()
    assert line.startswith(
        "沙箱公众号: verify the account, or have permission set 7 granted (the account may not use "
        "this API: api unauthorized"
    )
    assert line.endswith("2026-11-17 to 2026-11-23 · weixin_default, errcode 48001")
    assert since == "since 2026-11-24 10:30 Beijing time"
    run = first.run_id.replace(":", "%3A").replace("+", "%2B")
    assert link == (
        "weixin_article_total: http://airflow.example/dags/weixin_article_total/runs/" + run
    )
    assert told.messages[1]["message"].splitlines()[1] == (
        "lasted 1 h 15 min, from 2026-11-24 10:30 to 2026-11-24 11:45 Beijing time"
    )
    assert rows(warehouse, OPEN) == []
    assert "s3cr3t" not in first.log


def test_it_is_told_when_its_last_try_ends_before_the_run_does(
    daily: DailyDag, told: Receiver, sandbox: Sandbox
):
    """By `ingest`; `report` and `check` find it told."""
    sandbox.scenarios[:] = REFUSED

    outcome = daily.run(refetch=True)

    lines = outcome.log.splitlines()
    told_at = next(n for n, line in enumerate(lines) if line.startswith("told: weixin-etl"))
    report_at = next(n for n, line in enumerate(lines) if "starting task_id=report" in line)
    assert told_at < report_at


def test_without_the_connection_the_log_is_all(daily: DailyDag, sandbox: Sandbox):
    """It says so, and nothing fails."""
    sandbox.scenarios[:] = REFUSED

    outcome = daily.run()

    assert "there is no Airflow connection weixin_alerts, so nobody is told" in outcome.log
    assert "incident opened: 沙箱公众号 refused" in outcome.log


def test_a_receiver_that_refuses_is_tried_by_the_next_task(
    daily: DailyDag, told: Receiver, sandbox: Sandbox
):
    """The run goes on, its log says that the message is not delivered, and names no address."""
    sandbox.scenarios[:] = REFUSED
    told.answer = 500
    outcome = daily.run(refetch=True)
    refused = told.refused
    told.answer = 200
    at(daily, "10:40")
    daily.run(refetch=True)

    assert refused >= 2
    assert "not delivered by JSON: weixin-etl: 沙箱公众号 refused" in outcome.log
    assert "s3cr3t" not in outcome.log
    assert told.titles == ["weixin-etl: 沙箱公众号 refused"]


def test_a_receiver_that_hangs_holds_no_run_up(
    daily: DailyDag, told: Receiver, sandbox: Sandbox, warehouse: Engine
):
    """A message that is not taken in seconds is not delivered."""
    sandbox.scenarios[:] = REFUSED
    told.answer = None

    outcome = daily.run(refetch=True)

    assert "not delivered by JSON: weixin-etl: 沙箱公众号 refused" in outcome.log
    assert rows(warehouse, OPEN) == [("configuration", "沙箱公众号", False)]
    assert not told.released.is_set()  # it still hangs


@pytest.mark.parametrize(
    "connection",
    [
        '{"conn_type": "apprise"}',
        '{"conn_type": "apprise", "extra": {"config": "s3cr3t"}}',
        '{"conn_type": "apprise", "extra": {"config": {"url": "s3cr3t://x"}}}',
        '{"conn_type": "apprise", "extra": {"config": {"path": "s3cr3t://x"}}}',
        '{"conn_type": "apprise", "extra": {"config": []}}',
    ],
)
def test_a_wrong_connection_is_a_warning_and_the_run_goes_on(
    daily: DailyDag, sandbox: Sandbox, connection: str
):
    """It says how to write it, and quotes nothing of it."""
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", connection)

    outcome = daily.run()

    assert outcome.state == "success"
    assert "the connection weixin_alerts has no address that Apprise knows" in outcome.log
    assert "s3cr3t" not in outcome.log


def test_of_two_receivers_one_that_took_it_is_enough(
    daily: DailyDag, told: Receiver, sandbox: Sandbox
):
    """Else the broken one would let the other get every message again and again."""
    daily.set(
        "AIRFLOW_CONN_WEIXIN_ALERTS",
        told.connection.replace(
            '"config": {', '"config": [{"path": "json://127.0.0.1:1"}, {'
        ).replace('"}}}', '"}]}}'),
    )
    sandbox.scenarios[:] = REFUSED
    outcome = daily.run(refetch=True)
    at(daily, "10:40")
    daily.run(refetch=True)

    assert "not delivered by JSON: weixin-etl: 沙箱公众号 refused" in outcome.log
    assert told.titles == ["weixin-etl: 沙箱公众号 refused"]


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

    assert told.titles == ["weixin-etl: 8 problems", LEFT]
    correct = "correct the password in the environment variable AIRFLOW_CONN_A"
    assert told.messages[0]["message"].count(correct) == 8
    lines = outcome.log.splitlines()
    told_at = next(n for n, line in enumerate(lines) if line.startswith("told: weixin-etl"))
    assert told_at < next(n for n, line in enumerate(lines) if "starting task_id=plan" in line)


def test_a_dry_run_tells_nothing(daily: DailyDag, told: Receiver, sandbox: Sandbox):
    """Nor is anything over by it."""
    sandbox.scenarios[:] = [Scenario("token-call:errcode:40164")]
    daily.run(dry_run=True)

    assert told.titles == []


def test_a_fault_of_the_program_is_told(
    daily: DailyDag, told: Receiver, monkeypatch: pytest.MonkeyPatch, warehouse: Engine
):
    """Once, by the task's last try, and its recovery."""

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("a fault")

    daily.set("AIRFLOW__WEIXIN__RETRIES", "1")
    with monkeypatch.context() as broke:
        broke.setattr(ingest, "require_one_time", broken)
        daily.run(refetch=True)
    at(daily, "10:40")
    daily.run(refetch=True)

    assert told.titles == [
        "weixin-etl: ingest: program fault",
        "weixin-etl: over: ingest: program fault",
    ]


def test_a_warehouse_that_is_down_is_told_directly(
    daily: DailyDag, told: Receiver, warehouse: Engine
):
    """By the task check alone: nothing can be recorded."""
    daily.set("AIRFLOW__WEIXIN__RETRIES", "0")
    daily.set(
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE",
        "postgres://nobody:s3cr3t@127.0.0.1:1/weixin?sslmode=disable",
    )

    outcome = daily.run()

    assert outcome.state == "failed"
    assert told.titles == ["weixin-etl: the warehouse does not work"]
    assert "the warehouse does not answer" in told.messages[0]["message"]
    assert "s3cr3t" not in told.messages[0]["message"]


def test_a_killed_ingest_is_told_by_the_check(
    daily: DailyDag, told: Receiver, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of ours ran at its end: the account was not asked."""

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit(137)

    daily.set("AIRFLOW__WEIXIN__RETRIES", "0")
    with monkeypatch.context() as kill:
        kill.setattr(ingest, "ingest", killed)
        daily.run(refetch=True)
    at(daily, "10:40")
    daily.run(refetch=True)

    assert told.titles == [
        "weixin-etl: 沙箱公众号 not asked",
        "weixin-etl: over: 沙箱公众号 not asked",
    ]


def test_a_form_filled_in_wrongly_is_for_the_person_who_did(daily: DailyDag, told: Receiver):
    """It ends readably, and nobody else is told."""
    one = daily.run(accounts=["nobody"])
    two = daily.run(begin_date="2026-11-20", end_date="2026-12-01")

    assert (one.state, two.state) == ("failed", "failed")
    assert told.titles == []


def test_an_account_that_leaves_the_list_is_told_once_and_listed_for_thirty_days(
    daily: DailyDag,
    receiver: Receiver,
    sandbox_url: str,
    warehouse: Engine,
    accounts: Callable[[int], list[Account]],
):
    """Left out of the Variable, or its connection has another AppID; until it is back."""
    first, _, third = accounts(3)
    daily.on(1)
    receiver.messages.clear()  # of unknown metrics
    days = [count for _, count in rows(warehouse, f"{OPEN_DAYS} GROUP BY appid ORDER BY appid")]
    daily.collect(["a0"])
    daily.connect(third, sandbox_url, "a0")
    one, two = daily.on(2), daily.on(3)
    listed = rows(warehouse, f"{OPEN} ORDER BY account")
    daily.connect(first, sandbox_url, "a1")
    daily.collect(["a0", "a1"])
    daily.on(4)
    back = rows(warehouse, OPEN)
    daily.on(33)

    assert (one.state, two.state) == ("success", "success")
    assert "2 accounts are no longer collected" in one.log
    assert "no longer collected" not in two.log
    assert receiver.titles == [
        "weixin-etl: 号1: no longer collected",
        "weixin-etl: 号2: no longer collected",
    ]
    assert [it["message"].splitlines()[0].split(" · ")[0] for it in receiver.messages] == [
        f"号1: give it a connection, or leave it (no longer collected, {days[0]} days open: "
        "a0 has another AppID now)",
        f"号2: put it back into weixin_accounts, or leave it (no longer collected, {days[1]} days "
        "open: weixin_accounts no longer names it)",
    ]
    assert set(days) <= {6, 7}
    assert listed == [("not_collected", "号1", True), ("not_collected", "号2", True)]
    assert back == [("not_collected", "号2", True)]
    assert rows(warehouse, OPEN) == []
