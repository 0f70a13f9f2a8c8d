"""
The state of Airflow's DAGs, runs and tasks, read from Airflow's own database.

The page and the command `status` combine it with the warehouse. Tasks can't use this module:
Airflow gives them no access to its database.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from airflow.sdk import DagRunState, TaskInstanceState, timezone
from sqlalchemy import select
from sqlalchemy.orm import Session

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.alert import Alert, Severity
from weixin_etl.health.alerts import Airflow, DagState
from weixin_etl.orchestration.insides import (
    Connection,
    DagModel,
    DagRun,
    DagRunType,
    SerializedDagModel,
    State,
    TaskInstance,
    TaskReschedule,
    XComModel,
    create_session,
    get_airflow_health,
)
from weixin_etl.orchestration.tasks.declared import DRY_RUN, PROBLEM
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run.plan import DryRun

_AT_WORK = DagRun.state.in_((DagRunState.QUEUED, DagRunState.RUNNING))
MOST_MANUAL_RUNS = 3
LATELY = timedelta(days=1)
"""The age up to which the page shows manual runs."""
_NAMES = {dataset.dag_id: dataset.name for dataset in DATASETS.values()}


def read() -> Airflow:
    """
    Return the state of the DAGs, the scheduler and the running runs with their unfinished tasks.

    DAGs that Airflow no longer finds in a file are left out. A run that is queued or running counts
    as running. Times are by `weixin_etl.clock`.

    Raises:
        SQLAlchemyError: Airflow's database does not answer.
    """
    with create_session(scoped=False) as session:
        models = session.scalars(select(DagModel).where(DagModel.dag_id.in_(_NAMES)))
        dags = {_NAMES[dag.dag_id]: dag for dag in models if not dag.is_stale}
        runs: dict[str, set[str]] = defaultdict(set)
        tasks: list[TaskInstance] = []
        for run in session.scalars(select(DagRun).where(DagRun.dag_id.in_(_NAMES), _AT_WORK)):
            runs[_NAMES[run.dag_id]].add(run.run_id)
            tasks += run.get_task_instances(state=State.unfinished, session=session)
        states = {
            name: DagState(bool(dag.is_paused), dag.next_dagrun_create_after)
            for name, dag in dags.items()
        }
        is_alive = get_airflow_health()["scheduler"]["status"] == "healthy"
        tried = [*filter(None, (_retry_alert(session, task) for task in tasks))]
        return Airflow(states, is_alive, runs, tried, _next_polls(session, tasks))


def failed_tasks(run_ids: Collection[str]) -> dict[tuple[str, str], dict[str, list[int]]]:
    """
    Return the failed tasks of runs: by (dataset, run id), then by task id, their map indexes.

    A task that is not mapped has the map index -1. Runs without a failed task are left out.
    """
    column = TaskInstance
    failed: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    with create_session(scoped=False) as session:
        rows = session.execute(
            select(column.dag_id, column.run_id, column.task_id, column.map_index)
            .where(column.dag_id.in_(_NAMES), column.run_id.in_(run_ids))
            .where(column.state == TaskInstanceState.FAILED)
            .order_by(column.map_index)
        )
        for dag_id, run_id, task_id, map_index in rows:
            failed[_NAMES[dag_id], run_id][task_id].append(map_index)
    return failed


def kept_connections(conn_ids: Collection[str]) -> set[str]:
    """Return the ids of the given connections that are in Airflow's database."""
    with create_session(scoped=False) as session:
        kept = select(Connection.conn_id).where(Connection.conn_id.in_(conn_ids))
        return {*session.scalars(kept)}


@dataclass(frozen=True, slots=True)
class ManualRun:
    """The result of a manual run: the plan of a dry run, or the rejected parameter."""

    dataset: str
    run_id: str
    at: datetime
    plan: DryRun | None = None
    refused: Problem | None = None
    """The problem with the parameter; None if none was rejected."""


