"""
What people read: of a trouble in their language, and messages of what begins and what is over.

What is stored is English, see decision 0036. A reader of Chinese gets our sentences in Chinese;
the words of WeChat and Postgres are quoted.

What nobody was told of yet is one message, with a line for each act that would end it. A process
that is killed between `incidents.record` and `tell` leaves rows that the next look tells of. One
that is killed between the delivery and the commit that remembers it causes a second delivery.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.health.alerts import Alert, Severity, grouped_by_cure
from weixin_etl.health.status import Newest, Status
from weixin_etl.problem import Problem, problem_row
from weixin_etl.sentences import CHINESE_MESSAGES, in_chinese
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock

ENGLISH, CHINESE = "en", "zh-CN"
_SETTING = re.compile(r"\[weixin\] (\w+)")
LATELY = timedelta(hours=12)
"""So long after a message, what it said of an act is not said for another dataset."""
QUIET = timedelta(minutes=10)
"""So long after a message the next one waits, but for the run's `check`, which bundles the rest."""
_MOST_BYTES = 1800
"""Bytes of a body: WeCom refuses texts of more than 2,048 bytes."""
_MOST_BYTES_SAID = 600
"""Bytes of an incident among others, so that two fit at least."""
_LONGEST_REST = 32
"""Bytes of the line that says how many more there are."""
_OVER = "success"
_TYPES = ("failure", "warning", _OVER)
"""How serious a message is, the worst first: Apprise's words, which receivers show."""


@dataclass(frozen=True, slots=True)
class Words:
    """A language, and the settings that cures name."""

    language: str = ENGLISH
    settings: Mapping[str, object] = field(default_factory=dict)

    def title(self, problem: Problem) -> str:
        """The problem in a few words."""
        row, who = problem_row(problem.kind), problem.who or self.says("WeChat")
        title = row.title if self.language == ENGLISH else row.title_zh
        return title.format(who=who, subject=problem.subject)

    def told(self, trouble: Alert) -> Problem:
        """Its problem, with the cure in the language; what is tried again needs none."""
        if trouble.failed_tries:
            return replace(trouble.problem, cure=self._tries(trouble))
        return self.cured(trouble.problem)

    def cured(self, problem: Problem) -> Problem:
        """Return the problem in the language, with the values of settings in its cure."""
        cure = _SETTING.sub(self._with_value, self.translated(problem.cure))
        return replace(problem, cause=self.translated(problem.cause), cure=cure)

    def translated(self, text: str) -> str:
        """Return a sentence of ours in the language; any other text as it is."""
        return text if self.language == ENGLISH else in_chinese(text)

    def _with_value(self, named: re.Match[str]) -> str:
        value = self.settings.get(named[1])
        return named[0] if value is None else f"{named[0]} = {value}"

    def _tries(self, tried: Alert) -> str:
        """How far it is with the tries."""
        counts = {"failed": tried.failed_tries, "tries": tried.tries}
        if tried.next_at is None:
            text = "nothing to do: try {failed} of {tries} failed, the next is at work"
            return self.says(text, **counts)
        text = "nothing to do: try {failed} of {tries} failed; next at {time}"
        return self.says(text, **counts, time=time_text(tried.next_at))

    def line(self, problem: Problem) -> str:
        """The line of a problem that is `told`."""
        return " · ".join(filter(None, [str(replace(problem, days=())), self.days(problem.days)]))

    def newest(self, found: Status) -> str:
        """Return how far the newest morning has come, and when the next run is made."""
        newest, next_run_at, now = found.newest, found.next_run_at, found.checked_at
        said = self._morning(newest, now) if newest else self.says("no run has asked yet")
        if next_run_at and next_run_at > now:
            moment = f"{self._day(clock.beijing_date(next_run_at), now)} {hour_text(next_run_at)}"
            said = self.says("{said}; next run {moment}", said=said, moment=moment)
        return said[:1].upper() + said[1:]

    def _morning(self, newest: Newest, now: datetime) -> str:
        """Return how many days of the newest morning are in, and since when."""
        accounts = "1 account" if newest.account_count == 1 else "{count} accounts"
        said = self.says(
            "{day}, {accounts}: {done} of {total} days in",
            day=self._day(newest.morning, now),
            accounts=self.says(accounts, count=f"{newest.account_count:,}"),
            done=f"{newest.days_in:,}",
            total=f"{newest.day_count:,}",
        )
        return (
            self.says("{said} at {time}", said=said, time=hour_text(newest.in_at))
            if newest.in_at
            else said
        )

    def _day(self, day: date, now: datetime) -> str:
        """Return the day as people say it now."""
        names = {0: "today", -1: "yesterday", 1: "tomorrow"}
        name = names.get((day - clock.beijing_date(now)).days)
        return self.says(name) if name else str(day)

    def since(self, begin: datetime, end: datetime | None = None) -> str:
        """Since when, or from when to when."""
        if end is None:
            return self.says("since {time} Beijing time", time=time_text(begin))
        text = "from {begin} to {end} Beijing time"
        return self.says(text, begin=time_text(begin), end=time_text(end))

    def says(self, text: str, **values: object) -> str:
        """A text of ours; what comes into its places stays as it is."""
        return (text if self.language == ENGLISH else CHINESE_MESSAGES[text]).format(**values)

    def days(self, days: tuple[date, ...]) -> str:
        """Days as ranges."""
        if self.language == ENGLISH:
            return clock.days_as_ranges(days)
        return clock.days_as_ranges(days, " 至 ", "、")


