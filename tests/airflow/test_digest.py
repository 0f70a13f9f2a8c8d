"""Tests of the DAG `weixin_digest`, run by Airflow in this process, and of `weixin-etl digest`."""

from dataclasses import replace

import pytest
from dag_runs import WINDOW, DailyDag, Outcome
from sqlalchemy import Engine
from support import rows
from support.receivers import Receiver

from weixin_etl.cli import main
from weixin_sandbox import Scenario

DAY = "2026-11-23"
"""The day whose figures are told on the morning of the tests."""


@pytest.fixture
def channel(daily: DailyDag) -> Receiver:
    """Yield a receiver of messages, to which the connection `weixin_digest` leads."""
    with Receiver().serving() as receiver:
        daily.set("AIRFLOW_CONN_WEIXIN_DIGEST", receiver.connection)
        yield receiver


def tell(daily: DailyDag, at: str, days_later: int = 0) -> Outcome:
    """Run the DAG `weixin_digest` once at a time in Beijing."""
    daily.at(at, days_later)
    return replace(daily, dag_id="weixin_digest").run(None)


def state(outcome: Outcome) -> str:
    """Return the state of the run's only task."""
    return outcome.tasks["send_digest"]


def test_a_digest_is_sent_once_as_soon_as_all_figures_are_in(
    daily: DailyDag, channel: Receiver, warehouse: Engine
) -> None:
    """Neither a second run, nor one that asks WeChat again, sends it a second time."""
    assert state(tell(daily, "08:20")) == "skipped"  # nothing is collected
    daily.on(0, "10:30")
    assert state(tell(daily, "10:31")) == "success"
    (message,) = channel.messages
    assert (message["title"], message["type"]) == (f"WeChat, {DAY} (Mon)", "info")
    sql = "SELECT readers_increment FROM analytics.account_day WHERE calendar_date = :day"
    ((readers,),) = rows(warehouse, sql, day=DAY)
    assert f"\nReaders: {readers:,}, complete for 0 of 1 accounts\n" in message["message"]
    assert "\nNot complete:\n春风: article_total unconfirmed 2026-11-17\n" in message["message"]
    assert message["message"].endswith("\nhttp://airflow.example/weixin/")

    daily.on(0, "10:40")
    again = tell(daily, "12:00")
    assert state(again) == "skipped"
    assert f"the digest of {DAY} was sent at 2026-11-24 10:31 Beijing time" in again.log

    daily.on(1, "10:30")
    assert state(tell(daily, "10:31", days_later=1)) == "success"
    assert channel.titles == [f"WeChat, {DAY} (Mon)", "WeChat, 2026-11-24 (Tue)"]


def test_what_lacks_is_waited_for_until_noon_and_then_named(
    daily: DailyDag, channel: Receiver
) -> None:
    """The message says which account lacks which days and why, and how many the sums are of."""
    refused, _ = daily.accounts(2)
    daily.sandbox.scenarios[:] = [Scenario("unauthorized", refused.appid)]
    daily.on(0, "10:30")
    waiting = tell(daily, "11:59")
    assert (state(waiting), channel.messages) == ("skipped", [])
    assert f"the figures of {DAY} are not all in, they are sent at noon: 号0" in waiting.log

    assert state(tell(daily, "12:00")) == "success"
    (message,) = channel.messages
    assert message["type"] == "warning"
    *_, title, first, second, _ = message["message"].splitlines()
    assert title == "Not complete:"
    assert first == "号0 refused: article_total late 2026-11-17 to 2026-11-23"
    assert second == "号1: article_total unconfirmed 2026-11-17"
    assert "\nReaders: unknown" not in message["message"]
    assert ", complete for 0 of 2 accounts" in message["message"]


def test_what_comes_before_noon_is_sent_then(daily: DailyDag, channel: Receiver) -> None:
    """A morning on which WeChat was late for one day ends the wait when the day is in."""
    daily.sandbox.scenarios[:] = [Scenario("http-500", day=WINDOW[3], times=10)]
    daily.on(0, "08:30")
    assert state(tell(daily, "08:40")) == "skipped"
    daily.sandbox.scenarios.clear()
    daily.on(0, "09:30")
    assert state(tell(daily, "09:40")) == "success"


@pytest.mark.parametrize("connection", ["", '{"conn_type": "apprise", "extra": {}}'])
def test_a_digest_without_receivers_is_red_and_says_what_to_create(
    daily: DailyDag, connection: str
) -> None:
    """The next run sends it, once the connection leads to a receiver."""
    if connection:
        daily.set("AIRFLOW_CONN_WEIXIN_DIGEST", connection)
    daily.on(0)
    outcome = tell(daily, "10:31")
    assert outcome.state == "failed"
    assert "create the Apprise connection weixin_digest" in outcome.problems[0][1]
    with Receiver().serving() as receiver:
        daily.set("AIRFLOW_CONN_WEIXIN_DIGEST", receiver.connection)
        assert state(tell(daily, "10:32")) == "success"
        assert len(receiver.messages) == 1


def test_a_refused_digest_is_tried_again(daily: DailyDag, channel: Receiver) -> None:
    """Nothing is recorded until a receiver takes the message, and no secret is logged."""
    daily.on(0)
    channel.answer = 500
    refused = tell(daily, "10:31")
    assert state(refused) == "failed"
    assert "s3cr3t" not in refused.log
    channel.answer = 200
    assert state(tell(daily, "10:32")) == "success"


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ([], [f"WeChat, {DAY} (Mon)\n", "1 account\n", "Most read:\n1. "]),
        (
            ["--language", "zh-CN"],
            ["微信公众号日报 2026-11-23（周一）\n", "1 个公众号\n", "阅读最多：\n1. "],
        ),
        (["--date", "2026-11-10"], ["Readers: unknown\n", "WeChat, 2026-11-10 (Tue)\n"]),
    ],
)
def test_the_command_prints_the_digest_and_sends_nothing(
    daily: DailyDag,
    channel: Receiver,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    texts: list[str],
) -> None:
    """The digest of any day is printed, by default yesterday's, in either language."""
    daily.on(0)
    capsys.readouterr()
    assert main(["digest", *arguments]) == 0
    output = capsys.readouterr().out
    for text in texts:
        assert text in output
    assert channel.messages == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--date", "2026-11-24"], "2026-11-24 is not over in Beijing: the last day is 2026-11-23"),
        ([], "no account is collected, so there is nothing to tell"),
    ],
)
def test_the_command_has_no_digest_of_a_day_or_an_account_to_come(
    daily: DailyDag, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    """A message would say that everything is late."""
    daily.at("10:30")
    capsys.readouterr()
    assert main(["digest", *arguments]) == 1
    assert capsys.readouterr().err == f"weixin-etl: {sentence}\n"
