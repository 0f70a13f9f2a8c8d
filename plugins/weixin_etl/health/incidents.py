"""
Incidents: the memory of who was told what.

A task writes down what it has found. A trouble that is there by then and not open opens an
incident; one whose trouble is gone is over. What is retried opens none and ends none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl.health.alerts import Alert, Severity, current_alerts, default_severity, stops_all
from weixin_etl.health.status import progress, read_accounts, read_findings, read_incidents
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock
from weixin_etl.warehouse.statements import as_json


@dataclass(frozen=True, slots=True)
class Observation:
    """What a task has found."""

    run: Run
    at: datetime
    found: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    """What coverage does not say, instead of what each of these sources found before."""
    looked: Collection[str] | None = None
    """The accounts and connections that it has looked at; None: all."""
    is_judged: bool = False
    """Whether it has asked WeChat, or waited for it, so that what it does not find has ended."""
    is_at_work: bool = False
    """Whether the run goes on asking: what it tries again, or waits for, is nothing to tell."""
    is_last: bool = False
    """Whether nothing in the run looks after this."""
    once: Sequence[Problem] = ()
    """What is told once and never again."""

    def tells(self, trouble: Alert) -> bool:
        """Return whether people are told of it now; of a retired endpoint once, at a run's end."""
        return self.is_last or trouble.problem.kind is not ProblemKind.ENDPOINT_OFFLINE

    def ends(self, incident: Alert) -> bool:
        """Whether it shows that an incident is over, if its trouble was not found."""
        problem, looked = incident.problem, self.looked
        is_seen = self.is_last if problem.kind.is_common else problem.appid in (looked or ())
        return self.is_judged and (looked is None or is_seen)


def update_incidents(warehouse: Engine, note: Observation) -> None:
    """Write down what a task has found, and what that changes for people; one process at a time."""
    dataset = note.run.dataset
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        take_lock(connection, f"incident:{dataset.name}")  # what two runs meet is opened once
        for source, problems in note.found.items():
            _replace(connection, note, source, problems)
        found, collected = _judged(connection, note, note.looked)
        found += [Alert(it, dataset.name, default_severity(it.kind)) for it in note.once]
        momentary = [it.dedup_key for it in found if it.problem.kind.is_momentary]
        before = read_incidents(connection, [dataset], momentary)
        ended = resolved_incidents(before, found, note)
        if note.looked is not None and any(it.problem.kind.is_common for it in ended):
            everywhere, collected = _judged(connection, note, None)  # others may have it as well
            ended = resolved_incidents(before, everywhere, note)
        _write(
            connection,
            note,
            opened_incidents(before, [*filter(note.tells, found)]),
            ended,
            collected,
        )


def _judged(
    connection: Connection, note: Observation, appids: Collection[str] | None
) -> tuple[list[Alert], Collection[str | None]]:
    """What is wrong with all accounts, or with some; and which are collected, if it is judged."""
    dataset, accounts = note.run.dataset, []
    if note.is_judged:
        run_ids = [note.run.run_id] if note.is_at_work else []
        at_work = progress(connection, dataset, run_ids, appids)
        accounts = read_accounts(connection, [dataset], at_work, note.at, appids)
    findings = read_findings(connection, [dataset], appids)
    found = current_alerts(accounts, findings, None, now=note.at, datasets=[dataset])
    return found, {None, *(it.appid for it in accounts)}


def _replace(
    connection: Connection, note: Observation, source: str, problems: Sequence[Problem]
) -> None:
    values = {
        "dataset": note.run.dataset.name,
        "source": source,
        "looked": None if note.looked is None else [*note.looked],
        "run_id": note.run.run_id,
        "found_at": note.at,
        "rows": as_json([msgspec.to_builtins(problem) for problem in problems]),
    }
    connection.execute(statement("finding/replace.sql"), values)


# ----------------------------------------------------------------------------------- what changes