def time_text(instant: datetime) -> str:
    """`2026-11-24 08:30`, in Beijing."""
    return f"{instant.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M}"


def hour_text(instant: datetime) -> str:
    """`08:30`, in Beijing."""
    return f"{instant.astimezone(clock.SHANGHAI):%H:%M}"


@dataclass(frozen=True, slots=True)
class Installation:
    """The Airflow that sends messages."""

    page_url: str
    """Where people find its page."""
    words: Words = field(default_factory=Words)


@dataclass(frozen=True, slots=True)
class Notification:
    """A text for people."""

    title: str
    body: str
    notify_type: str
    """One of `_TYPES`."""


Send = Callable[[Notification], bool]
"""Delivers a message to people; whether it arrived. Raises nothing, and takes a few seconds."""
Sender = Callable[[], Send | None]
"""What delivers messages, made when there is one; None when nobody is to be told."""


def notify(
    warehouse: Engine, sender: Sender, *, now: datetime, here: Installation, may_wait: bool
) -> None:
    """
    Send what nobody was told of yet, of any dataset, and remember that it arrived.

    One process at a time tells. What does not arrive is told by the next look. With `may_wait`,
    nothing soon after another message.
    """
    with warehouse.begin() as connection:
        if may_wait and _is_soon(connection, now):
            return
        take_lock(connection, "messages")
        rows = connection.execute(statement("incident/untold.sql"))
        untold = [*map(Alert.of, rows.mappings())]
        if not untold or not (send := sender()):
            return
        said = _said(connection, now - LATELY)
        news = [it for it in untold if said.get(it.act) is not it.has_ended]
        if not news or send(compose(grouped_by_cure(news), here)):
            told = {"incident_ids": [it.incident_id for it in untold], "told_at": now}
            connection.execute(statement("incident/told.sql"), told)


def _said(connection: Connection, since: datetime) -> dict[Hashable, bool]:
    """What people were told last of each act: whether it was that its trouble is over."""
    rows = connection.execute(statement("incident/said.sql"), {"since": since})
    return {Alert.of(row).act: row["is_over"] for row in rows.mappings()}


def _is_soon(connection: Connection, now: datetime) -> bool:
    told_at = connection.scalar(statement("incident/last_told.sql"))
    return told_at is not None and now - told_at < QUIET


def compose(troubles: Sequence[Alert], here: Installation) -> Notification:
    """The message about what has begun or is over, the worst first."""
    ranked = sorted(troubles, key=lambda it: _TYPES.index(_type(it)))
    link = here.page_url if len(ranked) > 1 else _link(ranked[0], here)
    room = _MOST_BYTES - len(link.encode()) - 1
    longest = room if len(ranked) == 1 else _MOST_BYTES_SAID
    lines = _as_many_as_fit([_line(it, here, longest) for it in ranked], room, here)
    title = f"weixin-etl: {_heading(ranked[0], here)}"
    if more := len(ranked) - 1:
        title += f", {here.words.says('and {count} more', count=more)}"
    return Notification(title, "\n".join([*lines, link]), _type(ranked[0]))


def _type(trouble: Alert) -> str:
    """One of `_TYPES`: a failure only where somebody has to act."""
    if trouble.has_ended:
        return _OVER
    return "failure" if trouble.severity is Severity.FAILURE else "warning"


def _heading(trouble: Alert, here: Installation) -> str:
    title = here.words.title(trouble.problem)
    return here.words.says("over: {problem}", problem=title) if trouble.has_ended else title


def _link(trouble: Alert, here: Installation) -> str:
    """To the trouble on the page, as long as it is there."""
    is_shown = trouble.incident_id and not trouble.has_ended
    return here.page_url + (f"#problem-{trouble.incident_id}" if is_shown else "")


def _line(trouble: Alert, here: Installation, room: int) -> str:
    """What is to be done and why, or that it is over; and since when, or how long it lasted."""
    of = f"{', '.join(trouble.datasets)}: " if trouble.dataset else ""
    begin, end = trouble.opened_at, trouble.closed_at if trouble.has_ended else None
    when = f" · {here.words.since(begin, end)}" if begin else ""
    if trouble.has_ended:
        return f"{of}{_heading(trouble, here)}{when}"
    left = room - len(f"{of}{when}".encode())
    return f"{of}{_shortened(here.words.told(trouble), here.words, left)}{when}"


def _shortened(problem: Problem, words: Words, room: int) -> str:
    """The problem's line; without room for all, its days go first, then the end of its cure."""
    line, undated = words.line(problem), replace(problem, days=())
    if len(line.encode()) <= room:
        return line
    left = len(problem.cure.encode()) + room - len(str(undated).encode())
    return _within(str(replace(undated, cure=_within(problem.cure, max(left, 3)))), room)


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
