"""
Links from an alert to Airflow's UI: to its failed task, run or DAG, and to its connection.

`app` asks for the places of the alerts that the page and `/health` list.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from weixin_etl.datasets import DATASETS
from weixin_etl.health.alert import Alert, Severity
from weixin_etl.model import connection_id
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.warehouse import CONN_ID

TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")


class Place(NamedTuple):
    """A path below Airflow's address, and the name of the page's label for the link."""

    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Places:
    """The failed tasks and connections in Airflow's database that some alerts are about."""

    failed: Mapping[tuple[str, str], Mapping[str, Sequence[int]]] = field(default_factory=dict)
    """The failed tasks of each run, by dataset and run, with the map indexes of each."""
    connections: Collection[str] = ()
    """The ids of connections in Airflow's database: only these can be changed in Airflow's UI."""

    def of(self, alert: Alert) -> Place | None:
        """
        Return the place of an alert's failed task, else of its run, else of its DAG.

        The task is the one that the alert names, or else the first failed one in the order of
        `TASKS`. Return None for an alert that is about no dataset.
        """
        if alert.dataset not in DATASETS:
            return None
        dag = f"/dags/{DATASETS[alert.dataset].dag_id}"
        if not alert.run_id:
            return Place(dag, "open_dag")
        run = f"{dag}/runs/{quote(alert.run_id)}"
        failed = self.failed.get((alert.dataset, alert.run_id), {})
        named = [alert.problem.subject] if alert.problem.subject in TASKS else []
        task = next((name for name in [*named, *TASKS] if name in failed or name in named), None)
        if task is None:
            return Place(run, "open_run")
        return Place(f"{run}/tasks/{task}{_mapped(failed.get(task, ()))}", "open_task")

    def connection(self, alert: Alert) -> str:
        """
        Return the id of the connection that fixes an alert, if Airflow's UI can change it.

        Return an empty text for an alert that is not a failure, for an alert without a connection,
        and for a connection that Airflow's database does not have.
        """
        conn_id = _conn_id(alert)
        is_changed = alert.severity is Severity.FAILURE and conn_id in self.connections
        return conn_id if is_changed else ""


def find_places(alerts: Iterable[Alert]) -> Places:
    """
    Return the places of the alerts, by Airflow's database.

    One query reads the failed tasks of their runs, another one their connections.
    """
    alerts = [*alerts]
    failed = airflow_state.failed_tasks({alert.run_id for alert in alerts if alert.run_id})
    return Places(failed, airflow_state.kept_connections({*map(_conn_id, alerts)}))


def _conn_id(alert: Alert) -> str:
    """
    Return the id of the Airflow connection to change; empty if the alert names none.

    It is the connection that the problem says to change. Else it is that of the account or of its
    platform, and for a problem of the warehouse `weixin_warehouse`.
    """
    problem = alert.problem
    default = CONN_ID if problem.kind.is_of_warehouse else connection_id(problem.conn_id)
    return problem.to_change or default


def _mapped(indexes: Sequence[int]) -> str:
    """
    Return the end of a task's path, by the map indexes of its failed instances.

    It leads to the only failed instance of a mapped task, or to all instances if several failed.
    It is empty for a task that is not mapped.
    """
    mapped = [index for index in indexes if index >= 0]
    return "" if not mapped else f"/mapped/{mapped[0]}" if len(mapped) == 1 else "/mapped"
