"""Whether figures come in, printed for a person or a monitor outside of Airflow."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.health import status
from weixin_etl.health.at_work import Airflow, Asleep
from weixin_etl.health.troubles import Severity, Trouble
from weixin_etl.model import State
from weixin_etl.orchestration.commands import outside
from weixin_etl.orchestration.connections.warehouse import of_reader, open_reader, reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.problem import WarehouseError
from weixin_etl.text import counted

HEALTHY, UNHEALTHY, UNKNOWN, RETRYING = 0, 1, 2, 3
"""
Exit codes. Unknown: the warehouse can't be read. Retrying: what failed is being tried again.
"""


def show_status(datasets: Sequence[Dataset]) -> int:
    """
    Print a line per problem, the warnings last, and one about the accounts; the exit code.

    Where Airflow's own database can't be read, a sentence says what is not known for it.
    """
    airflow = _airflow()
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


def _airflow() -> Airflow | None:
    if not outside.has_database():
        return None
    try:
        return airflow_state.read()
    except SQLAlchemyError:
        return None


_BEFORE = {
    Severity.RETRYING: "being tried again: ",
    Severity.WARNING: "warning: ",
    Severity.NOTE: "note: ",
}


def _line(listed: Trouble) -> str:
    problem = listed.problem
    if listed.tried:
        problem = replace(problem, cure=_tried(listed.tried))
    parts = [part for part in (listed.dataset, str(problem)) if part]
    if listed.opened_at:
        parts.append(f"since {clock.beijing_text(listed.opened_at)}")
    return _BEFORE.get(listed.severity, "") + " · ".join(parts)


def _tried(tried: Asleep) -> str:
    said = f"nothing to do: try {tried.failed_tries} of {tried.tries} failed"
    if tried.next_at is None:
        return f"{said}, the next is at work"
    return f"{said}; next at {clock.beijing_text(tried.next_at, pattern='%H:%M')}"


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
        if run.again_at:
            again_at = clock.beijing_text(run.again_at, pattern="%H:%M")
            said += f"; WeChat is late: it asks again at {again_at}, until noon"
    return said
