"""Tests of messages to receivers that hang or refuse, and of `status` while a run is active."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from dag_runs import WINDOW, DailyDag, set_paused
from support.receivers import Receiver

from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.orchestration.commands.status import show_status
from weixin_etl.orchestration.tasks import observations
from weixin_sandbox import Call, Scenario

TITLE = "weixin-etl: 春风 refused"


def lead_to(daily: DailyDag, extra: dict[str, Any]) -> None:
    connection = json.dumps({"conn_type": "apprise", "extra": extra})
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", connection)


def test_an_undelivered_message_is_sent_by_the_next_run(daily: DailyDag, receiver: Receiver):
    """A receiver that hangs or refuses stops no run. One accepting receiver of two is enough."""
    daily.sandbox.scenarios[:] = [Scenario("unauthorized")]
    told, undelivered = [], []
    for minute, receiver.answer in enumerate((None, 500, 200, 200)):
        if minute == 2:
            paths = ("json://127.0.0.1:1", receiver.path)
            lead_to(daily, {"config": [{"path": path} for path in paths]})
        log = daily.on(0, f"10:3{minute}").log
        assert "s3cr3t" not in log
        report = log.index("starting task_id=report")
        told.append(f"told: {TITLE}" in log[:report])
        undelivered.append(f"not delivered by JSON: {TITLE}" in log)

    assert (told, undelivered) == ([False, False, True, False], [True, True, True, False])
    (message,) = receiver.messages
    assert (message["title"], message["type"]) == (TITLE, "failure")
    assert message["message"].splitlines()[-1].startswith("http://airflow.example/weixin/#problem-")


@pytest.mark.parametrize("config", [None, "s3cr3t", {"url": "s3cr3t://x"}, {"path": "s3cr3t:"}])
def test_a_wrong_connection_is_a_warning(
    daily: DailyDag, caplog: pytest.LogCaptureFixture, config: Any
):
    """The warning shows how to write the connection, and quotes nothing of its fields."""
    lead_to(daily, {"config": config} if config else {})

    assert observations.sender() is None
    assert "the connection weixin_alerts has no address" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_status_shows_a_run_that_waits_for_figures(
    scheduled: DailyDag, capsys: pytest.CaptureFixture[str]
):
    """The time of the next call is on the pipeline's clock. Another account is asked meanwhile."""
    scheduled.accounts(2)
    late = Scenario("not-ready-code", day=WINDOW[-1], times=2)
    scheduled.sandbox.scenarios[:], shown = [late], []

    def ask(call: Call) -> None:
        if call.publication_date == WINDOW[-1]:
            set_paused(is_paused=False)
            shown.append(show_status([ARTICLE_TOTAL]))

    scheduled.sandbox.before_delivery = ask
    outcome = scheduled.on(0, "08:30")

    assert (outcome.state, {*shown}) == ("success", {0})
    assert "it asks again at 08:30 Beijing time, until noon" in capsys.readouterr().out


def test_log_and_status_say_that_the_clock_is_replaced(
    daily: DailyDag, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    sentence = "WEIXIN_NOW replaces the clock: for the pipeline it is 2026-11-24 "
    assert daily.on(0).log.count(sentence) == 1
    main(["status"])
    assert sentence in capsys.readouterr().out
    monkeypatch.delenv("WEIXIN_NOW")
    main(["status"])
    assert "WEIXIN_NOW" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scenarios", "task_id", "exit_code", "cause"),
    [([], "plan", 3, "任务被杀掉"), (["http-500"], "ingest", 1, "HTTP 500")],
    ids=["of a good run", "of a red run that was cleared"],
)
def test_status_shows_a_failed_try_while_the_task_is_retried(
    daily: DailyDag,
    capsys: pytest.CaptureFixture[str],
    scenarios: list[str],
    task_id: str,
    exit_code: int,
    cause: str,
):
    """`status` shows the cause and the time of the next try, in the language of the settings."""
    from airflow.models import DagRun, TaskInstance
    from airflow.utils.session import create_session

    daily.set("AIRFLOW__WEIXIN__LANGUAGE", "zh-CN")
    daily.sandbox.scenarios[:] = map(Scenario, scenarios)
    run_id, outputs = daily.on(0).run_id, []
    set_paused(is_paused=False)
    asleep = {"state": "up_for_retry", "max_tries": 0, "end_date": datetime.now(UTC)}
    for row in (asleep, {"state": "running", "try_number": 2}):
        with create_session(scoped=False) as session:
            session.query(DagRun).filter_by(run_id=run_id).update({"state": "running"})
            session.query(TaskInstance).filter_by(run_id=run_id, task_id=task_id).update(row)
        outputs.append((main(["status", "--dataset", "article_total"]), capsys.readouterr().out))

    assert [code for code, _ in outputs] == [exit_code] * 2
    (tried,) = re.findall("^retrying: .*", outputs[0][1], re.MULTILINE)
    assert "1 次尝试中第 1 次失败；下一次在 2026-11-24 10:3" in tried
    assert cause in tried
    assert "下一次正在进行" in outputs[1][1]
