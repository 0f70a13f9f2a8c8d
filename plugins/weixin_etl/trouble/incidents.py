"""
Incidents: problems from when they are met until they are over.

    look     what a task has met, and what it has looked at     `Look`
    compare  what opens, goes on and is over (pure)             `compare`
    record   the changes, in weixin.incident                    `record`

However many tries, runs and days meet the same problem, it is one row, and two messages
(`trouble.messages`): one when it is met, one when it is over. It is over only with evidence: a look
proves nothing about days that it did not look at, and a day is well when the warehouse says that it
is in. What shows that a problem is over depends on its kind: see `problem.End`.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import msgspec
from sqlalchemy import Connection, Engine, RowMapping

from weixin_etl import clock, rules
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Run, connection_of
from weixin_etl.problem import End, Problem, ProblemKind, days_of
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import lock_incidents
from weixin_etl.warehouse.statements import as_json

log = logging.getLogger(__name__)

TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")
"""The subjects of incidents of whole tasks."""
FINDINGS = [
    kind.value
    for kind in ProblemKind
    if kind.is_warning and (not kind.is_of_account or kind.ends is End.AT_ONCE)
]
"""Kinds that are something to know and stay true: told even after they are over."""
_FOUND_BY_PLAN = {ProblemKind.DAYS_LOST, ProblemKind.NOT_COLLECTED}
_FOUND_BY_CHECK = {
    *(ProblemKind.ENDPOINT_OFFLINE, ProblemKind.RUN_LATE),
    *(ProblemKind.REJECTED, ProblemKind.SILENT),
}
_FOUND_BY_NO_TASK = {ProblemKind.UNKNOWN_METRIC, ProblemKind.UNKNOWN}
_FOUND_BY_INGEST = {*ProblemKind} - _FOUND_BY_PLAN - _FOUND_BY_CHECK - _FOUND_BY_NO_TASK
"""The kinds that the look of a task would have found if they existed."""
_MOST_UNKNOWN = 20
"""Metrics that are told one by one; an endpoint has some thirty in all."""
_UNKNOWN_NAMED = 3
"""Names in the problem that stands for more metrics than that."""
_LONGEST_METRIC = 60


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of `weixin.incident`."""

    incident_id: int
    dataset: str
    problem: Problem
    run_id: str | None
    """The run that met it last."""
    opened_at: datetime
    seen_at: datetime
    """When it was met last."""
    closed_at: datetime | None = None
    closing_told_at: datetime | None = None
    is_collected: bool = True
    """Whether its account is still in the list of accounts to collect."""
    is_answered_since: bool = False
    """
    Whether WeChat has answered otherwise since it was last met: the account, or any account when
    the incident is not an account's.
    """
    days_settled: frozenset[date] = frozenset()
    """Days of it that are final, or ready since it was last met; see `incident/known.sql`."""
    is_warning: bool = False
    """Whether one that is to be told is a warning: see `is_warning`."""

    @classmethod
    def of(cls, row: RowMapping) -> "Incident":
        """The incident of a row; what only a look must know may be left out."""
        return convert({**row, "problem": dict(row)}, cls)

    @property
    def has_ended(self) -> bool:
        """Whether its end is what is to be told."""
        return self.closed_at is not None and self.closing_told_at is None


def is_warning(
    dataset: str, problem: Problem, collected: Collection[tuple[str | None, str | None]]
) -> bool:
    """
    Whether nothing is broken; an endpoint that is offline is not, if its successor has the account.

    `collected` are the datasets with the accounts that daily runs collect of them.
    """
    is_offline = problem.kind is ProblemKind.ENDPOINT_OFFLINE and dataset in DATASETS
    is_succeeded = is_offline and (DATASETS[dataset].successor, problem.appid) in collected
    return problem.kind.is_warning or is_succeeded


# ------------------------------------------------------------------------------------------ look


