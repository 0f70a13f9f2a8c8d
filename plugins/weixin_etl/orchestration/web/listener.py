"""
What Airflow tells of runs that end: one that its own `check` could not judge is judged here.

It is called in the scheduler, or in the API server when a person marks a run. Both go on at once:
the rest is done by a thread. A server without `weixin_warehouse` leaves it to the run's deadline.
"""

from threading import Thread
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models import DagRun


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """People are told of a run that a person marked failed, or whose `check` was killed."""
    if not dag_run.dag_id.startswith("weixin_"):
        return
    from airflow.models.xcom import XComModel
    from sqlalchemy.orm import object_session

    from weixin_etl.datasets import DATASETS
    from weixin_etl.orchestration.tasks import observations

    told = XComModel.get_many(
        run_id=dag_run.run_id, dag_ids=dag_run.dag_id, key=observations.NOTIFIED
    )
    is_ours = dag_run.dag_id.removeprefix("weixin_") in DATASETS
    session = object_session(dag_run) if is_ours else None
    if session and session.scalar(told.limit(1)) is None:
        is_dry = bool((dag_run.conf or {}).get("dry_run"))
        run = observations.run_named(dag_run.dag_id, dag_run.run_id, is_dry=is_dry)
        Thread(target=observations.run_ended, args=(run,)).start()
