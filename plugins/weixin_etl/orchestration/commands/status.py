"""Whether figures come in, printed for a person or a monitor outside of Airflow."""

import sys
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.health import status
from weixin_etl.health.at_work import Airflow
from weixin_etl.health.troubles import Severity, Trouble
from weixin_etl.model import State
from weixin_etl.orchestration import airflow_state
from weixin_etl.orchestration.commands import outside
from weixin_etl.orchestration.connections.warehouse import of_reader, open_reader, reading
from weixin_etl.text import counted
from weixin_etl.warehouse import WarehouseError

HEALTHY, UNHEALTHY, UNKNOWN, RETRYING = 0, 1, 2, 3
"""
Exit codes. Unknown: the warehouse can't be read. Retrying: what failed is being tried again.
"""


def show_status(datasets: Sequence[Dataset]) -> int:
    """
    Print a line per problem, the warnings last, and one about the accounts; the exit code.

    Where Airflow's own database can't be read, a sentence says what is not known for it.
    """
    airflow = _airflow(datasets)
    try:
        with reading(open_reader()) as connection:
            found = status.read(connection, airflow, now=clock.now(), datasets=datasets)
    except WarehouseError as error:
        sys.stderr.write(f"{of_reader(error)}\n")
        return UNKNOWN
    lines = [_line(listed) for listed in found.open]
    if airflow is None:
        lines.append(
            "Airflow's own database cannot be read from here, so it is not known whether the DAGs "
            "are paused and the scheduler runs"
        )
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, _summary(found)]))
    if found.is_healthy:
        return HEALTHY
    return RETRYING if found.is_retrying else UNHEALTHY


def _airflow(datasets: Sequence[Dataset]) -> Airflow | None:
    if not outside.has_database():
        return None
    try:
        return airflow_state.read(datasets)
    except SQLAlchemyError:
        return None


_BEFORE = {
    Severity.RETRYING: "being tried again: ",
    Severity.WARNING: "warning: ",
    Severity.NOTE: "note: ",
}


def _line(listed: Trouble) -> str:
    parts = [part for part in (listed.dataset, str(listed.problem)) if part]
    if listed.opened_at:
        parts.append(f"since {clock.beijing_text(listed.opened_at)}")
    return _BEFORE.get(listed.severity, "") + " · ".join(parts)


def _summary(found: status.Status) -> str:
    collected = [one for one in found.accounts if not (one.is_retired and one.is_healthy)]
    are_in = sum(account.is_healthy and not account.facts.being_asked for account in collected)
    newest = [one.facts.last_day_in for one in collected if one.facts.last_day_in]
    upto = f", the oldest up to {min(newest)}" if newest else ""
    said = f"{are_in} of {len(collected)} accounts and datasets are in{upto}"
    silent = [len(account.days.get(State.SILENT, ())) for account in collected]
    if any(silent):
        said += (
            f"; {counted(sum(silent), 'silent day')} of {sum(map(bool, silent))}, asked again once "
            "WeChat lists an article"
        )
    for run in found.runs:
        said += (
            f"; {run.dataset} is being asked: {run.done} of {counted(run.pair_count, 'day')} done"
        )
    return said