def opened_incidents(known: Iterable[Alert], found: Iterable[Alert]) -> list[tuple[Alert, bool]]:
    """
    The troubles that are open from now on, or still are, each with whether that is news.

    `known` are the open incidents, and those of momentary troubles.
    """
    before = {it.dedup_key: it for it in known}
    return [
        (trouble, _is_news(trouble, incident))
        for trouble in found
        if trouble.severity in (Severity.FAILURE, Severity.WAITING, Severity.WARNING)
        for incident in [before.get(trouble.dedup_key)]
        if not incident or not (incident.closed_at or _says_less(trouble, incident))
    ]


def resolved_incidents(
    known: Iterable[Alert], found: Sequence[Alert], note: Observation
) -> list[Alert]:
    """The incidents that the note shows to be over, as their troubles are gone."""
    here = {it.dedup_key for it in found}
    return [
        incident
        for incident in known
        if not (incident.closed_at or incident.dedup_key in here)
        and note.ends(incident)
        and not any(_hides(it, incident) for it in found)
    ]


def _says_less(trouble: Alert, incident: Alert) -> bool:
    """Whether it is no answer, and the incident is: what is to be mended is still known."""
    return (
        trouble.problem.kind.is_transport_failure and not incident.problem.kind.is_transport_failure
    )


def _is_no_answer(trouble: Alert) -> bool:
    """Whether WeChat was asked in vain: that says nothing about what is wrong besides."""
    kind = trouble.problem.kind
    return trouble.is_broken and kind.is_transport_failure and kind is not ProblemKind.NOT_ASKED


def _hides(trouble: Alert, incident: Alert) -> bool:
    """
    Return whether it is unknown, because of the trouble, if the incident is over.

    Its account was not asked, or in vain. A quota that was used up is over once its days are in.
    """
    appid, kind = incident.problem.appid, incident.problem.kind
    if kind is ProblemKind.NOT_ASKED:
        return trouble.is_broken and stops_all(trouble.problem)
    if kind is ProblemKind.DAILY_QUOTA and appid in trouble.appids:
        return trouble.is_broken and bool({*incident.problem.days} & {*trouble.problem.days})
    is_unasked = trouble.problem.kind is ProblemKind.NOT_ASKED and kind is ProblemKind.NOT_READY
    is_unknown = is_unasked or (_is_no_answer(trouble) and not kind.is_transport_failure)
    return is_unknown and (appid is None or appid in trouble.appids)


def _is_news(trouble: Alert, incident: Alert | None) -> bool:
    """Whether it begins, or something else is to be mended: no answer says nothing of that."""
    if incident is None:
        return True
    now, before = trouble.problem, incident.problem
    if incident.severity is Severity.WARNING and trouble.is_broken:
        return True
    is_mended_else = now.kind is not before.kind or now.row is not before.row
    return is_mended_else and not now.kind.is_transport_failure


def _write(
    connection: Connection,
    note: Observation,
    begun: Sequence[tuple[Alert, bool]],
    ended: Sequence[Alert],
    collected: Collection[str | None],
) -> None:
    """Write what the troubles of a dataset change; the caller holds its lock."""
    if begun:
        told = as_json([_row(trouble, note.at, is_news=is_news) for trouble, is_news in begun])
        here = {"dataset": note.run.dataset.name, "rows": told, "now": note.at}
        connection.execute(statement("incident/meet.sql"), here)
    if ended:
        # no news is the end of what was only to know, or of who is not collected any more
        are_told = [
            (it.is_broken or it.problem.kind.end_is_told) and it.problem.appid in collected
            for it in ended
        ]
        gone = {"incident_ids": [it.incident_id for it in ended], "are_told": are_told}
        connection.execute(statement("incident/close.sql"), {**gone, "now": note.at})


def _row(trouble: Alert, now: datetime, *, is_news: bool) -> Mapping[str, object]:
    return {
        **msgspec.to_builtins(trouble.problem),
        "dedup_key": trouble.dedup_key,
        "severity": trouble.severity,
        "news_at": now if is_news else "-infinity",
        "closed_at": now if trouble.problem.kind.is_momentary else None,
    }
