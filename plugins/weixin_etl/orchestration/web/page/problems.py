"""What is wrong now: the first view, and `/health`."""

from collections.abc import Sequence
from urllib.parse import quote

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.health.status import Status
from weixin_etl.health.troubles import AccountFacts, Finding, Trouble
from weixin_etl.model import connection_of
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.problem import Problem, ProblemKind, WarehouseError

Shown = dict[str, object]
"""A problem or an account, in the words of `/health`: see docs/operating/something-is-red.md."""
TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")


def current(datasets: Sequence[Dataset]) -> Status:
    """How all stands; of a warehouse that can't be read, what is wrong with it."""
    now = clock.now()
    airflow = airflow_state.read()
    try:
        with reading() as connection:
            return status.read(connection, airflow, now=now, datasets=datasets)
    except WarehouseError as error:
        known = [Finding(None, error.problem, now)]
        return status.assess([], known, [], airflow, now=now, datasets=datasets)


def health(datasets: Sequence[Dataset]) -> Shown:
    """Everything that a monitor may ask about."""
    found = current(datasets)
    return {
        "is_healthy": found.is_healthy,
        "is_retrying": found.is_retrying,
        "checked_at": found.checked_at,
        "problems": [*map(_problem, found.open)],
        "accounts": [_account(found, it) for it in found.accounts],
    }


def _problem(listed: Trouble) -> Shown:
    problem, tried = listed.problem, listed.tried
    return {
        "incident_id": listed.incident_id,
        "kind": problem.kind,
        "severity": listed.severity,
        "dataset": listed.dataset,
        "account": problem.account,
        "cure": problem.cure,
        "cause": problem.cause,
        "days": days_as_ranges(problem.days),
        "day_count": len(problem.days),
        "error_code": problem.errcode,
        "opened_at": listed.opened_at,
        "path": place_in_airflow(listed),
        "failed_tries": tried and tried.failed_tries,
        "tries": tried and tried.tries,
        "next_try_at": tried and tried.next_at,
    }


def _account(found: Status, account: AccountFacts) -> Shown:
    days = account.days_not_in(found.checked_at)
    return {
        "dataset": account.dataset.name,
        "appid": account.appid,
        "name": account.name,
        "conn_id": account.conn_id,
        "is_healthy": found.is_well(account),
        "is_retired": account.days.is_retired,
        "last_day_in": account.last_day_in,
        "ready_at": account.ready_at,
        "days_not_in": days_as_ranges(days),
        "days_not_in_count": len(days),
    }


def place_in_airflow(trouble: Trouble) -> str:
    """
    The path below Airflow's address; empty where Airflow has nothing to show.

    The connection that its cure is about; else the task, the run, or the DAG.
    """
    problem, dataset = trouble.problem, trouble.dataset
    if conn_id := _connection_to_change(problem):
        return f"/connections?name_pattern={quote(conn_id, safe='')}"
    if dataset not in DATASETS:
        return ""
    subject, dag = problem.subject or "", f"/dags/{DATASETS[dataset].dag_id}"
    if problem.kind is ProblemKind.RUN_ENDED:
        return f"{dag}/runs/{quote(subject)}"
    is_of_task = subject in TASKS and trouble.run_id
    return f"{dag}/runs/{quote(trouble.run_id)}/tasks/{subject}" if is_of_task else dag


def _connection_to_change(problem: Problem) -> str:
    """The connection that its cure is about; empty if it is about none."""
    conn_id = connection_of(problem.conn_id)
    is_unusable = problem.kind is ProblemKind.CONFIGURATION and problem.errcode is None
    is_its_own = is_unusable or "{connection}" in problem.row.cure
    return problem.to_change or (conn_id if is_its_own else "")
