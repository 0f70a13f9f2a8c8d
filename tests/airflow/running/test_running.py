"""What only a running Airflow shows: a missed deadline, a killed task, the form of a connection."""

import json
from datetime import UTC, datetime

import psutil
import pytest
from rest import until

from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

from .stack import BEARER, COMPONENT, DAG, DEADLINES, Stack

OURS, SECRET = DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret
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
    whole = {"dag_run_id": run, "dry_run": False, "include_downstream": True, **body}
    stack.rest("POST", f"dags/{DAG}/clearTaskInstances", whole)

    assert (red, before) == ("failed", True)
    assert stack.rest.ended(DAG, run)["state"] == "success"


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
