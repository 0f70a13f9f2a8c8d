"""Whether figures come in, printed for a person or a monitor outside of Airflow."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.health import status
from weixin_etl.health.at_work import Airflow, Asleep
from weixin_etl.health.status import Status
from weixin_etl.health.troubles import Severity, Trouble
from weixin_etl.health.words import Words
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands import outside
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.problem import WarehouseError
from weixin_etl.text import counted

HEALTHY, UNHEALTHY, UNKNOWN, RETRYING = 0, 1, 2, 3
"""
Exit codes. Unknown: the warehouse can't be read. Retrying: what failed is being tried again.
"""
_BEFORE = {
    Severity.RETRYING: "being tried again: ",
    Severity.WARNING: "warning: ",
    Severity.NOTE: "note: ",
}
_NO_AIRFLOW = (
    "Airflow's own database cannot be read from here, so it is not known whether the DAGs are "
    "paused and the scheduler runs"
)


def show_status(datasets: Sequence[Dataset]) -> int:
    """
    Print a line per problem, the warnings last, and one about the accounts; the exit code.

    Where Airflow's own database can't be read, a sentence says what is not known for it.
    """
    airflow, words = _airflow(), settings.words()
    try:
        with reading() as connection:
            found = status.read(connection, airflow, now=clock.now(), datasets=datasets)
    except WarehouseError as error:
        sys.stderr.write(f"{error}\n")
        return UNKNOWN
    lines = [_line(listed, words) for listed in found.open]
    lines += [] if airflow else [_NO_AIRFLOW]
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


def _line(listed: Trouble, words: Words) -> str:
    problem = words.told(listed.problem)
    if listed.tried:
        problem = replace(problem, cure=_tried(listed.tried, words))
    before = _BEFORE.get(listed.severity)
    parts = [listed.dataset or "", words.line(problem)]
    if listed.opened_at:
        time = clock.beijing_text(listed.opened_at).removesuffix(" Beijing time")
        parts.append(words.says("since {time} Beijing time", time=time))
    return (words.says(before) if before else "") + " · ".join(filter(None, parts))


def _tried(tried: Asleep, words: Words) -> str:
    counts = {"failed": tried.failed_tries, "tries": tried.tries}
    if tried.next_at is None:
        text = "nothing to do: try {failed} of {tries} failed, the next is at work"
        return words.says(text, **counts)
    time = f"{tried.next_at.astimezone(clock.SHANGHAI):%H:%M}"
    text = "nothing to do: try {failed} of {tries} failed; next at {time}"
    return words.says(text, **counts, time=time)


def _summary(found: Status) -> str:
    """How many accounts are in, up to which day, and how far the runs at work are."""
    collected = [it for it in found.accounts if not (it.days.is_retired and found.is_well(it))]
    are_in = sum(found.is_well(it) and not it.being_asked for it in collected)
    newest = [it.last_day_in for it in collected if it.last_day_in]
    upto = f", the oldest up to {min(newest)}" if newest else ""
    said = [f"{are_in} of {len(collected)} accounts and datasets are in{upto}"]
    for run in found.runs:
        done = f"{run.done} of {counted(run.pair_count, 'day')} done"
        said.append(f"{run.dataset} is being asked: {done}")
        if run.again_at:
            again_at = clock.beijing_text(run.again_at, pattern="%H:%M")
            said.append(f"WeChat is late: it asks again at {again_at}, until noon")
    return "; ".join(said)