@dataclass(frozen=True, slots=True)
class Look:
    """What a task has met, and what it has looked at: it says nothing about the rest."""

    run: Run
    at: datetime
    problems: Sequence[Problem] = ()
    """What it met, without what Airflow tries again."""
    kinds: Collection[ProblemKind] = ()
    """The kinds of problem that the look would have found if it existed."""
    appids: Collection[str] = ()
    """The accounts it looked at, all of whose tries have ended."""
    days: Mapping[str, Collection[date]] = field(default_factory=dict)
    """The days it looked at, by AppID."""
    tasks: Collection[str] = ()
    """Tasks that did their work."""
    failed_tasks: Collection[str] = ()
    """Tasks that failed; one that was killed could not say why."""
    is_whole: bool = False
    """Whether it looked at every account that is collected."""
    collected: Collection[str] = ()
    """Accounts that are collected from now on, by AppID; the warehouse may not know it yet."""

    @property
    def is_daily(self) -> bool:
        """Whether it is a daily run's."""
        return rules.is_daily(self.run, clock.beijing_date(self.at))

    @property
    def is_early(self) -> bool:
        """Whether figures may still come this morning: that they are not ready is no problem."""
        return rules.asks_again_at(replace(self.run, is_scheduled=True), self.at) is not None


def of_tokens(
    run: Run,
    now: datetime,
    problems: Sequence[Problem],
    collected: Collection[str],
    *,
    is_whole: bool = True,
) -> Look:
    """
    What `refresh_access_token` shows of the accounts in the list, by AppID.

    An account that may get a token later is not refused; only an account's answers show that it is
    no longer refused. The list is not whole when a platform's accounts are not all known.
    """
    return Look(
        run,
        now,
        problems=[problem for problem in problems if not problem.kind.is_retried],
        kinds={kind for kind in ProblemKind if kind.is_of_connection},
        tasks=("refresh_access_token",),
        is_whole=is_whole and not run.accounts,
        collected=collected,
    )


def of_plan(run: Run, now: datetime, warnings: Sequence[Problem], appids: Collection[str]) -> Look:
    """What `plan` shows: only a daily run knows which days are lost, and who has left."""
    look = Look(run, now, problems=warnings, appids=appids, tasks=("plan",))
    return replace(look, kinds=_FOUND_BY_PLAN) if look.is_daily else look


def of_ingest(
    run: Run,
    now: datetime,
    problems: Sequence[Problem],
    days: Mapping[str, Collection[date]],
    *,
    is_retried: bool,
) -> Look:
    """
    What a try of a batch shows; `days` are those the run plans, by AppID.

    If Airflow tries again, nothing is said yet about what that may mend, nor about its accounts.
    """
    left = [problem for problem in problems if is_retried and problem.kind.is_retried]
    undecided = {problem.appid for problem in left}
    return Look(
        run,
        now,
        problems=[
            _of_task(_with_days(problem, days), "ingest")
            for problem in problems
            if problem not in left
        ],
        kinds=_FOUND_BY_INGEST,
        appids=set() if None in undecided else days.keys() - undecided,
        days=days,
    )


def of_check(
    run: Run,
    now: datetime,
    problems: Sequence[Problem],
    days: Mapping[str, Collection[date]],
    *,
    failed_tasks: Collection[str] = (),
) -> Look:
    """What `check` shows of the whole run."""
    look = Look(
        run,
        now,
        problems=[_of_task(problem, "check") for problem in problems],
        kinds=_FOUND_BY_INGEST | _FOUND_BY_CHECK,
        appids=days.keys(),
        days=days,
        tasks={"check", "ingest", "report"} - set(failed_tasks),
        failed_tasks=failed_tasks,
    )
    return replace(look, is_whole=look.is_daily and not run.accounts)


def of_failed_tasks(run: Run, now: datetime, failed: Mapping[str, Problem | None]) -> Look:
    """
    Tasks could not do their work; None of those that were killed and could not say why.

    A parameter that is wrong in a manual run is for the person who triggered it.
    """
    return Look(
        run,
        now,
        problems=[
            replace(problem, account="", appid=None, subject=task_id)
            for task_id, problem in failed.items()
            if problem and (run.is_scheduled or problem.kind is not ProblemKind.PARAMETER)
        ],
        failed_tasks=[task_id for task_id, problem in failed.items() if not problem],
    )


def _of_task(problem: Problem, task_id: str) -> Problem:
    """The problem of a whole task has the task as its subject."""
    is_whole = not problem.appid and not problem.account and not problem.subject
    is_of_wechat = problem.kind is ProblemKind.UNREACHABLE
    return replace(problem, subject=task_id) if is_whole and not is_of_wechat else problem


