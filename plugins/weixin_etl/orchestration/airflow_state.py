"""What only Airflow knows, read from its own database: for the web server and commands, no task."""

from collections import defaultdict
from collections.abc import Sequence

from airflow.api.common.airflow_health import HEALTHY, get_airflow_health
from airflow.models import DagModel, DagRun
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import select

from weixin_etl.datasets import Dataset
from weixin_etl.health.at_work import Airflow, DagState
from weixin_etl.orchestration.tasks.alerts import CONN_ID as ALERTS

AT_WORK = (DagRunState.QUEUED, DagRunState.RUNNING)


def read(datasets: Sequence[Dataset]) -> Airflow:
    """Whether runs of the datasets' DAGs can be made and can work."""
    with create_session(scoped=False) as session:
        found = session.scalars(
            select(DagModel).where(DagModel.dag_id.in_([it.dag_id for it in datasets]))
        )
        dags = {
            dag.dag_id: DagState(
                is_paused=bool(dag.is_paused),
                next_run_at=dag.next_dagrun_create_after,
            )
            for dag in found
            if not dag.is_stale
        }
        runs = defaultdict(set)
        for dag_id, run_id in session.execute(
            select(DagRun.dag_id, DagRun.run_id).where(
                DagRun.dag_id.in_([it.dag_id for it in datasets]), DagRun.state.in_(AT_WORK)
            )
        ):
            runs[dag_id].add(run_id)
    return Airflow(
        dags={it.name: dags[it.dag_id] for it in datasets if it.dag_id in dags},
        is_scheduler_alive=get_airflow_health()["scheduler"]["status"] == HEALTHY,
        alerts=_alerts(),
        runs={it.name: frozenset(runs[it.dag_id]) for it in datasets},
    )


def _alerts() -> str:
    """The connection by which people are told; empty when this process finds none."""
    try:
        BaseHook.get_connection(ALERTS)
    except AirflowNotFoundException:
        return ""
    return ALERTS
