"""
Messages: people are told of incidents, once when one opens and once when it is over.

A process that is killed between `incidents.record` and `tell` leaves rows that the next look tells
of. One that is killed between the delivery of a message and the commit that remembers it causes a
second delivery: a message is delivered at least once.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.health import chinese
from weixin_etl.health.incidents import STALE, TASKS, Incident
from weixin_etl.health.troubles import Severity
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement

log = logging.getLogger(__name__)

MOST_SINGLE = 5
"""So many incidents have a message each; more are lines of one."""
TELL_SECONDS = 20
"""After so long no further message is begun: the next look goes on."""
QUIET = timedelta(minutes=10)
"""So long after a message the next one waits, but for the run's `check`, which bundles the rest."""
_MOST_BYTES = 1800
"""Bytes of a body: WeCom refuses texts of more than 2,048 bytes."""
_LONGEST_REST = 32
"""Bytes of the line that says how many more there are."""
_MOST_BYTES_SAID = 600
"""Bytes of a problem in a message about many, so that two fit at least."""


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
    language: str = "en"
    """The language in which people are told."""

    def says(self, text: str, **values: object) -> str:
        """A text of ours in that language; what comes into its places stays as it is."""
        said = chinese.frame(text) if self.language == chinese.LANGUAGE else text
        return said.format(**values)

    def lasted(self, lasted: timedelta) -> str:
        """How long something lasted, in that language."""
        text = clock.duration(lasted)
        return chinese.duration(text) if self.language == chinese.LANGUAGE else text

    def told(self, problem: Problem) -> Problem:
        """The problem with its texts in that language."""
        return chinese.told(problem) if self.language == chinese.LANGUAGE else problem

    def title(self, problem: Problem) -> str:
        """`Problem.title` in that language."""
        return chinese.title(problem) if self.language == chinese.LANGUAGE else problem.title

    def line(self, problem: Problem) -> str:
        """The line of a problem that is `told`, in that language."""
        return chinese.line(problem) if self.language == chinese.LANGUAGE else str(problem)


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people, the same as facts for programs, and the incidents it tells of."""

    title: str
    body: str
    notify_type: NotifyType
    facts: Mapping[str, object]
    in_log: str
    """Its title as the log has it, in English."""
    incident_ids: tuple[int, ...] = ()


Send = Callable[[Message], bool]
"""Delivers a message to people; whether it arrived. Raises nothing, and takes a few seconds."""
Sender = Callable[[], Send | None]
"""What delivers messages, made when there is one; None when nobody is to be told."""


def tell(
    warehouse: Engine, sender: Sender, *, now: datetime, here: Installation, may_wait: bool
) -> None:
    """
    Send the messages that nobody got yet, of any dataset, and remember those that arrived.

    Rows are locked while they are told, so that no other process tells them. What does not arrive
    is told by the next look. With `may_wait`, none soon after another.
    """
    with warehouse.begin() as connection:
        rows = connection.execute(statement("incident/untold.sql"), {"stale_since": now - STALE})
        untold = [Incident.of(row) for row in rows.mappings()]
        if not untold or (may_wait and _is_soon(connection, now)) or not (send := sender()):
            return
        started = time.monotonic()
        for message in compose(untold, here):
            if time.monotonic() - started > TELL_SECONDS:
                log.warning("telling takes too long: the next task tells the rest")
                return
            if send(message):
                told = {"incident_ids": list(message.incident_ids), "told_at": now}
                connection.execute(statement("incident/told.sql"), told)


def _is_soon(connection: Connection, now: datetime) -> bool:
    told_at = connection.scalar(statement("incident/last_told.sql"))
    is_soon = told_at is not None and now - told_at < QUIET
    if is_soon:
        log.info("people were told something lately: the rest waits for a later task")
    return is_soon


def compose(incidents: Sequence[Incident], here: Installation) -> list[Message]:
    """The messages about incidents that nobody was told of: one each, or one about all of many."""
    if len(incidents) <= MOST_SINGLE:
        return [_single(incident, here) for incident in incidents]
    return [_bundle(incidents, here)]


def direct(problem: Problem, here: Installation) -> Message:
    """The message about a problem that can't be recorded, as it is the warehouse's."""
    return Message(
        _title(here, here.title(problem)),
        _with_end(here.line(here.told(problem)), here.page_url),
        NotifyType.FAILURE,
        _facts(here, here.page_url, [_facts_of(problem, link=here.page_url)]),
        in_log=_title(here, problem.title),
    )


def _single(incident: Incident, here: Installation) -> Message:
    problem = incident.problem
    link = _link(incident, here)
    title, in_log, said = here.title(problem), problem.title, here.told(problem)
    if incident.has_ended:
        title, in_log = here.says("over: {problem}", problem=title), f"over: {in_log}"
        before = here.says("before: {cause}", cause=said.cause)
        said = replace(said, cure=_what_is_well(problem, here), cause=before)
    declared = DATASETS.get(incident.dataset)  # one of another version is not
    about = declared.dag_id if declared else incident.dataset
    end = f"{_when(incident, here)}\n{about}: {link}"
    return Message(
        _title(here, title),
        _with_end(here.line(said), end),
        _notify_type(incident),
        _facts(here, link, [_facts_of_incident(incident, here)]),
        _title(here, in_log),
        (incident.incident_id,),
    )


def _bundle(incidents: Sequence[Incident], here: Installation) -> Message:
    worst_first = sorted(incidents, key=lambda one: [*NotifyType].index(_notify_type(one)))
    begun = [incident for incident in worst_first if not incident.has_ended]
    over = [incident for incident in worst_first if incident.has_ended]
    english = replace(here, language="en")
    lines = [_bundled(incident, here) for incident in [*begun, *over]]
    end = here.says("all of them: {link}", link=here.page_url)
    return Message(
        _title(here, _counts(len(begun), len(over), here)),
        "\n".join([*_as_many_as_fit(lines, len(end.encode()) + 1, here), end]),
        _notify_type(worst_first[0]),
        _facts(here, here.page_url, [_facts_of_incident(one, here) for one in worst_first]),
        _title(here, _counts(len(begun), len(over), english)),
        tuple(incident.incident_id for incident in incidents),
    )


def _counts(begun: int, over: int, here: Installation) -> str:
    counts = [here.says(f"{{count}} problem{'' if begun == 1 else 's'}", count=begun)]
    counts += [here.says(f"{{count}} {'is' if over == 1 else 'are'} over", count=over)]
    return ", ".join(it for it, count in zip(counts, (begun, over), strict=True) if count)


def _bundled(incident: Incident, here: Installation) -> str:
    """An incident's line in a message about many."""
    problem, when = incident.problem, _when(incident, here)
    if incident.has_ended:
        what = f"{incident.dataset}: {here.title(problem)}"
        return f"{here.says('over: {problem}', problem=what)} · {when}"
    return (
        f"{incident.dataset}: {_within(here.line(here.told(problem)), _MOST_BYTES_SAID)} · {when}"
    )


