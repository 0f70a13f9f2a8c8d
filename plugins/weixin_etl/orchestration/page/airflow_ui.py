"""Where a problem is mended in Airflow's own UI."""

from urllib.parse import quote

from weixin_etl.api.errors import IN_CONNECTION
from weixin_etl.datasets import DATASETS
from weixin_etl.model import connection_of
from weixin_etl.problem import Problem, ProblemKind


def path(problem: Problem, dataset: str | None = None) -> str:
    """
    The path below Airflow's address; empty where Airflow has nothing to show.

    The connection that its cure is about; else the DAG.
    """
    if conn_id := _connection_to_change(problem):
        return f"/connections?name_pattern={quote(conn_id, safe='')}"
    return f"/dags/{DATASETS[dataset].dag_id}" if dataset in DATASETS else ""


def _connection_to_change(problem: Problem) -> str:
    """The connection that its cure is about; empty if it is about none."""
    if problem.errcode is None:
        is_its_own = problem.kind is ProblemKind.CONFIGURATION  # then not WeChat refuses it
    else:
        is_refused = problem.kind.is_of_connection
        is_its_own = is_refused and problem.errcode in IN_CONNECTION
    return problem.to_change or (connection_of(problem.conn_id) if is_its_own else "")
