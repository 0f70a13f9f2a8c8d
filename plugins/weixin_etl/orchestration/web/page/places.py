"""Where a problem is in Airflow: its red task, its run or DAG, and the connection to change."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from weixin_etl.datasets import DATASETS
from weixin_etl.health.alerts import Alert, Severity
from weixin_etl.model import connection_id
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.warehouse import CONN_ID

TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")


class Place(NamedTuple):
    """A path below Airflow's address, and what is there: a label of the page."""

    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Places:
    """What Airflow knows of some problems."""

    failed: Mapping[tuple[str, str], Mapping[str, Sequence[int]]] = field(default_factory=dict)
    """The failed tasks of each run, by dataset and run, with the map indexes of each."""
    connections: Collection[str] = ()
    """The connections that Airflow keeps in its database, where people can change them."""

    def of(self, trouble: Alert) -> Place | None:
        """Return the red task of a problem, else its run or DAG; None where there is none."""
        if trouble.dataset not in DATASETS:
            return None
        dag = f"/dags/{DATASETS[trouble.dataset].dag_id}"
        if not trouble.run_id:
            return Place(dag, "open_dag")
        run = f"{dag}/runs/{quote(trouble.run_id)}"
        failed = self.failed.get((trouble.dataset, trouble.run_id), {})
        named = [trouble.problem.subject] if trouble.problem.subject in TASKS else []
        task = next((it for it in [*named, *TASKS] if it in failed or it in named), None)
        if task is None:
            return Place(run, "open_run")
        return Place(f"{run}/tasks/{task}{_mapped(failed.get(task, ()))}", "open_task")

    def connection(self, trouble: Alert) -> str:
        """Return the connection that a person may have to change; empty where there is none."""
        conn_id = _conn_id(trouble)
        is_changed = trouble.severity is Severity.FAILURE and conn_id in self.connections
        return conn_id if is_changed else ""


def find_places(troubles: Iterable[Alert]) -> Places:
    """Return where the problems are, by what Airflow's database has of their runs."""
    troubles = [*troubles]
    failed = airflow_state.failed_tasks({it.run_id for it in troubles if it.run_id})
    return Places(failed, airflow_state.kept_connections({*map(_conn_id, troubles)}))


def _conn_id(trouble: Alert) -> str:
    """Return the connection that a problem is about; empty where there is none."""
    problem = trouble.problem
    if problem.kind.is_of_warehouse:
        return problem.to_change or CONN_ID
    return problem.to_change or connection_id(problem.conn_id)


def _mapped(indexes: Sequence[int]) -> str:
    """Return the rest of the path of a task's failed instances: the only one, else their list."""
    mapped = [it for it in indexes if it >= 0]
    return "" if not mapped else f"/mapped/{mapped[0]}" if len(mapped) == 1 else "/mapped"
