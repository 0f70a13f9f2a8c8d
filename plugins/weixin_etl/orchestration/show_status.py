"""Whether figures come in, printed for a person or a monitor outside of Airflow."""

import sys

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weixin_etl import clock, status
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Problem
from weixin_etl.orchestration import airflow_state, settings
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.warehouse import WarehouseError, require_migrated, trouble

HEALTHY, UNHEALTHY, UNKNOWN = 0, 1, 2
"""Exit codes; unknown: the warehouse can't be read."""


def show_status() -> int:
    """
    Print a line per problem, the warnings last, and one about the accounts; the exit code.

    Where Airflow's own database can't be read, a sentence says what is not known for it.
    """
    airflow = _airflow()
    try:
        found = _read(airflow)
    except WarehouseError as error:
        sys.stderr.write(f"{error}\n")
        return UNKNOWN
    lines = [_line(it) for it in found.open]
    if airflow is None:
        lines.append(
            "Airflow's own database cannot be read from here, so it is not known whether the DAGs "
            "are paused, the pool exists and the scheduler runs"
        )
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, _summary(found)]))
    return HEALTHY if found.is_healthy else UNHEALTHY


def _airflow() -> status.Airflow | None:
    try:
        return airflow_state.read(list(DATASETS.values()))
    except SQLAlchemyError:
        return None


def _read(airflow: status.Airflow | None) -> status.Status:
    warehouse = open_warehouse()
    try:
        require_migrated(warehouse)
        with warehouse.connect() as connection:
            catch_up_days = settings.read().pipeline.catch_up_days
            return status.read(connection, airflow, now=clock.now(), catch_up_days=catch_up_days)
    except DBAPIError as error:
        passing = trouble(error, warehouse)
        raise passing or error from None


def _line(incident: status.Incident) -> str:
    problem = Problem(
        incident.kind,
        incident.cause,
        incident.cure,
        account=incident.account,
        days=incident.days,
        errcode=incident.error_code,
    )
    parts = [part for part in (incident.dataset, problem.in_full) if part]
    if incident.opened_at:
        parts.append(f"since {clock.beijing_text(incident.opened_at)}")
    return ("warning: " if incident.is_warning else "") + " · ".join(parts)


def _summary(found: status.Status) -> str:
    collected = [it for it in found.accounts if not it.is_retired]
    healthy = sum(it.is_healthy for it in collected)
    newest = [it.last_day_in for it in collected if it.last_day_in]
    upto = f", the oldest up to {min(newest)}" if newest else ""
    return f"{healthy} of {len(collected)} accounts and datasets are in{upto}"