def _notify_type(incident: Incident) -> NotifyType:
    if incident.has_ended:
        return NotifyType.SUCCESS
    is_warning = incident.severity is Severity.WARNING
    return NotifyType.WARNING if is_warning else NotifyType.FAILURE


# ------------------------------------------------------------------------------------- for people


def _title(here: Installation, what: str) -> str:
    return f"{' '.join(filter(None, ['weixin-etl', here.name]))}: {what}"


def _link(incident: Incident, here: Installation) -> str:
    """To the problem on the page."""
    return f"{here.page_url}#problem-{incident.incident_id}"


def _what_is_well(problem: Problem, here: Installation) -> str:
    """What was seen when it was found to be over."""
    if problem.kind.is_of_run:
        return here.says("a daily run has ended")
    if problem.appid is None and problem.subject in TASKS:
        return here.says("the task {task} works again", task=problem.subject)
    if problem.appid is None and problem.kind.is_of_connection:
        return here.says("the connection can be used again")
    is_of_account = problem.kind.is_of_account
    return here.says("WeChat answers again" if is_of_account else "the days are in")


def _when(incident: Incident, here: Installation) -> str:
    """Since when; of one that is over, how long it lasted."""
    begin, end = incident.opened_at, incident.closed_at
    if end is None or not incident.has_ended:
        return here.says("since {time} Beijing time", time=_time(begin))
    return here.says(
        "lasted {how_long}, from {begin} to {end} Beijing time",
        how_long=here.lasted(end - begin),
        begin=_time(begin),
        end=_time(end),
    )


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M}"


def _with_end(text: str, end: str) -> str:
    """The text, as much as there is room for, and lines below it that are always there."""
    return f"{_within(text, _MOST_BYTES - len(end.encode()) - 1)}\n{end}"


def _as_many_as_fit(lines: Sequence[str], taken: int, here: Installation) -> list[str]:
    """The first lines, as many as there is room for, and how many more there are."""
    room = _MOST_BYTES - taken - _LONGEST_REST
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            return [*kept, here.says("and {count} more", count=len(lines) - len(kept))]
        kept.append(line)
    return kept


def _within(text: str, most_bytes: int) -> str:
    """The text, or as much of its beginning as there is room for."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    room = encoded[: most_bytes - len("…".encode())].decode(errors="ignore")
    return f"{room}…"


# ----------------------------------------------------------------------------------- for programs


def _facts(
    here: Installation, link: str, problems: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """What programs get beside title and body, whether a message is about one problem or many."""
    return {"installation": here.name, "link": link, "problems": problems}


def _facts_of_incident(incident: Incident, here: Installation) -> dict[str, object]:
    has_ended = incident.has_ended
    return _facts_of(
        incident.problem,
        state="over" if has_ended else "open",
        dataset=incident.dataset,
        since=incident.opened_at.isoformat(),
        until=incident.closed_at.isoformat() if has_ended and incident.closed_at else None,
        link=_link(incident, here),
    )


def _facts_of(
    problem: Problem,
    *,
    link: str,
    state: str = "open",
    dataset: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> dict[str, object]:
    return {
        "kind": str(problem.kind),
        "state": state,
        "dataset": dataset,
        "account": problem.account,
        "appid": problem.appid,
        "days": [day.isoformat() for day in problem.days],
        "errcode": problem.errcode,
        "since": since,
        "until": until,
        "link": link,
    }
