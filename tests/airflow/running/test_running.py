"""Tests that need a running Airflow: missed deadlines, killed tasks and the connection form."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psutil
import pytest
from support.rest import until

from weixin_etl import clock
from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

from .stack import BEARER, COMPONENT, DAG, DEADLINES, Stack

MAPPED = "/mapped/0"
APPID, SECRET = DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret
NO_DATE = {"logical_date": None}
CONNECTIONS = (
    ("spring", APPID, SECRET, {"name": "春风"}, f"WeChat gave a token for 春风 ({APPID})"),
    ("wrong", APPID, "x", {}, f"wrong ({APPID}): correct the password in the connection wrong"),
    ("agency", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "agency_ticket"),
    ("two", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "WeChat gave a token for two"),
    ("served", APPID, BEARER, {"token_url": "/token-service"}, "The token service gave a token"),
    ("stranger", APPID, "x", {"token_url": "/token-service"}, "connection stranger"),
)
"""Connection id, login, password, extra fields, and a part of the button's message."""


def test_a_missed_deadline_and_its_end_are_notified_once_each(stack: Stack) -> None:
    """The message links to the page. A run created after its deadline is not reported."""
    ((begun,), (over,)) = map(stack.messages, ("has not ended in time", "over: the daily run is"))

    assert (begun["type"], over["type"]) == ("failure", "success")
    assert f"{stack.rest.origin}/weixin/" in begun["message"].splitlines()[-1]
    made_late = "missed AND deadline_time < queued_at AND dag_id <> 'weixin_article_total'"
    until(lambda: stack.metadata(f"SELECT count(*) > 0 FROM {DEADLINES} WHERE {made_late}"))
    assert "article_total_detail: the daily run" not in str(stack.receiver.messages)


@pytest.mark.parametrize("body", [{"only_failed": True}, {"task_ids": ["ingest"]}])
def test_a_red_run_can_be_cleared_before_its_deadline(
    stack: Stack, body: dict[str, object]
) -> None:
    """A person clears all failed tasks, or the first failed task with those after it."""
    stack.sandbox.scenarios[:] = [Scenario("errcode:48001")]
    run = stack.rest.trigger(DAG, at=datetime.now(UTC))
    red = stack.rest.ended(DAG, run)["state"]
    is_open = f"SELECT deadline_time > now() AND NOT missed FROM {DEADLINES} WHERE run_id = '{run}'"
    before = stack.metadata(is_open)
    stack.sandbox.scenarios.clear()
    failed = f"dags/{DAG}/dagRuns/{run}/taskInstances?state=failed&order_by=start_date"
    task = stack.rest("GET", failed)["task_instances"][0]
    health = stack.rest.request("GET", "weixin/health").json()
    paths = [problem["path"] for problem in health["problems"]]
    whole = {"dag_run_id": run, "dry_run": False, "include_downstream": True, **body}
    stack.rest("POST", f"dags/{DAG}/clearTaskInstances", whole)

    assert (red, before) == ("failed", True)
    assert f"/dags/{DAG}/runs/{quote(run)}/tasks/{task['task_id']}{MAPPED}" in paths
    assert stack.rest.ended(DAG, run)["state"] == "success"


@pytest.mark.parametrize(
    "conf",
    [
        {"begin_date": "2013-01-01", "end_date": "2013-01-02"},
        {"begin_date": "2026-13-45", "end_date": "2026-11-23"},
        {"begin_date": 20261101},
        {"accounts": "春风"},
        {"accounts": [""]},
        {"dry_run": "yes"},
    ],
)
def test_a_value_that_does_not_fit_the_form_makes_no_run(
    stack: Stack, conf: dict[str, object]
) -> None:
    """Airflow's answer names the parameter."""
    runs = f"dags/{DAG}/dagRuns?run_type=manual"
    before = stack.rest("GET", runs)["total_entries"]
    answer = stack.rest.request("POST", f"api/v2/dags/{DAG}/dagRuns", {"conf": conf, **NO_DATE})

    assert answer.status_code == 400
    assert next(iter(conf)) in answer.text
    assert stack.rest("GET", runs)["total_entries"] == before


def test_the_page_shows_the_calls_and_days_of_a_dry_run(stack: Stack) -> None:
    conf = {"begin_date": "2026-05-01", "end_date": "2026-05-03", "dry_run": True}
    run = stack.rest.run(DAG, conf)
    text = stack.rest.request("GET", "weixin/").text

    assert run["state"] == "success"
    assert f"/runs/{quote(run['dag_run_id'])}" in text
    assert "Accounts: 1; calls it would make: 3." in text
    assert "2026-05-01 to 2026-05-03" in text
    assert "An account may make 900 calls today" in text


