"""What only a running Airflow shows: a missed deadline, a killed task, the form of a connection."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import psutil
import pytest
from support.rest import until

from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

from .stack import BEARER, COMPONENT, DAG, DEADLINES, Stack

MAPPED = "/mapped/0"
OURS, SECRET = DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret
NO_DATE = {"logical_date": None}
CONNECTIONS = (
    ("spring", OURS, SECRET, {"name": "春风"}, f"WeChat gave a token for 春风 ({OURS})"),
    ("wrong", OURS, "x", {}, f"wrong ({OURS}): correct the password in the connection wrong"),
    ("agency", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "agency_ticket"),
    ("two", COMPONENT.appid, COMPONENT.secret, {"mode": "platform"}, "WeChat gave a token for two"),
    ("served", OURS, BEARER, {"token_url": "/token-service"}, "The token service gave a token"),
    ("stranger", OURS, "x", {"token_url": "/token-service"}, "connection stranger"),
)
"""Login, password, extra fields, and what the button says."""


def test_a_run_that_misses_its_deadline_is_told_and_so_is_its_end(stack: Stack) -> None:
    """Once each, with a link to the page; nothing of a run that was made after its deadline."""
    ((begun,), (over,)) = stack.told("has not ended in time"), stack.told("over: the daily run is")

    assert (begun["type"], over["type"]) == ("failure", "success")
    assert f"{stack.rest.origin}/weixin/" in begun["message"].splitlines()[-1]
    made_late = "missed AND deadline_time < queued_at AND dag_id <> 'weixin_article_total'"
    until(lambda: stack.metadata(f"SELECT count(*) > 0 FROM {DEADLINES} WHERE {made_late}"))
    assert "article_total_detail: the daily run" not in str(stack.receiver.messages)


@pytest.mark.parametrize("body", [{"only_failed": True}, {"task_ids": ["ingest"]}])
def test_a_red_run_can_be_cleared_before_its_deadline(
    stack: Stack, body: dict[str, object]
) -> None:
    """What every cure asks for: the failed tasks, or the first of them with those after it."""
    stack.sandbox.scenarios[:] = [Scenario("errcode:48001")]
    run = stack.rest.trigger(DAG, at=datetime.now(UTC))
    red = stack.rest.ended(DAG, run)["state"]
    is_open = f"SELECT deadline_time > now() AND NOT missed FROM {DEADLINES} WHERE run_id = '{run}'"
    before = stack.metadata(is_open)
    stack.sandbox.scenarios.clear()
    failed = f"dags/{DAG}/dagRuns/{run}/taskInstances?state=failed&order_by=start_date"
    task = stack.rest("GET", failed)["task_instances"][0]
    paths = [it["path"] for it in stack.rest.asked("GET", "weixin/health").json()["problems"]]
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
    """Airflow refuses it, and says which parameter it is."""
    runs = f"dags/{DAG}/dagRuns?run_type=manual"
    before = stack.rest("GET", runs)["total_entries"]
    answer = stack.rest.asked("POST", f"api/v2/dags/{DAG}/dagRuns", {"conf": conf, **NO_DATE})

    assert answer.status_code == 400
    assert next(iter(conf)) in answer.text
    assert stack.rest("GET", runs)["total_entries"] == before


def test_what_a_dry_run_would_ask_for_is_on_the_page(stack: Stack) -> None:
    """How many calls, for which days, and how many an account may make today."""
    conf = {"begin_date": "2026-05-01", "end_date": "2026-05-03", "dry_run": True}
    run = stack.rest.run(DAG, conf)
    text = stack.rest.asked("GET", "weixin/").text

    assert run["state"] == "success"
    assert f"/runs/{quote(run['dag_run_id'])}" in text
    assert "Accounts: 1; calls it would make: 3." in text
    assert "2026-05-01 to 2026-05-03" in text
    assert "An account may make 900 calls today" in text


def test_a_run_that_its_first_task_refuses_says_why_on_the_page(stack: Stack) -> None:
    """Airflow takes any name and does not compare days: its log is not where a person looks."""
    run = stack.rest.run(DAG, {"begin_date": "2026-05-03", "end_date": "2026-05-01"})
    text = stack.rest.asked("GET", "weixin/").text

    assert run["state"] == "failed"
    assert f"/runs/{quote(run['dag_run_id'])}" in text
    assert "begin_date 2026-05-03 is after end_date 2026-05-01" in text


def test_a_mapped_task_has_its_accounts_name_and_when_killed_is_told_by_the_check(
    stack: Stack,
) -> None:
    """The name is there while it works; `check` runs right after it, as nothing of it could."""
    run = stack.slow_run()
    tasks = stack.rest("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    (ingest,) = [it for it in tasks if it["task_id"] == "ingest"]
    worker = f"worker -- {ingest['id']}"
    every = psutil.process_iter(["cmdline"])
    killed = [it for it in every if worker in " ".join(it.info["cmdline"] or ())]
    for process in killed:
        process.kill()
    stack.sandbox.scenarios.clear()

    assert (ingest["rendered_map_index"], ingest["state"]) == (DEFAULT_ACCOUNT.name, "running")
    assert killed
    assert stack.told("not asked")
    assert stack.rest.ended(DAG, run)["state"] == "failed"


def test_a_run_that_a_person_marks_failed_is_told_at_once(stack: Stack) -> None:
    """Its check never ran: Airflow's API server tells, which hears of it."""
    run = stack.slow_run()
    stack.rest("PATCH", f"dags/{DAG}/dagRuns/{run}", {"state": "failed"})
    stack.sandbox.scenarios.clear()

    assert stack.told("a run failed before")
    until(lambda: stack.rest("GET", f"dags/{DAG}/dagRuns/{run}")["state"] == "failed")


def test_the_form_offers_what_the_hook_reads_and_the_button_says_what_to_change(
    stack: Stack,
) -> None:
    """The button sends port 0, which no such connection has; a platform has a ticket, or none."""
    ticket = {"key": "two_ticket", "value": stack.sandbox.component.push_ticket()}
    stack.rest("POST", "variables", ticket)
    said = []
    for conn_id, login, password, extra, _ in CONNECTIONS:
        if "token_url" in extra:
            extra = {"token_url": stack.base_url + extra["token_url"]}
        fields = {"host": stack.base_url, "port": 0, "login": login, "password": password}
        its = {"connection_id": conn_id, "conn_type": "weixin", "extra": json.dumps(extra)}
        tested = stack.rest("POST", "connections/test", its | fields)
        said.append((tested["status"], tested["message"]))

    for (is_good, message), (*_, expected) in zip(said, CONNECTIONS, strict=True):
        assert expected in message
        assert is_good == ("gave" in expected)
    forms = stack.rest.asked("GET", "ui/connections/hook_meta").json()
    (ours,) = [it for it in forms if it["connection_type"] == "weixin"]
    assert {*ours["extra_fields"]} == {"name", "mode", "token_url", "allow_http"}
