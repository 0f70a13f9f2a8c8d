"""
Notifications: the messages that tell people which incidents opened and which are resolved.

`notify` sends one message about everything that nobody was notified of yet, with a line for each
action. A process that is killed after `incidents.update_incidents` leaves rows that the next
process sends. A process that is killed between the delivery and the commit that records it causes a
second delivery.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from weixin_etl.health.alert import Alert, Severity, grouped_by_cure
from weixin_etl.health.wording import Wording
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock

REPEAT_AFTER = timedelta(hours=12)
"""For this time after a message, the same action is not announced for another dataset."""
QUIET_TIME = timedelta(minutes=10)
"""For this time after a message, only the task `check` sends the next one, with all the rest."""
_MOST_BODY_BYTES = 1800
"""WeCom refuses texts of more than 2,048 bytes."""
_MOST_LINE_BYTES = 600
"""The length of a line beside others, so that two fit at least."""
_MOST_REST_BYTES = 32
"""The length of the line that says how many more there are."""
_RESOLVED = "success"
_TYPES = ("failure", "warning", _RESOLVED)
"""How serious a message is, the worst first, in Apprise's words."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The Airflow that sends messages."""

    page_url: str
    """The address of its page."""
    words: Wording = field(default_factory=Wording)


@dataclass(frozen=True, slots=True)
class Notification:
    """A message for people."""

    title: str
    body: str
    notify_type: str
    """One of `_TYPES`."""


Send = Callable[[Notification], bool]
"""Deliver a message within a few seconds; return whether it arrived. Raises nothing."""
Sender = Callable[[], Send | None]
"""Return what delivers messages, or None when nobody is to be notified."""


def notify(
    warehouse: Engine, sender: Sender, *, now: datetime, installation: Installation, may_wait: bool
) -> None:
    """
    Send what nobody was notified of yet, of any dataset, and record that it arrived.

    One process at a time does so. What does not arrive is sent by the next process.

    Args:
        warehouse: where the incidents are.
        sender: what delivers the message; it is called only if there is something to send.
        now: the time that is recorded.
        installation: its page and its language.
        may_wait: send nothing soon after another message.
    """
    with warehouse.begin() as connection:
        if may_wait and _is_quiet_time(connection, now):
            return
        take_lock(connection, "messages")
        rows = connection.execute(statement("incident/untold.sql"))
        untold = [*map(Alert.from_row, rows.mappings())]
        if not untold or not (send := sender()):
            return
        last = _last_announcements(connection, now - REPEAT_AFTER)
        news = [alert for alert in untold if last.get(alert.cure_key) is not alert.has_ended]
        if not news or send(compose(grouped_by_cure(news), installation)):
            told = {"incident_ids": [alert.incident_id for alert in untold], "told_at": now}
            connection.execute(statement("incident/told.sql"), told)


def _last_announcements(connection: Connection, since: datetime) -> dict[Hashable, bool]:
    """
    Return the actions that were announced since then, by `Alert.cure_key`.

    The value is whether the last announcement of the action said that it is resolved.
    """
    rows = connection.execute(statement("incident/said.sql"), {"since": since})
    return {Alert.from_row(row).cure_key: row["is_over"] for row in rows.mappings()}


def _is_quiet_time(connection: Connection, now: datetime) -> bool:
    """Return whether a message was sent within `QUIET_TIME`. False if none ever was."""
    told_at = connection.scalar(statement("incident/last_told.sql"))
    return told_at is not None and now - told_at < QUIET_TIME


def compose(alerts: Sequence[Alert], installation: Installation) -> Notification:
    """
    Return the message about alerts that opened or are resolved.

    The title and the type are those of the worst alert, and the title has the number of the others.
    The body has a line for each alert, the worst first, as many as a receiver takes. Its last line
    is the address of the page, or of the alert on the page if there is only one.

    Args:
        alerts: at least one alert.
        installation: its page and its language.
    """
    ranked = sorted(alerts, key=lambda alert: _TYPES.index(_type(alert)))
    link = installation.page_url if len(ranked) > 1 else _link(ranked[0], installation)
    room = _MOST_BODY_BYTES - len(link.encode()) - 1
    longest = room if len(ranked) == 1 else _MOST_LINE_BYTES
    lines = as_many_as_fit(
        [_line(alert, installation, longest) for alert in ranked], room, installation
    )
    title = f"weixin-etl: {_heading(ranked[0], installation)}"
    if more := len(ranked) - 1:
        title += f", {installation.words.phrase('and {count} more', count=more)}"
    return Notification(title, "\n".join([*lines, link]), _type(ranked[0]))


def _type(alert: Alert) -> str:
    """Return the type of message for an alert: success, failure (somebody has to act), warning."""
    if alert.has_ended:
        return _RESOLVED
    return "failure" if alert.severity is Severity.FAILURE else "warning"


def _heading(alert: Alert, installation: Installation) -> str:
    """Return the title of an alert's problem; of an alert that has ended, that it is over."""
    title = installation.words.title(alert.problem)
    return installation.words.phrase("over: {problem}", problem=title) if alert.has_ended else title


def _link(alert: Alert, installation: Installation) -> str:
    """Return the address of the alert's card, or of the page if it has no card or has ended."""
    is_shown = alert.incident_id and not alert.has_ended
    return installation.page_url + (f"#problem-{alert.incident_id}" if is_shown else "")


def _line(alert: Alert, installation: Installation, room: int) -> str:
    """
    Return the line of an alert in a message: its datasets, what to do and why, and since when.

    The line of an alert that has ended has the title of the problem, and from when to when it
    lasted. Only the text of a problem that is open is cut to fit into `room` bytes.
    """
    datasets = f"{', '.join(alert.datasets)}: " if alert.dataset else ""
    begin, end = alert.opened_at, alert.closed_at if alert.has_ended else None
    when = f" · {installation.words.since(begin, end)}" if begin else ""
    if alert.has_ended:
        return f"{datasets}{_heading(alert, installation)}{when}"
    left = room - len(f"{datasets}{when}".encode())
    words = installation.words
    return f"{datasets}{_shortened(words.problem_of(alert), words, left)}{when}"


def _shortened(problem: Problem, words: Wording, room: int) -> str:
    """
    Return the problem's line in at most `room` bytes.

    If it is longer, its days are left out and its cure is cut, and at last the line itself.
    """
    line, undated = words.line(problem), replace(problem, days=())
    if len(line.encode()) <= room:
        return line
    left = len(problem.cure.encode()) + room - len(str(undated).encode())
    return cut(str(replace(undated, cure=cut(problem.cure, max(left, 3)))), room)


def as_many_as_fit(lines: Sequence[str], room: int, installation: Installation) -> list[str]:
    """
    Return the first lines, as many as fit, and a last line with the number of the others.

    The first line is always kept. If all lines fit, no line is added.

    Args:
        lines: the lines, the most important first.
        room: the number of bytes for the lines and their line ends.
        installation: the language of the added line.
    """
    kept: list[str] = []
    for number, line in enumerate(lines, start=1):
        room -= len(line.encode()) + 1
        if room < (0 if number == len(lines) else _MOST_REST_BYTES) and kept:
            rest = installation.words.phrase("and {count} more", count=len(lines) - len(kept))
            return [*kept, rest]
        kept.append(line)
    return kept


def cut(text: str, most_bytes: int) -> str:
    """Return the text, or as many of its first characters as fit into the bytes, with `…`."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return f"{encoded[: most_bytes - len('…'.encode())].decode(errors='ignore')}…"
