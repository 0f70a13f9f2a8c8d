"""What only Airflow knows, read from its own database: for servers and commands, no task."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from airflow.api.common.airflow_health import HEALTHY, get_airflow_health
from airflow.models import DagModel, DagRun, TaskInstance
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskreschedule import TaskReschedule
from airflow.models.xcom import XComModel
from airflow.sdk import timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS
from weixin_etl.health.at_work import Airflow, Asleep, DagState, EndedRun
from weixin_etl.orchestration.tasks.alerts import TOLD
from weixin_etl.orchestration.tasks.ending import PROBLEM
from weixin_etl.problem import Problem, ProblemKind

AT_WORK = (DagRunState.QUEUED, DagRunState.RUNNING)
ENDED = (DagRunState.SUCCESS, DagRunState.FAILED)
_NAMES = {dataset.dag_id: dataset.name for dataset in DATASETS.values()}


def read() -> Airflow:
    """Whether runs of the DAGs can be made, how those at work stand, and how the last ended."""
    with create_session(scoped=False) as session:
        found = session.scalars(select(DagModel).where(DagModel.dag_id.in_(_NAMES)))
        dags = {_NAMES[dag.dag_id]: _state(session, dag) for dag in found if not dag.is_stale}
        at_work = select(DagRun.dag_id, DagRun.run_id).where(
            DagRun.dag_id.in_(_NAMES), DagRun.state.in_(AT_WORK)
        )
        runs = defaultdict(set)
        for dag_id, run_id in session.execute(at_work):
            runs[_NAMES[dag_id]].add(run_id)
        return Airflow(
            dags=dags,
            is_scheduler_alive=get_airflow_health()["scheduler"]["status"] == HEALTHY,
            runs=runs,
            asleep=tuple(_asleep(session)),
        )


def _state(session: Session, dag: DagModel) -> DagState:
    newest = (
        select(DagRun)
        .where(DagRun.dag_id == dag.dag_id, DagRun.state.in_(ENDED))
        .order_by(DagRun.end_date.desc())
        .limit(1)
    )
    last = session.scalar(newest)
    ended = ended_untold(last, session) if last else None
    return DagState(bool(dag.is_paused), dag.next_dagrun_create_after, ended)


def ended_untold(run: DagRun, session: Session) -> EndedRun | None:
    """A run, if it failed and its `check` could not tell people of it."""
    told = XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, key=TOLD).limit(1)
    if run.state != DagRunState.FAILED or session.scalar(told) is not None:
        return None
    return EndedRun(run.run_id, _by_our_clock(run.end_date or timezone.utcnow()))


# ------------------------------------------------------------------------- tasks between two tries


def _asleep(session: Session) -> Iterator[Asleep]:
    """The tasks of runs at work that a try of has failed, or that wait."""
    unfinished = (
        select(TaskInstance)
        .join(TaskInstance.dag_run)
        .where(
            TaskInstance.dag_id.in_(_NAMES),
            TaskInstance.state.in_(State.unfinished),
            DagRun.state.in_(AT_WORK),
        )
        .order_by(TaskInstance.task_id.desc(), TaskInstance.map_index)
    )
    for task in session.scalars(unfinished):
        if task.state == TaskInstanceState.UP_FOR_RESCHEDULE:
            newest = TaskReschedule.stmt_for_task_instance(task, descending=True).limit(1)
            until = session.scalars(newest).one().reschedule_date
            yield Asleep(_NAMES[task.dag_id], task.run_id, _by_our_clock(until))
        elif task.try_number > 1 or task.state == TaskInstanceState.UP_FOR_RETRY:
            yield from _tried_again(session, task)


def _tried_again(session: Session, task: TaskInstance) -> Iterator[Asleep]:
    """The task, if a try of it has failed since it was cleared last."""
    dag = SerializedDagModel.get_dag(task.dag_id, session=session)
    if dag is None or not dag.has_task(task.task_id):
        return
    task.task = dag.get_task(task.task_id)
    is_asleep = task.state == TaskInstanceState.UP_FOR_RETRY
    tries, before = task.task.retries + 1, task.max_tries - task.task.retries
    failed = task.try_number - before - (not is_asleep)
    if failed > 0:
        next_at = _by_our_clock(_next_try(task)) if is_asleep else None
        problem = _problem(session, task)
        yield Asleep(_NAMES[task.dag_id], task.run_id, next_at, failed, tries, problem)


def _next_try(task: TaskInstance) -> datetime:
    at: datetime = task.next_retry_datetime()  # type: ignore[no-untyped-call]
    return at


def _problem(session: Session, task: TaskInstance) -> Problem:
    """Why its last try failed; a new one forgets it."""
    said = XComModel.get_many(
        run_id=task.run_id,
        key=PROBLEM,
        dag_ids=task.dag_id,
        task_ids=task.task_id,
        map_indexes=task.map_index,
    )
    found = session.scalars(said.limit(1)).first()
    if found is None:
        cause = f"a try of {task.task_id} failed"
        return Problem(ProblemKind.PROGRAM, cause, "", subject=task.task_id)
    problem = convert(XComModel.deserialize_value(found), Problem)
    return replace(problem, subject=task.task_id)


def _by_our_clock(at: datetime) -> datetime:
    """An instant of Airflow, which has the real clock whatever `WEIXIN_NOW` says."""
    return at + (clock.now() - timezone.utcnow())
