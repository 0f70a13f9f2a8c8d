"""
The listener for failed runs: it reports a run whose task `check` did not report it.

Airflow calls the listener in the scheduler, or in the API server if a person marks a run. A thread
writes to the warehouse, so neither of them waits. Where the connection `weixin_warehouse` is
missing, the run's deadline reports the run instead.
"""

from threading import Thread
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from weixin_etl.orchestration.insides import DagRun


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """
    Notify people of a failed run that its task `check` has not reported.

    A person has marked such a run as failed, or its task `check` was killed. A thread stores the
    finding and sends the message. Runs of other DAGs, and of DAGs for no dataset of this release,
    are ignored; nobody is notified of a dry run.
    """
    if not dag_run.dag_id.startswith("weixin_"):
        return
    from sqlalchemy.orm import object_session

    from weixin_etl.datasets import DATASETS
    from weixin_etl.orchestration.insides import XComModel
    from weixin_etl.orchestration.tasks import observations

    reported = XComModel.get_many(
        run_id=dag_run.run_id, dag_ids=dag_run.dag_id, key=observations.NOTIFIED
    )
    is_ours = dag_run.dag_id.removeprefix("weixin_") in DATASETS
    session = object_session(dag_run) if is_ours else None
    if session and session.scalar(reported.limit(1)) is None:
        is_dry = bool((dag_run.conf or {}).get("dry_run"))
        run = observations.minimal_run(dag_run.dag_id, dag_run.run_id, is_dry=is_dry)
        Thread(target=observations.report_ended_run, args=(run,)).start()
