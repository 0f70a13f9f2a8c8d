"""
Messages: people are told of incidents, once when one opens and once when it is over.

A process that is killed between `incidents.record` and `tell` leaves rows that the next look tells
of. One that is killed between the delivery of a message and the commit that remembers it causes a
second delivery: a message is delivered at least once.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.json_text import counted
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble.incidents import Incident
from weixin_etl.warehouse import statement

log = logging.getLogger(__name__)

MOST_SINGLE = 5
"""So many incidents have a message each; more are lines of one."""
TELL_SECONDS = 20
"""After so long no further message is begun: the next look goes on."""
MOST_MESSAGES = 10
"""So many messages an hour; the rest waits for the run's `check`, which bundles it."""
_HOUR = timedelta(hours=1)
STALE = timedelta(days=3)
"""An end that nobody could be told of for so long is not told."""
FINDINGS = [it.value for it in ProblemKind if it.is_finding]
"""Kinds that are told even after they are over."""
_MOST_BYTES = 1800
"""Of a body: WeCom refuses texts of more than 2,048 bytes."""
_MOST_BYTES_SAID = 600
"""Of a problem in a message about many, so that there is room for two at least."""
_PREFIX = "weixin-etl: "


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people, and the incidents it tells of."""

    title: str
    body: str
    incident_ids: tuple[int, ...] = ()


Send = Callable[[Message], bool]
"""Delivers a message to people; whether it arrived. Raises nothing, and takes a few seconds."""
Sender = Callable[[], Send | None]
"""What delivers messages, made when there is one; None when nobody is to be told."""


def tell(
    warehouse: Engine, sender: Sender, *, now: datetime, base_url: str, may_wait: bool
) -> None:
    """
    Send the messages that nobody got yet, of any dataset, and remember those that arrived.

    Rows are locked while they are told, so that no other process tells them. What does not arrive
    is told by the next look. With `may_wait`, no more than `MOST_MESSAGES` an hour.
    """
    with warehouse.begin() as connection:
        rows = connection.execute(
            statement("incident/untold.sql"),
            {"closed_since": now - STALE, "told_though_over": FINDINGS},
        )
        untold = [Incident.of(row) for row in rows.mappings()]
        if not untold or (may_wait and _are_enough(connection, now)) or not (send := sender()):
            return
        started = time.monotonic()
        for number, message in enumerate(compose(untold, base_url), start=1):
            if time.monotonic() - started > TELL_SECONDS:
                log.warning("telling takes too long: the next task tells the rest")
                return
            if send(message):
                # messages are counted by their times, which no closing time equals
                told_at = now + timedelta(microseconds=number)
                told = {"incident_ids": list(message.incident_ids), "told_at": told_at}
                connection.execute(statement("incident/told.sql"), told)


def _are_enough(connection: Connection, now: datetime) -> bool:
    since = {"since": now - _HOUR}
    sent = connection.scalar(statement("incident/messages_since.sql"), since) or 0
    if sent >= MOST_MESSAGES:
        log.info("%s messages in an hour: the rest waits for the task check", sent)
    return bool(sent >= MOST_MESSAGES)


def compose(incidents: Sequence[Incident], base_url: str) -> list[Message]:
    """The messages about incidents that nobody was told of: one each, or one about all of many."""
    if len(incidents) <= MOST_SINGLE:
        return [_single(it, base_url) for it in incidents]
    return [_bundle(incidents, base_url)]


def direct(problem: Problem) -> Message:
    """The message about a problem that can't be recorded, as it is the warehouse's."""
    return Message(_PREFIX + problem.title, _within(problem.in_full))


def _single(incident: Incident, base_url: str) -> Message:
    dag_id = DATASETS[incident.dataset].dag_id
    run = f"/runs/{quote(incident.run_id, safe='')}" if incident.run_id else ""
    rest = f"\n{_when(incident)}\n{dag_id}: {base_url}/dags/{dag_id}{run}"
    over = "over: " if incident.has_ended else ""
    return Message(
        f"{_PREFIX}{over}{incident.problem.title}",
        _within(incident.problem.in_full, _MOST_BYTES - len(rest.encode())) + rest,
        (incident.incident_id,),
    )


def _bundle(incidents: Sequence[Incident], base_url: str) -> Message:
    begun = [it for it in incidents if not it.has_ended]
    over = [it for it in incidents if it.has_ended]
    counts = [counted(len(begun), "problem")] * bool(begun) + [f"{len(over)} are over"] * bool(over)
    lines = [
        f"{it.dataset}: {_within(it.problem.in_full, _MOST_BYTES_SAID)} · {_when(it)}"
        for it in begun
    ]
    lines += [f"over: {it.dataset}: {it.problem.title}, {_when(it)}" for it in over]
    end = f"all of them: {base_url}/plugin/weixin"
    return Message(
        _PREFIX + ", ".join(counts),
        "\n".join([*_as_many_as_fit(lines, len(end.encode()) + 1), end]),
        tuple(it.incident_id for it in incidents),
    )


def _as_many_as_fit(lines: Sequence[str], taken: int) -> list[str]:
    """The first lines, as many as there is room for, and how many more there are."""
    room = _MOST_BYTES - taken - len(f"and {len(lines)} more\n")
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            return [*kept, f"and {len(lines) - len(kept)} more"]
        kept.append(line)
    return kept


def _within(text: str, most_bytes: int = _MOST_BYTES) -> str:
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode(errors="ignore") + "…"


def _when(incident: Incident) -> str:
    """Since when; of one that is over, how long it lasted."""
    if incident.closed_at is None or not incident.has_ended:
        return f"since {clock.beijing_text(incident.opened_at)}"
    from_to = clock.beijing_text(incident.opened_at, incident.closed_at)
    return f"lasted {clock.duration(incident.closed_at - incident.opened_at)}, from {from_to}"
