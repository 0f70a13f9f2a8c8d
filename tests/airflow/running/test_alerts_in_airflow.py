"""What only a running Airflow shows: the deadline of a scheduled run, a killed task."""

import json

import psutil
from rest import until

from weixin_sandbox import DEFAULT_ACCOUNT

from .stack import DAG, Stack


def test_a_run_that_misses_its_deadline_is_told_and_so_is_its_end(stack: Stack) -> None:
    """Once each, with a link to the page; that it was created late in the day is no lateness."""
    ((begun,), (over,)) = stack.told("has not ended in time"), stack.told("over: the daily run is")

    assert (begun["type"], over["type"]) == ("failure", "success")
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


def test_the_addresses_of_receivers_are_shown_to_nobody(stack: Stack) -> None:
    """Whoever may read connections sees stars: an address is a secret."""
    extra = json.dumps({"config": {"path": "wecombot://s3cr3t-key"}})
    stack.connect("alerts_too", conn_type="apprise", extra=extra)

    shown = stack.rest("GET", "connections/alerts_too")["extra"]
    assert "config" in shown
    assert "s3cr3t-key" not in shown
