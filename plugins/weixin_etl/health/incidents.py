"""
Incidents: the memory of who was told what.

A trouble that is there and not open opens one; one whose trouble is gone is over. What is retried
opens none and ends none.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.health.troubles import Severity, Trouble
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import as_json

log = logging.getLogger(__name__)

TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")
"""The subjects of problems of whole tasks."""
STALE = timedelta(days=3)
"""What began or ended so long ago, and nobody could be told of it, is not told."""
RECENTLY = timedelta(days=7)
"""So long what is over is still listed."""
MOST_INCIDENTS = 2000
_MOST_LINES = 20
_MOST_UNKNOWN = 20
"""Metrics that are named; an endpoint has some thirty in all."""
_LONGEST_METRIC = 60


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of `weixin.incident`: a trouble, as it was last met."""

    incident_id: int
    dataset: str
    identity: str
    problem: Problem
    severity: Severity
    opened_at: datetime
    told_at: datetime | None = None
    closed_at: datetime | None = None
    untold_since: datetime | None = None
    """Since when a message about it is due, where that was asked for; None when none is."""

    @classmethod
    def of(cls, row: RowMapping) -> "Incident":
        """The incident of a row."""
        return convert({**row, "problem": dict(row)}, cls)

    @property
    def trouble(self) -> Trouble:
        """What is, or was, wrong."""
        return Trouble(self.problem, self.dataset, self.severity)

    @property
    def has_ended(self) -> bool:
        """Whether its end is what is to be told, or was."""
        return self.told_at is not None and self.closed_at is not None


@dataclass(frozen=True, slots=True)
class Changes:
    """What troubles change."""

    met: list[tuple[Trouble, bool]] = field(default_factory=list)
    """Those that are open from now on, or still are, each with whether that is news."""
    over: list[tuple[Incident, bool]] = field(default_factory=list)
    """Those that have ended, each with whether people are told."""


def changes(
    known: Iterable[Incident],
    found: Sequence[Trouble],
    ends: Callable[[Incident], bool],
    collected: Collection[str],
) -> Changes:
    """
    What opens, what goes on and what is over.

    `known` are the open incidents, and those of momentary troubles. `ends` says whether one whose
    trouble was looked for and not found is over. `collected` are the accounts of daily runs: nobody
    is told that the trouble of another is over.
    """
    before, here = {it.identity: it for it in known}, {it.identity for it in found}
    unanswered = [it.appids for it in found if _is_no_answer(it)]
    did = Changes()
    for trouble in found:
        incident = before.get(trouble.identity)
        if trouble.severity in (Severity.FAILURE, Severity.WARNING) and not (
            incident and (incident.closed_at or _says_less(trouble, incident))
        ):
            did.met.append((trouble, _is_news(trouble, incident)))
    for incident in before.values():
        is_gone = incident.identity not in here and not _may_be_there(incident, unanswered)
        if not incident.closed_at and is_gone and ends(incident):
            did.over.append((incident, _is_end_told(incident, collected)))
    return did


def _is_end_told(incident: Incident, collected: Collection[str]) -> bool:
    """Whether it is news: not of what was only to know, nor of who is not collected any more."""
    appid = incident.problem.appid
    is_only_to_know = incident.severity is Severity.WARNING
    return not is_only_to_know and (appid is None or appid in collected)


def _says_less(trouble: Trouble, incident: Incident) -> bool:
    """Whether it is no answer, and the incident is: what is to be mended is still known."""
    return trouble.problem.kind.is_no_answer and not incident.problem.kind.is_no_answer


def _is_no_answer(trouble: Trouble) -> bool:
    """Whether WeChat was asked in vain: that says nothing about what is wrong besides."""
    kind = trouble.problem.kind
    return trouble.is_broken and kind.is_no_answer and kind is not ProblemKind.NOT_ASKED


def _may_be_there(incident: Incident, unanswered: Iterable[Collection[str]]) -> bool:
    """Whether it is only unknown, as its account was asked in vain."""
    appid, kind = incident.problem.appid, incident.problem.kind
    return not kind.is_no_answer and any(appid is None or appid in them for them in unanswered)


def _is_news(trouble: Trouble, incident: Incident | None) -> bool:
    """Whether it begins, or something else is to be mended: no answer says nothing of that."""
    if incident is None:
        return True
    now, before = trouble.problem, incident.problem
    if incident.severity is Severity.WARNING and trouble.is_broken:
        return True
    is_other = now.errcode and before.errcode and now.errcode != before.errcode
    is_mended_else = now.kind is not before.kind or now.row is not before.row or bool(is_other)
    return is_mended_else and not now.kind.is_no_answer


def record(
    connection: Connection,
    dataset: Dataset,
    found: Sequence[Trouble],
    *,
    now: datetime,
    ends: Callable[[Incident], bool],
    collected: Collection[str],
) -> None:
    """Write what the troubles of a dataset change; the caller holds its lock."""
    momentary = [it.identity for it in found if it.problem.kind.is_momentary]
    values = {"dataset": dataset.name, "momentary": momentary}
    rows = connection.execute(statement("incident/known.sql"), values)
    did = changes([Incident.of(row) for row in rows.mappings()], found, ends, collected)
    met = [_row(trouble, is_news=is_news) for trouble, is_news in did.met]
    over = [{"incident_id": it.incident_id, "is_told": told} for it, told in did.over]
    if met:
        told = {"dataset": dataset.name, "rows": as_json(met), "now": now}
        connection.execute(statement("incident/meet.sql"), told)
    if over:
        connection.execute(statement("incident/close.sql"), {"rows": as_json(over), "now": now})
    for trouble, is_news in did.met[:_MOST_LINES]:
        if is_news:
            log.info("incident opened: %s", trouble.problem.title)
    for incident, _ in did.over[:_MOST_LINES]:
        lasted = clock.duration(now - incident.opened_at)
        log.info("incident over after %s: %s", lasted, incident.problem.title)


def _row(trouble: Trouble, *, is_news: bool) -> Mapping[str, object]:
    return {
        **msgspec.to_builtins(trouble.problem),
        "identity": trouble.identity,
        "severity": trouble.severity,
        "is_news": is_news,
        "is_momentary": trouble.problem.kind.is_momentary,
    }


def known(connection: Connection, datasets: Sequence[Dataset], now: datetime) -> list[Incident]:
    """Open incidents, and those that have ended lately; the newest first."""
    values = {
        "datasets": [dataset.name for dataset in datasets],
        "closed_since": now - RECENTLY,
        "stale_since": now - STALE,
        "most": MOST_INCIDENTS,
    }
    rows = connection.execute(statement("incident/since.sql"), values)
    return [Incident.of(row) for row in rows.mappings()]


def unknown_metrics(names: Collection[str]) -> list[Problem]:
    """One problem of all metrics that the dataset's declaration does not have."""
    if not names:
        return []
    known = sorted({one_line(name, _LONGEST_METRIC) for name in names})
    are_many = len(known) > _MOST_UNKNOWN
    named = ", ".join(known[:_MOST_UNKNOWN]) + (", …" if are_many else "")
    return [
        Problem.of_kind(
            ProblemKind.UNKNOWN_METRIC,
            f"WeChat sends metrics that are not known here; kept in extra: {named}",
            subject="(many)" if are_many else ", ".join(known),
        )
    ]
