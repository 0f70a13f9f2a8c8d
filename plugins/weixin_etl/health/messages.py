"""
Messages: people are told of incidents, once when one opens and once when it is over.

What nobody was told of yet is one message with a line each. A process that is killed between
`incidents.record` and `tell` leaves rows that the next look tells of. One that is killed between
the delivery and the commit that remembers it causes a second delivery.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.health.troubles import Incident, Severity
from weixin_etl.health.words import Words
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement

log = logging.getLogger(__name__)

QUIET = timedelta(minutes=10)
"""So long after a message the next one waits, but for the run's `check`, which bundles the rest."""
_MOST_BYTES = 1800
"""Bytes of a body: WeCom refuses texts of more than 2,048 bytes."""
_MOST_BYTES_SAID = 600
"""Bytes of an incident among others, so that two fit at least."""
_LONGEST_REST = 32
"""Bytes of the line that says how many more there are."""


class NotifyType(StrEnum):
    """How serious a message is, the worst first: Apprise's words, which receivers show."""

    FAILURE = "failure"
    """Something is broken."""
    WARNING = "warning"
    """Something to know."""
    SUCCESS = "success"
    """Something is over."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The Airflow that sends messages."""

    page_url: str
    """Where people find its page."""
    name: str = ""
    """What people call it; empty where there is only one."""
    words: Words = field(default_factory=Words)


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people, and the same as facts for programs."""

    title: str
    body: str
    notify_type: NotifyType
    facts: Mapping[str, object]


Send = Callable[[Message], bool]
"""Delivers a message to people; whether it arrived. Raises nothing, and takes a few seconds."""
Sender = Callable[[], Send | None]
"""What delivers messages, made when there is one; None when nobody is to be told."""


def tell(
    warehouse: Engine, sender: Sender, *, now: datetime, here: Installation, may_wait: bool
) -> None:
    """
    Send what nobody was told of yet, of any dataset, and remember that it arrived.

    Rows are locked while they are told, so that no other process tells them. What does not arrive
    is told by the next look. With `may_wait`, nothing soon after another message.
    """
    with warehouse.begin() as connection:
        rows = connection.execute(statement("incident/untold.sql"))
        untold = [Incident.of(row) for row in rows.mappings()]
        if not untold or (may_wait and _is_soon(connection, now)) or not (send := sender()):
            return
        if send(compose(untold, here)):
            told = {"incident_ids": [it.incident_id for it in untold], "told_at": now}
            connection.execute(statement("incident/told.sql"), told)


def _is_soon(connection: Connection, now: datetime) -> bool:
    told_at = connection.scalar(statement("incident/last_told.sql"))
    is_soon = told_at is not None and now - told_at < QUIET
    if is_soon:
        log.info("people were told something lately: the rest waits for a later task")
    return is_soon


def direct(problem: Problem, here: Installation, now: datetime) -> Message:
    """The message about a problem that can't be recorded, as it is the warehouse's."""
    return compose([Incident(0, "", "", problem, Severity.FAILURE, now)], here)


def compose(incidents: Sequence[Incident], here: Installation) -> Message:
    """The message about incidents, the worst first."""
    ranked = sorted(incidents, key=lambda it: [*NotifyType].index(_notify_type(it)))
    link = here.page_url if len(ranked) > 1 else _link(ranked[0], here)
    room = _MOST_BYTES - len(link.encode()) - 1
    longest = room if len(ranked) == 1 else _MOST_BYTES_SAID
    lines = _as_many_as_fit([_line(it, here, longest) for it in ranked], room, here)
    title = f"{' '.join(filter(None, ['weixin-etl', here.name]))}: {_heading(ranked[0], here)}"
    if more := len(ranked) - 1:
        title += f", {here.words.says('and {count} more', count=more)}"
    facts = {
        "installation": here.name,
        "link": link,
        "problems": [_facts(it, here) for it in ranked],
    }
    return Message(title, "\n".join([*lines, link]), _notify_type(ranked[0]), facts)


def _notify_type(incident: Incident) -> NotifyType:
    if incident.has_ended:
        return NotifyType.SUCCESS
    is_warning = incident.severity is Severity.WARNING
    return NotifyType.WARNING if is_warning else NotifyType.FAILURE


# ------------------------------------------------------------------------------------- for people


def _heading(incident: Incident, here: Installation) -> str:
    title = here.words.title(incident.problem)
    return here.words.says("over: {problem}", problem=title) if incident.has_ended else title


def _link(incident: Incident, here: Installation) -> str:
    """To the problem on the page, as long as it is there."""
    is_shown = incident.incident_id and not incident.has_ended
    return here.page_url + (f"#problem-{incident.incident_id}" if is_shown else "")


def _line(incident: Incident, here: Installation, room: int) -> str:
    """What is to be done and why, or that it is over; and since when, or how long it lasted."""
    of, when = f"{incident.dataset}: " if incident.dataset else "", f" · {_when(incident, here)}"
    if incident.has_ended:
        return f"{of}{_heading(incident, here)}{when}"
    left = room - len(f"{of}{when}".encode())
    return f"{of}{_shortened(here.words.told(incident.problem), here.words, left)}{when}"


def _shortened(problem: Problem, words: Words, room: int) -> str:
    """The problem's line; without room for all, its days go first, then the end of its cure."""
    line = words.line(problem)
    if len(line.encode()) <= room:
        return line
    line = words.line(replace(problem, days=()))
    left = len(problem.cure.encode()) + room - len(line.encode())
    line = words.line(replace(problem, days=(), cure=_within(problem.cure, max(left, 3))))
    return _within(line, room)


def _when(incident: Incident, here: Installation) -> str:
    """Since when; of one that is over, how long it lasted."""
    begin, end = incident.opened_at, incident.closed_at
    if end is None or not incident.has_ended:
        return here.words.says("since {time} Beijing time", time=_time(begin))
    return here.words.says(
        "lasted {how_long}, from {begin} to {end} Beijing time",
        how_long=here.words.lasted(end - begin),
        begin=_time(begin),
        end=_time(end),
    )


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M}"


def _as_many_as_fit(lines: Sequence[str], room: int, here: Installation) -> list[str]:
    """The first lines, as many as there is room for, and how many more there are."""
    kept: list[str] = []
    for number, line in enumerate(lines, start=1):
        room -= len(line.encode()) + 1
        if room < (0 if number == len(lines) else _LONGEST_REST) and kept:
            return [*kept, here.words.says("and {count} more", count=len(lines) - len(kept))]
        kept.append(line)
    return kept


def _within(text: str, most_bytes: int) -> str:
    """The text, or as much of its beginning as there is room for."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return f"{encoded[: most_bytes - len('…'.encode())].decode(errors='ignore')}…"


# ----------------------------------------------------------------------------------- for programs


def _facts(incident: Incident, here: Installation) -> dict[str, object]:
    """What programs get of an incident, whether a message is about one or many."""
    problem, has_ended = incident.problem, incident.has_ended
    return {
        "kind": str(problem.kind),
        "state": "over" if has_ended else "open",
        "dataset": incident.dataset or None,
        "account": problem.account,
        "appid": problem.appid,
        "days": [day.isoformat() for day in problem.days],
        "errcode": problem.errcode,
        "since": incident.opened_at.isoformat(),
        "until": incident.closed_at.isoformat() if has_ended and incident.closed_at else None,
        "link": _link(incident, here),
    }
