"""
The command `weixin-etl status`: it prints the current alerts for a person or an external monitor.

It combines the warehouse with Airflow's database, where that can be read.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.health import status
from weixin_etl.health.alert import Alert
from weixin_etl.health.status import Status
from weixin_etl.health.wording import Wording
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands import outside
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.problem import WarehouseError
from weixin_etl.text import counted

HEALTHY, UNHEALTHY, UNKNOWN, RETRYING = 0, 1, 2, 3
"""
The exit codes. UNKNOWN: the warehouse can't be read. RETRYING: nobody has to act, because the
pipeline retries what is missing.
"""
_NO_AIRFLOW = (
    "Airflow's own database cannot be read from here, so it is not known whether the DAGs are "
    "paused and the scheduler runs"
)


def show_status(datasets: Sequence[Dataset]) -> int:
    """
    Print a line per alert, then a summary, and return the exit code.

    If Airflow's own database can't be read, a line says that the state of the DAGs is unknown.

    Args:
        datasets: the datasets whose alerts are printed.

    Returns:
        `UNKNOWN` if the warehouse can't be read; then only this problem is printed, on stderr.
        `HEALTHY` if nothing is wrong, `RETRYING` if nobody has to act yet, else `UNHEALTHY`.
    """
    words, airflow = settings.words(), None
    with suppress(SQLAlchemyError):
        airflow = airflow_state.read() if outside.has_database() else None
    try:
        with reading() as connection:
            found = status.read(connection, airflow, now=clock.now(), datasets=datasets)
    except WarehouseError as error:
        sys.stderr.write(f"{error}\n")
        return UNKNOWN
    lines = [_line(alert, words) for alert in found.open]
    lines += [] if airflow else [_NO_AIRFLOW]
    lines += [clock.replaced_clock_warning()] if clock.is_replaced() else []
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, _summary(found, words)]))
    if found.is_healthy:
        return HEALTHY
    return RETRYING if found.resolves_itself else UNHEALTHY


def _line(alert: Alert, words: Wording) -> str:
    """Return an alert's severity, datasets, cure, cause and begin as one line, as far as known."""
    since = words.since(alert.opened_at) if alert.opened_at else ""
    parts = [", ".join(alert.datasets), words.line(words.problem_of(alert)), since]
    return f"{alert.severity}: " + " · ".join(filter(None, parts))


def _summary(found: Status, words: Wording) -> str:
    """
    Return the newest day's coverage and the progress of the running runs as one line.

    For a run that waits for WeChat's figures, the line has the time at which it asks again.
    """
    parts = [words.morning_line(found)]
    for run in found.runs:
        done = f"{run.done} of {counted(run.slice_count, 'day')} done"
        parts.append(f"{run.dataset} is being asked: {done}")
        if run.again_at:
            again_at = clock.beijing_text(run.again_at, pattern="%H:%M")
            parts.append(f"WeChat is late: it asks again at {again_at}, until noon")
    return "; ".join(parts)