def _with_days(problem: Problem, days: Mapping[str, Collection[date]]) -> Problem:
    """What kept an account from being loaded is about all its days of the run."""
    if problem.days or not problem.appid:
        return problem
    return replace(problem, days=tuple(sorted(days.get(problem.appid, ()))))


def unknown_metrics(names: Collection[str]) -> list[Problem]:
    """
    A problem per metric that the dataset's declaration does not have.

    If there are more than WeChat would add at once, one problem with their count and a few names.
    """
    known = sorted(set(names))
    shown = [f"'{one_line(name, _LONGEST_METRIC)}'" for name in known[:_MOST_UNKNOWN]]
    if len(known) > _MOST_UNKNOWN:
        few = ", ".join(shown[:_UNKNOWN_NAMED])
        return [_unknown(f"{len(known)} metrics that are not known here ({few}, …)", "(many)")]
    return [
        _unknown(f"a metric {quoted} that is not known here", name[:_LONGEST_METRIC])
        for quoted, name in zip(shown, known, strict=True)
    ]


def _unknown(what: str, subject: str) -> Problem:
    return Problem(
        ProblemKind.UNKNOWN_METRIC,
        cause=f"WeChat sends {what}; kept in extra",
        cure="look it up in WeChat's documentation, and ask for a column if you want one",
        subject=subject,
    )


# --------------------------------------------------------------------------------------- compare


Identity = tuple[ProblemKind, str | None, str | None]
"""What makes two problems one incident: the kind, the account, and what else tells it apart."""
_BY_ERRCODE = {
    ProblemKind.CONFIGURATION,
    ProblemKind.ACCOUNT_BLOCKED,
    ProblemKind.CALL_REFUSED,
}
"""Kinds that need a person: each errcode of them is an incident of its own."""


@dataclass(frozen=True, slots=True)
class Met:
    """An open incident that was met again."""

    incident: Incident
    problem: Problem
    """What is wrong now, with the days of before that are not in."""
    has_news: bool
    """Whether it is told once more."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look changes."""

    opened: list[Problem] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    narrowed: list[tuple[Incident, list[date]]] = field(default_factory=list)
    """Open incidents with those of their days that are left."""
    closed: list[Incident] = field(default_factory=list)
    dropped: list[Incident] = field(default_factory=list)
    """Closed, and no message tells of it."""


def compare(look: Look, known: Sequence[Incident], *, is_answered: bool) -> Changes:
    """
    What opens, what goes on and what is over, by a look.

    `known` are the open incidents, and those that are over but not met anew: unknown metrics, and
    refusals that the run met before another run was answered.
    `is_answered` says whether WeChat has answered anything in this run.
    """
    changes = Changes()
    here = {identity(incident.problem): incident for incident in known}
    for same, problem in _met(look, known, is_answered=is_answered).items():
        _add_met(changes, look, here.get(same), problem)
    met = {again.incident.incident_id for again in changes.met}
    for incident in known:
        if incident.closed_at is None and incident.incident_id not in met:
            _add_not_met(changes, look, incident)
    return changes


def _add_met(changes: Changes, look: Look, incident: Incident | None, problem: Problem) -> None:
    """What a problem that the look has met changes, by the incident of it that is known."""
    is_early = look.is_early and problem.kind is ProblemKind.NOT_READY
    if incident is None:
        if not is_early:
            changes.opened.append(problem)
    elif incident.closed_at is None:
        has_news = _has_news(look, incident, problem)
        if not (is_early and has_news):
            days = tuple(sorted({*problem.days, *_days_left(look, incident)}))
            changes.met.append(Met(incident, replace(problem, days=days), has_news))


def _add_not_met(changes: Changes, look: Look, incident: Incident) -> None:
    """What it changes that the look has not met an open incident."""
    if _has_left(look, incident):
        changes.dropped.append(incident)
    elif _may_be_as_it_was(look, incident):
        return
    elif _is_over(look, incident):
        (changes.closed if _is_end_told(incident) else changes.dropped).append(incident)
    elif 0 < len(left := _days_left(look, incident)) < len(incident.problem.days):
        changes.narrowed.append((incident, sorted(left)))


def identity(problem: Problem) -> Identity:
    """What makes two meetings of a problem one incident."""
    subject = problem.subject
    if problem.appid and problem.kind in _BY_ERRCODE and problem.errcode is not None:
        subject = f"errcode {problem.errcode}"
    return problem.kind, problem.appid, subject


