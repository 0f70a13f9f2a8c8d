"""What is wrong now: the first view, and `/health`."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.health.status import AccountStatus, Status
from weixin_etl.health.troubles import Finding, Trouble
from weixin_etl.model import State, connection_of
from weixin_etl.orchestration.connections.warehouse import of_reader, open_reader, reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.problem import Problem, ProblemKind, WarehouseError

Shown = dict[str, object]
"""A problem or an account, in the words of `/health`: see docs/operating/something-is-red.md."""


def current(datasets: Sequence[Dataset]) -> Status:
    """How all stands; of a warehouse that can't be read, what is wrong with it."""
    now = clock.now()
    airflow = airflow_state.read()
    try:
        with reading(open_reader()) as connection:
            return status.read(connection, airflow, now=now, datasets=datasets)
    except WarehouseError as error:
        problem = of_reader(error).problem
        known = [Finding(None, problem, now)]
        found = status.assess([], known, [], airflow, now=now, datasets=datasets)
        return replace(found, is_read=False)


def health(datasets: Sequence[Dataset]) -> Shown:
    """Everything that a monitor may ask about."""
    found = current(datasets)
    return {
        "is_healthy": found.is_healthy,
        "is_retrying": found.is_retrying,
        "checked_at": found.checked_at,
        "problems": [*map(_problem, found.open)],
        "accounts": [*map(_account, found.accounts)],
    }


def _problem(listed: Trouble) -> Shown:
    problem, tried = listed.problem, listed.tried
    return {
        "incident_id": listed.incident_id,
        "kind": problem.kind,
        "severity": listed.severity,
        "is_warning": listed.is_warning,
        "dataset": listed.dataset,
        "account": problem.account,
        "cure": problem.cure,
        "cause": problem.cause,
        "days": days_as_ranges(problem.days),
        "day_count": len(problem.days),
        "error_code": problem.errcode,
        "opened_at": listed.opened_at,
        "path": place_in_airflow(problem, listed.dataset),
        "failed_tries": tried and tried.failed_tries,
        "tries": tried and tried.tries,
        "next_try_at": tried and tried.next_at,
    }


def _account(account: AccountStatus) -> Shown:
    facts = account.facts
    return {
        "dataset": facts.dataset.name,
        "appid": facts.appid,
        "name": facts.name,
        "conn_id": facts.conn_id,
        "is_healthy": account.is_healthy,
        "is_retired": account.is_retired,
        "last_day_in": facts.last_day_in,
        "ready_at": facts.ready_at,
        "days_not_in": days_as_ranges(account.days_not_in),
        "days_not_in_count": len(account.days_not_in),
        "open_day_count": len(account.days.get(State.OPEN, ())),
        "silent_day_count": len(account.days.get(State.SILENT, ())),
        "being_asked_count": sum(asking.pair_count for asking in facts.at_work),
        "being_asked_left": sum(len(asking.days_left) for asking in facts.at_work),
        "calls_today": facts.calls_today,
        "next_try_at": account.next_try_at,
    }


def place_in_airflow(problem: Problem, dataset: str | None = None) -> str:
    """
    The path below Airflow's address; empty where Airflow has nothing to show.

    The connection that its cure is about; else the run, or the DAG.
    """
    if conn_id := _connection_to_change(problem):
        return f"/connections?name_pattern={quote(conn_id, safe='')}"
    run = f"/runs/{quote(problem.subject or '')}" if problem.kind is ProblemKind.RUN_ENDED else ""
    return f"/dags/{DATASETS[dataset].dag_id}{run}" if dataset in DATASETS else ""


def _connection_to_change(problem: Problem) -> str:
    """The connection that its cure is about; empty if it is about none."""
    conn_id = connection_of(problem.conn_id)
    is_unusable = problem.kind is ProblemKind.CONFIGURATION and problem.errcode is None
    is_its_own = is_unusable or "{connection}" in problem.row.cure
    return problem.to_change or (conn_id if is_its_own else "")
