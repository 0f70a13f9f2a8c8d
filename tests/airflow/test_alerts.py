"""Who is told: receivers that hang or refuse, several, none; and whoever asks meanwhile."""

import io
import json
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import Any

import pytest
from dag_runs import WINDOW, DailyDag, set_paused
from receivers import Receiver

from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.orchestration.commands.status import show_status
from weixin_etl.orchestration.tasks import alerts
from weixin_sandbox import Call, Scenario

REFUSED, TITLE = [Scenario("unauthorized")], "weixin-etl: 沙箱公众号 refused"


def lead_to(daily: DailyDag, extra: dict[str, Any]) -> None:
    connection = json.dumps({"conn_type": "apprise", "extra": extra})
    daily.set("AIRFLOW_CONN_WEIXIN_ALERTS", connection)


def test_a_refused_account_is_told_once_and_so_is_its_recovery(daily: DailyDag, receiver: Receiver):
    """With its type and a link, to a program and to a channel, before the run's report."""
    lead_to(daily, {"config": [{"path": receiver.program}, {"path": receiver.chat}]})
    daily.sandbox.scenarios[:] = REFUSED
    first = daily.on(0)
    daily.on(0, "10:40")
    daily.sandbox.scenarios[:] = []
    daily.on(0, "11:45")
    daily.run()

    assert receiver.titles == [TITLE, TITLE.replace(": ", ": over: ", 1)]
    begun, over = receiver.messages
    assert begun["message"].splitlines()[-1].startswith("http://airflow.example/weixin/#problem-")
    assert (begun["type"], over["type"]) == ("failure", "success")
    assert "from 2026-11-24 10:30 to 2026-11-24 11:45" in over["message"]
    for message, read in zip(receiver.messages, receiver.channel, strict=True):
        assert message["title"] in read["text"]
        assert f"-{message['type']}-" in read["icon_url"]
    assert first.log.index("told: weixin-etl") < first.log.index("starting task_id=report")


def test_what_no_receiver_took_is_told_by_the_next_run(daily: DailyDag, receiver: Receiver):
    """
    One that hangs or refuses holds no run up; of two, one that took the message is enough.

    Otherwise the broken one would let the other get every message again and again.
    """
    daily.sandbox.scenarios[:] = REFUSED
    told, undelivered = [], []
    for minute, receiver.answer in enumerate((None, 500, 200, 200)):
        if minute == 2:
            paths = ("json://127.0.0.1:1", receiver.program)
            lead_to(daily, {"config": [{"path": it} for it in paths]})
        log = daily.on(0, f"10:3{minute}").log
        assert "s3cr3t" not in log
        told.append(len(receiver.messages))
        undelivered.append(f"not delivered by JSON: {TITLE}" in log)

    assert (told, undelivered) == ([0, 0, 1, 1], [True, True, True, False])


@pytest.mark.parametrize("config", [None, "s3cr3t", {"url": "s3cr3t://x"}, {"path": "s3cr3t:"}])
def test_a_wrong_connection_is_a_warning(
    daily: DailyDag, caplog: pytest.LogCaptureFixture, config: Any
):
    """It says how to write it, and quotes nothing of it."""
    lead_to(daily, {"config": config} if config else {})

    assert alerts.sender() is None
    assert "the connection weixin_alerts has no address" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_a_wait_is_shown_while_it_lasts(scheduled: DailyDag):
    """By `status`, with the next instant by our own clock, while another account is asked."""
    scheduled.accounts(2)
    late = Scenario("not-ready-code", day=WINDOW[-1], times=2)
    scheduled.sandbox.scenarios[:], shown = [late], []

    def ask(call: Call) -> None:
        if call.publication_date == WINDOW[-1]:
            set_paused(is_paused=False)
            with redirect_stdout(io.StringIO()) as printed:
                code = show_status([ARTICLE_TOTAL])
            shown.append((code, printed.getvalue()))

    scheduled.sandbox.before_delivery = ask
    outcome = scheduled.on(0, "08:30")

    assert (outcome.state, {code for code, _ in shown}) == ("success", {0})
    assert "it asks again at 08:30 Beijing time, until noon" in str(shown)


def test_a_failed_try_is_shown_while_another_is_made(
    daily: DailyDag, capsys: pytest.CaptureFixture[str]
):
    """With when the next is, in the language that is set; exit code 3. Airflow's rows are ours."""
    from airflow.models import DagRun, TaskInstance
    from airflow.utils.session import create_session

    daily.set("AIRFLOW__WEIXIN__LANGUAGE", "zh-CN")
    run_id = daily.on(0).run_id
    set_paused(is_paused=False)
    with create_session(scoped=False) as session:
        session.query(DagRun).filter_by(run_id=run_id).update({"state": "running"})
        plan = session.query(TaskInstance).filter_by(run_id=run_id, task_id="plan")
        asleep = {"state": "up_for_retry", "max_tries": 0, "end_date": datetime.now(UTC)}
        plan.update(asleep)
    asleep_then = main(["status", "--dataset", "article_total"]), capsys.readouterr().out
    with create_session(scoped=False) as session:
        session.query(TaskInstance).filter_by(run_id=run_id, task_id="plan").update(
            {"state": "running", "try_number": 2}
        )
    at_it = main(["status", "--dataset", "article_total"]), capsys.readouterr().out

    assert (asleep_then[0], at_it[0]) == (3, 3)
    assert "1 次尝试中第 1 次失败；下一次在 2026-11-24 10:3" in asleep_then[1]
    assert "下一次正在进行" in at_it[1]