def _met(look: Look, known: Sequence[Incident], *, is_answered: bool) -> dict[Identity, Problem]:
    """The look's problems by their identity, without what only follows from others."""
    problems = list(look.problems)
    unreachable = _of_kind(problems, ProblemKind.UNREACHABLE)
    if unreachable and not is_answered:
        others = [problem for problem in problems if problem not in unreachable]
        problems = [*others, _nobody_reached(unreachable)]
    of_run = [
        incident.problem
        for incident in known
        if incident.run_id == look.run.run_id and not incident.problem.appid
    ]
    said = {problem.subject for problem in [*of_run, *problems] if problem.subject in TASKS}
    problems += [_ended_by_airflow(task) for task in sorted(set(look.failed_tasks) - said)]
    if said:
        not_asked = _of_kind(problems, ProblemKind.NOT_ASKED)
        problems = [problem for problem in problems if problem not in not_asked]
    alike: dict[Identity, list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[identity(problem)].append(problem)
    return {same: _as_one(same, those) for same, those in alike.items()}


def _of_kind(problems: Sequence[Problem], kind: ProblemKind) -> list[Problem]:
    return [problem for problem in problems if problem.kind is kind]


def _as_one(same: Identity, problems: Sequence[Problem]) -> Problem:
    """Problems of one identity: the one with the most days speaks for all."""
    most = max(problems, key=lambda problem: len(problem.days))
    return replace(most, days=days_of(problems), subject=same[2])


def _nobody_reached(problems: Sequence[Problem]) -> Problem:
    """No account in the run got an answer: WeChat is down, or the way to it."""
    first = problems[0]
    count = len({problem.appid for problem in problems})
    cause = first.cause if count == 1 else f"{first.cause}; so for {count} accounts at least"
    return Problem(ProblemKind.UNREACHABLE, cause, first.cure, days=days_of(problems))


def _ended_by_airflow(task_id: str) -> Problem:
    """A failed task that left no word: it was killed, or ran longer than Airflow lets it."""
    return Problem(
        ProblemKind.PROGRAM,
        cause=f"the task {task_id} was killed, or ended by Airflow",
        cure=f"see the end of its log, then clear {task_id}",
        subject=task_id,
    )


def _has_news(look: Look, incident: Incident, met: Problem) -> bool:
    """
    Whether an incident that people were told of is told once more.

    They know of a problem that goes on: it meets days again that it met before. A problem with
    other days, while the days they know of are left as they were, is another one; but not if an
    account, or an endpoint, is refused whatever the day.
    """
    known = set(incident.problem.days)
    if met.kind in FINDINGS:
        return not known.issuperset(met.days)
    if met.appid is None or met.kind.is_of_account or met.kind is ProblemKind.ENDPOINT_OFFLINE:
        return False
    return bool(met.days and _days_left(look, incident)) and known.isdisjoint(met.days)


def _has_left(look: Look, incident: Incident) -> bool:
    """Whether its account is no longer collected, so that nothing will be heard of it."""
    if not look.is_whole or incident.is_collected or incident.problem.appid in look.collected:
        return False
    # a withdrawal goes on for as long as the list of accounts meets it
    is_withdrawn = incident.problem.kind is ProblemKind.WITHDRAWN
    return not is_withdrawn or "refresh_access_token" in look.tasks


def _may_be_as_it_was(look: Look, incident: Incident) -> bool:
    """Whether no answer came of its account, its connection, or anybody."""
    unanswered = [problem for problem in look.problems if problem.kind.is_no_answer]
    connections = {met.conn_id for met in unanswered if met.conn_id and not met.appid}
    appids = {met.appid for met in unanswered if met.appid or not met.conn_id}
    return (
        None in appids
        or incident.problem.appid in appids
        or connection_of(incident.problem.conn_id) in connections
    )


def _is_end_told(incident: Incident) -> bool:
    """Whether it is news that it is over: no answer showed it of a warning, but time or a look."""
    kind = incident.problem.kind
    return not kind.is_warning or kind.ends is End.ANSWER


def _days_left(look: Look, incident: Incident) -> set[date]:
    """The incident's days of which nothing shows that they are well."""
    known = incident.problem
    if known.kind.ends is not End.DAILY_RUN:
        return set(known.days) - incident.days_settled
    return set() if look.is_daily and known.kind in look.kinds else set(known.days)


def _is_over(look: Look, incident: Incident) -> bool:
    """Whether the look shows that it is over: it would have met it if it were still there."""
    known = incident.problem
    if known.appid is None and known.subject in TASKS:
        return known.subject in look.tasks
    if known.kind not in look.kinds:
        return False
    if known.appid is None:
        return _is_over_for_all(look, incident)
    if known.appid not in look.appids:
        return False
    if known.kind.ends is End.ANSWER and not incident.is_answered_since:
        return False
    if known.kind.is_of_account:
        return known.kind.ends is End.ANSWER or look.is_daily
    return not _days_left(look, incident)


def _is_over_for_all(look: Look, incident: Incident) -> bool:
    """As `_is_over`, of what is no account's."""
    known = incident.problem
    if known.kind is ProblemKind.UNREACHABLE and known.subject is None:  # nobody reached WeChat
        return incident.is_answered_since
    if known.kind is ProblemKind.RUN_LATE:  # one that ends after midnight is no daily run any more
        return look.is_whole or look.run.run_id == incident.run_id
    if known.kind.is_of_connection:  # no other task looks at connections anew
        return look.is_whole and "refresh_access_token" in look.tasks
    return look.is_whole


# ---------------------------------------------------------------------------------------- record


_MOST_LINES = 20
_LOCK_WAIT = "SET LOCAL lock_timeout = '60s'"
_NO_ANSWER = [kind.value for kind in ProblemKind if kind.is_no_answer]
_OF_ACCOUNT = [kind.value for kind in ProblemKind if kind.is_of_account]


def record(warehouse: Engine, look: Look) -> None:
    """Write what a look changes; one look of a dataset at a time."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(_LOCK_WAIT)
        lock_incidents(connection, look.run.dataset.name)
        changes = compare(
            look, _known(connection, look), is_answered=_is_answered(connection, look.run)
        )
        _write(connection, look, changes)
    for problem in changes.opened[:_MOST_LINES]:
        log.info("incident opened: %s", problem.title)
    for incident in changes.closed[:_MOST_LINES]:
        lasted = clock.duration(look.at - incident.opened_at)
        log.info("incident over after %s: %s", lasted, incident.problem.title)


def _is_answered(connection: Connection, run: Run) -> bool:
    """Whether WeChat has answered anything in the run."""
    return bool(
        connection.scalar(
            statement("incident/is_answered.sql"),
            {
                "run_id": run.run_id,
                "dataset": run.dataset.name,
                "kinds_without_answer": _NO_ANSWER,
            },
        )
    )


def _known(connection: Connection, look: Look) -> list[Incident]:
    rows = connection.execute(
        statement("incident/known.sql"),
        {
            "dataset": look.run.dataset.name,
            "metrics": [met.subject for met in look.problems if met.kind.ends is End.AT_ONCE],
            "kinds_without_answer": _NO_ANSWER,
            "run_id": look.run.run_id,
            "appids": [*look.days],
            "kinds_of_account": _OF_ACCOUNT,
        },
    )
    return [Incident.of(row) for row in rows.mappings()]


def _write(connection: Connection, look: Look, changes: Changes) -> None:
    def write(name: str, rows: Sequence[Mapping[str, object]], **values: object) -> None:
        if rows:
            connection.execute(statement(name), {"rows": as_json(rows), **values})

    seen = {"run_id": look.run.run_id, "seen_at": look.at}
    write(
        "incident/open.sql",
        [
            {**msgspec.to_builtins(problem), "is_over": problem.kind.ends is End.AT_ONCE}
            for problem in changes.opened
        ],
        dataset=look.run.dataset.name,
        **seen,
    )
    write(
        "incident/see.sql",
        [
            {
                **msgspec.to_builtins(met.problem),
                "incident_id": met.incident.incident_id,
                "has_news": met.has_news,
            }
            for met in changes.met
        ],
        **seen,
    )
    write(
        "incident/narrow.sql",
        [
            {"incident_id": incident.incident_id, "days": days}
            for incident, days in changes.narrowed
        ],
    )
    write(
        "incident/close.sql",
        [{"incident_id": over.incident_id, "is_told": True} for over in changes.closed]
        + [{"incident_id": over.incident_id, "is_told": False} for over in changes.dropped],
        closed_at=look.at,
    )
