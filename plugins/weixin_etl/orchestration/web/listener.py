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
    from sqlalchemy.orm import object_session

    from weixin_etl.orchestration.tasks import alerts
    from weixin_etl.orchestration.web import airflow_state

    session = object_session(dag_run)
    ended = airflow_state.ended_untold(dag_run, session) if session else None
    if ended:
        is_dry = bool((dag_run.conf or {}).get("dry_run"))
        Thread(target=alerts.run_ended, args=(dag_run.dag_id, ended, is_dry)).start()
