"""What only a running Airflow shows: the deadline of a scheduled run, a killed task."""

import os
import signal
from contextlib import suppress

import psutil

from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

from .running import DAG, Stack, until


def test_a_run_that_misses_its_deadline_is_told_and_so_is_its_end(stack: Stack) -> None:
    """Once each, with a link to the page; that it was created late in the day is no lateness."""
    late, is_over = "the daily run has not ended in time", "over: the daily run is late"
    until(lambda: bool(stack.about(is_over)), lambda: stack.receiver.messages)

    (begun,), (_,) = stack.about(late), stack.about(is_over)
    assert begun["title"].startswith("weixin-etl: the daily run is late")
    assert f"{stack.rest.origin}/weixin/" in begun["message"].splitlines()[-1]
    off = stack.metadata(
        "SELECT max(abs(extract(epoch FROM deadline_time - dag_run.created_at)))"
        " FROM deadline JOIN dag_run ON dagrun_id = dag_run.id"
    )
    assert off < 10


def test_a_mapped_task_has_its_accounts_name_and_when_killed_is_told_by_the_check(
    stack: Stack,
) -> None:
    """The name is there while it works; `check` runs right after it, as nothing of it could."""
    sandbox = stack.sandbox
    slow = Scenario("slow", account=DEFAULT_ACCOUNT.appid)
    sandbox.scenarios.append(slow)
    sandbox.calls.clear()
    run = stack.rest.trigger(DAG)
    until(lambda: any(call.path.startswith("/datacube/") for call in [*sandbox.calls]))
    (ingest,) = [
        it
        for it in stack.rest("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        if it["task_id"] == "ingest"
    ]
    killed = [
        it for it in psutil.process_iter() if f"worker -- {ingest['id']}" in " ".join(_title(it))
    ]
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    sandbox.scenarios.remove(slow)

    assert (ingest["rendered_map_index"], ingest["state"]) == (DEFAULT_ACCOUNT.name, "running")
    assert killed
    until(lambda: bool(stack.about("not asked")), lambda: stack.receiver.messages)
    assert stack.rest.ended(DAG, run)["state"] == "failed"


def test_a_run_that_a_person_marks_failed_is_told_at_once(stack: Stack) -> None:
    """Its check never ran: Airflow's API server tells, which hears of it."""
    slow = Scenario("slow", account=DEFAULT_ACCOUNT.appid)
    stack.sandbox.scenarios.append(slow)
    stack.sandbox.calls.clear()
    run = stack.rest.trigger(DAG)
    until(lambda: any(it.path.startswith("/datacube/") for it in [*stack.sandbox.calls]))
    stack.rest("PATCH", f"dags/{DAG}/dagRuns/{run}", {"state": "failed"})
    stack.sandbox.scenarios.remove(slow)

    until(lambda: bool(stack.about("a run failed before")), lambda: stack.receiver.messages)


def _title(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return list(process.cmdline())
    return []


def test_the_addresses_of_receivers_are_shown_to_nobody(stack: Stack) -> None:
    """Whoever may read connections sees stars: an address is a secret."""
    extra = '{"config": {"path": "wecombot://s3cr3t-key"}}'
    stack.connect("alerts_too", conn_type="apprise", extra=extra)

    shown = stack.rest("GET", "connections/alerts_too")

    assert "config" in shown["extra"]
    assert "s3cr3t-key" not in shown["extra"]