def manual_runs(datasets: Iterable[Dataset]) -> list[ManualRun]:
    """
    Return the newest dry runs and rejected runs of the datasets, the newest first.

    A run is rejected if a parameter of its form is invalid. Runs whose result is older than a day
    are left out, and so are all but the newest `MOST_MANUAL_RUNS`.
    """
    column = XComModel
    with create_session(scoped=False) as session:
        rows = session.scalars(
            select(column)
            .join(DagRun, column.dag_run_id == DagRun.id)
            .where(column.key.in_([DRY_RUN, PROBLEM]), DagRun.run_type == DagRunType.MANUAL)
            .where(column.dag_id.in_([dataset.dag_id for dataset in datasets]))
            .where(column.task_id.in_(["refresh_access_token", "plan"]))
            .where(column.timestamp > timezone.utcnow() - LATELY)
            .order_by(column.timestamp.desc())
        )
        runs = (_manual_run(row, column.deserialize_value(row)) for row in rows)
        shown = (run for run in runs if run.plan or run.refused)
        return [*islice(shown, MOST_MANUAL_RUNS)]


def _manual_run(row: XComModel, value: Any) -> ManualRun:
    """
    Return the run that wrote an XCom, with the plan or the rejected parameter in its value.

    A run that failed for another reason has neither.
    """
    run = ManualRun(_NAMES[row.dag_id], row.run_id, row.timestamp)
    if row.key == DRY_RUN:
        return replace(run, plan=convert(value, DryRun))
    problem = convert(value, Problem)
    return replace(run, refused=problem) if problem.kind is ProblemKind.PARAMETER else run


def _next_polls(session: Session, tasks: Iterable[TaskInstance]) -> dict[tuple[str, str], datetime]:
    """
    Return when each run that waits for WeChat's figures asks again, by (dataset, run id).

    If several tasks of a run wait, this is the earliest time. It is never in the past.
    """
    next_polls: dict[tuple[str, str], datetime] = {}
    for task in tasks:
        if task.state == TaskInstanceState.UP_FOR_RESCHEDULE:
            newest = TaskReschedule.stmt_for_task_instance(task, descending=True).limit(1)
            at = _by_our_clock(session.scalars(newest).one().reschedule_date)
            run = _NAMES[task.dag_id], task.run_id
            next_polls[run] = min(at, next_polls.get(run, at))
    return next_polls


def _retry_alert(session: Session, task: TaskInstance) -> Alert | None:
    """
    Return an alert for a task that waits for its next try, or is at work on a further try.

    Return None for every other task, also if no try has failed since the task was last cleared, and
    if the DAG no longer has the task. The alert counts the failed tries since then, and has the
    time of the next try while the task waits for it.
    """
    is_waiting = task.state == TaskInstanceState.UP_FOR_RETRY
    is_running = task.try_number > 1 and task.state != TaskInstanceState.UP_FOR_RESCHEDULE
    is_retried = is_waiting or is_running
    dag = SerializedDagModel.get_dag(task.dag_id, session=session) if is_retried else None
    if dag is None or not dag.has_task(task.task_id):
        return None
    task.task = dag.get_task(task.task_id)
    tries, cleared_tries = task.task.retries + 1, task.max_tries - task.task.retries
    failed = task.try_number - cleared_tries - (not is_waiting)
    if failed <= 0:
        return None
    next_at: datetime | None = task.next_retry_datetime() if is_waiting else None  # type: ignore[no-untyped-call] # Airflow's
    return Alert(
        _last_problem(session, task),
        _NAMES[task.dag_id],
        Severity.RETRYING,
        run_id=task.run_id,
        failed_tries=failed,
        tries=tries,
        next_at=next_at and _by_our_clock(next_at),
    )


def _last_problem(session: Session, task: TaskInstance) -> Problem:
    """
    Return why the task's last try failed, from its XCom; the problem's subject is the task's id.

    Without an XCom the problem is of the kind TASK_KILLED: a killed task writes none.
    """
    rows = XComModel.get_many(
        run_id=task.run_id,
        key=PROBLEM,
        dag_ids=task.dag_id,
        task_ids=task.task_id,
        map_indexes=task.map_index,
    )
    row = session.scalars(rows.limit(1)).first()
    killed = Problem.of_kind(ProblemKind.TASK_KILLED)
    problem = convert(XComModel.deserialize_value(row), Problem) if row else killed
    return replace(problem, subject=task.task_id)


def _by_our_clock(at: datetime) -> datetime:
    """
    Return a time of Airflow's real clock as a time of our clock, which `WEIXIN_NOW` may shift.

    A time in the past becomes now.
    """
    now = clock.now()
    return max(now, at + (now - timezone.utcnow()))
