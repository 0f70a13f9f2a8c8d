"""Whether figures come in, printed for a person or a monitor outside of Airflow."""

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
Exit codes. Unknown: the warehouse can't be read. Retrying: nobody has to act, what is missing is
tried or asked for again.
"""
_NO_AIRFLOW = (
    "Airflow's own database cannot be read from here, so it is not known whether the DAGs are "
    "paused and the scheduler runs"
)


def show_status(datasets: Sequence[Dataset]) -> int:
    """
    Print a line per problem, the warnings last, and one about the accounts; the exit code.

    Where Airflow's own database can't be read, a sentence says what is not known for it.
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
    lines = [_line(listed, words) for listed in found.open]
    lines += [] if airflow else [_NO_AIRFLOW]
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, _summary(found, words)]))
    if found.is_healthy:
        return HEALTHY
    return RETRYING if found.is_retrying else UNHEALTHY


def _line(listed: Alert, words: Wording) -> str:
    """How bad it is, where, what to do and why, and since when."""
    since = words.since(listed.opened_at) if listed.opened_at else ""
    parts = [", ".join(listed.datasets), words.line(words.problem_of(listed)), since]
    return f"{listed.severity}: " + " · ".join(filter(None, parts))


def _summary(found: Status, words: Wording) -> str:
    """Return how many days are in, and how far the runs at work are."""
    said = [words.morning_line(found)]
    for run in found.runs:
        done = f"{run.done} of {counted(run.pair_count, 'day')} done"
        said.append(f"{run.dataset} is being asked: {done}")
        if run.again_at:
            again_at = clock.beijing_text(run.again_at, pattern="%H:%M")
            said.append(f"WeChat is late: it asks again at {again_at}, until noon")
    return "; ".join(said)