def test_the_page_shows_why_the_first_task_refused_a_run(stack: Stack) -> None:
    """Airflow itself does not compare the two dates."""
    run = stack.rest.run(DAG, {"begin_date": "2026-05-03", "end_date": "2026-05-01"})
    text = stack.rest.request("GET", "weixin/").text

    assert run["state"] == "failed"
    assert f"/runs/{quote(run['dag_run_id'])}" in text
    assert "begin_date 2026-05-03 is after end_date 2026-05-01" in text


def test_a_run_adds_to_the_statistics_of_airflow(stack: Stack) -> None:
    """Calls, rows, commits, missing slices and the calls left are in it, and nothing is secret."""
    day = clock.beijing_date(clock.now()) - timedelta(days=4)
    stack.statistics.lines.clear()
    stack.sandbox.scenarios[:] = [Scenario("errcode:48001", day=day)]
    red = stack.rest.run(DAG, {"refetch": True})
    stack.sandbox.scenarios.clear()
    prefix = f"airflow.weixin.{DAG.removeprefix('weixin_')}."

    def lines() -> set[str]:
        sent = [*stack.statistics.lines]
        return {line.removeprefix(prefix) for line in sent if line.startswith(prefix)}

    assert red["state"] == "failed"
    until(lambda: any(line.startswith("not_in:") for line in lines()), lines)
    values = {line.partition(":")[0]: line.partition(":")[2].partition("|")[0] for line in lines()}
    answered = int(values["calls.answered"])
    assert (values["calls.configuration"], answered + int(values["not_in"])) == ("1", 7)
    assert 0 < answered < 7  # the calls in flight when the account is refused
    counted = {"calls.answered", "calls.configuration", "rows.inserted", "rows.updated"}
    assert {*values} == {*counted, "commit", "not_in", "calls_left"}
    assert SECRET not in str(stack.statistics.lines)


def test_a_killed_mapped_task_is_notified_and_has_its_accounts_name(stack: Stack) -> None:
    """The task `check` sends the message, because a killed task can't."""
    run = stack.slow_run()
    tasks = stack.rest("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    (ingest,) = [task for task in tasks if task["task_id"] == "ingest"]
    worker = f"worker -- {ingest['id']}"
    processes = psutil.process_iter(["cmdline"])
    killed = [process for process in processes if worker in " ".join(process.info["cmdline"] or ())]
    for process in killed:
        process.kill()
    stack.sandbox.scenarios.clear()

    assert (ingest["rendered_map_index"], ingest["state"]) == (DEFAULT_ACCOUNT.name, "running")
    assert killed
    assert stack.messages("not asked")
    assert stack.rest.ended(DAG, run)["state"] == "failed"


def test_a_run_that_a_person_marks_failed_is_notified_at_once(stack: Stack) -> None:
    """Airflow's API server sends the message, because the task `check` did not run."""
    run = stack.slow_run()
    stack.rest("PATCH", f"dags/{DAG}/dagRuns/{run}", {"state": "failed"})
    stack.sandbox.scenarios.clear()

    assert stack.messages("a run failed before")
    until(lambda: stack.rest("GET", f"dags/{DAG}/dagRuns/{run}")["state"] == "failed")


def test_the_connection_form_has_the_hooks_fields_and_the_button_says_what_to_change(
    stack: Stack,
) -> None:
    """The button sends port 0, which must not matter. One platform has a ticket, the other none."""
    ticket = {"key": "two_ticket", "value": stack.sandbox.component.push_ticket()}
    stack.rest("POST", "variables", ticket)
    results = []
    for conn_id, login, password, extra, _ in CONNECTIONS:
        if "token_url" in extra:
            extra = {"token_url": stack.base_url + extra["token_url"]}
        fields = {"host": stack.base_url, "port": 0, "login": login, "password": password}
        form = {"connection_id": conn_id, "conn_type": "weixin", "extra": json.dumps(extra)}
        tested = stack.rest("POST", "connections/test", form | fields)
        results.append((tested["status"], tested["message"]))

    for (is_good, message), (*_, expected) in zip(results, CONNECTIONS, strict=True):
        assert expected in message
        assert is_good == ("gave" in expected)
    forms = stack.rest.request("GET", "ui/connections/hook_meta").json()
    (fields,) = [hook["extra_fields"] for hook in forms if hook["connection_type"] == "weixin"]
    assert {*fields} == {"name", "mode", "token_url", "allow_http"}
