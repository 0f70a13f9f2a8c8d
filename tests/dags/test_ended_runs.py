"""What Airflow alone knows of a run: that it ended without its check, is tried again, or waits."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dag_runs import DAG_ID, DailyDag
from receivers import Receiver

NOON = "2026-11-24T12:30:00+08:00"


@pytest.fixture
def session(daily: DailyDag) -> Any:
    """Airflow's own database."""
    from airflow.utils.session import create_session

    daily.set("WEIXIN_NOW", NOON)
    with create_session(scoped=False) as session:
        yield session


@pytest.fixture
def run_id(daily: DailyDag, session: Any) -> str:
    """A run that was green, and is at work again."""
    from airflow.models import DagRun

    run_id = daily.run().run_id
    session.query(DagRun).filter_by(run_id=run_id).update({"state": "running"})
    return run_id


def let(session: Any, run_id: str, task_id: str, **be: Any) -> Any:
    """Let a task of the run be so."""
    from airflow.models import TaskInstance

    task = session.query(TaskInstance).filter_by(run_id=run_id, task_id=task_id).one()
    for name, value in be.items():
        setattr(task, name, value)
    session.commit()
    return task


def test_a_run_that_a_person_marks_failed_is_told(
    daily: DailyDag, receiver: Receiver, run_id: str, session: Any
) -> None:
    """As Airflow's API server does; its check had not begun. The morning's next run ends it."""
    from airflow.api_fastapi.core_api.services.public import dag_run as service
    from airflow.models import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.xcom import XComModel

    receiver.messages.clear()
    session.query(XComModel).filter_by(run_id=run_id, task_id="check").delete()
    let(session, run_id, "check", state=None)
    service.patch_dag_run_state(
        dag=SerializedDagModel.get_dag(DAG_ID, session=session),
        dag_run=session.query(DagRun).filter_by(run_id=run_id).one(),
        state=service.DagRunMutableStates.FAILED,
        session=session,
    )
    session.commit()

    deadline = time.monotonic() + 60
    while not receiver.messages and time.monotonic() < deadline:
        time.sleep(0.1)
    daily.run()
    ended = "a run ended early"
    assert receiver.titles == [f"weixin-etl: {ended}", f"weixin-etl: over: {ended}"]


def test_a_failed_try_and_a_wait_are_read_of_airflow(run_id: str, session: Any) -> None:
    """When the next is, by our own clock, and when the first failed; the next one is at work."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.models.xcom import XComModel

    from weixin_etl.orchestration.tasks.declared import PROBLEM
    from weixin_etl.orchestration.web import airflow_state

    now = datetime.now(UTC)
    said = {"kind": "warehouse", "cause": "refused", "cure": "start it"}
    retries = SerializedDagModel.get_dag(DAG_ID, session=session).get_task("plan").retries
    task = let(session, run_id, "plan", state="up_for_retry", max_tries=retries, end_date=now)
    XComModel.set(PROBLEM, said, dag_id=DAG_ID, task_id="plan", run_id=run_id, session=session)
    waits = let(session, run_id, "ingest", state="up_for_reschedule")
    later = now + timedelta(minutes=30)
    session.add(TaskReschedule(waits.id, now, now, later))
    session.commit()
    found = airflow_state.read()
    (first,), wait = found.tried, found.waits["article_total", run_id]
    let(session, run_id, "plan", state="running", try_number=task.try_number + 1)
    (again,) = airflow_state.read().tried

    assert (first.failed_tries, first.tries, first.problem.cause) == (1, retries + 1, "refused")
    assert (again.failed_tries, again.next_at) == (1, None)
    off = datetime.fromisoformat(NOON) + timedelta(minutes=30) - wait
    assert abs(off) < timedelta(minutes=1)
