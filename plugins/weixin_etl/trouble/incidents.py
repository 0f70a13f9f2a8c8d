"""
Incidents: trouble from when it is met until it is over, and the messages that tell of it.

    look     what a task has met, and what it has looked at      `Look`
    judge    what opens, goes on and is over (pure)              `judge`
    record   the verdict, in weixin.incident                     `record`
    compose  the messages for what nobody was told yet (pure)    `compose`
    tell     send them, and remember what was delivered          `tell`

However many tries, runs and days meet the same trouble, it is one row, and two messages: one when
it is met, one when it is over. It is over only with evidence: a look proves nothing about days that
it did not look at, and a day is well when the warehouse says that it is in.

A process that is killed between `record` and `tell` leaves rows that the next look tells of. One
that is killed between the delivery of a message and the commit that remembers it lets it be
delivered twice: delivery is at least once.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Run, connection_of
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import lock_incidents

log = logging.getLogger(__name__)

TASKS = ("refresh_access_token", "plan", "ingest", "report", "check")
"""What the incident of a whole task has as its subject."""

OF_ACCOUNT = frozenset(
    {
        ProblemKind.CONFIGURATION,
        ProblemKind.ACCOUNT_BLOCKED,
        ProblemKind.WITHDRAWN,
        ProblemKind.PLATFORM,
        ProblemKind.TOKEN_REFUSED,
        ProblemKind.MINUTE_QUOTA,
        ProblemKind.DAILY_QUOTA,
        ProblemKind.UNREACHABLE,
        ProblemKind.CLOCK,
    }
)
"""Trouble with the account, whatever the day: an answer for any day shows that it is over."""
_BY_ERRCODE = frozenset(
    {ProblemKind.CONFIGURATION, ProblemKind.ACCOUNT_BLOCKED, ProblemKind.CALL_REFUSED}
)
"""Refusals that only a person can mend: another errcode is another thing to mend."""
_UNTIL_ANSWERED = frozenset({*OF_ACCOUNT, *_BY_ERRCODE, ProblemKind.ENDPOINT_OFFLINE})
"""Over only when WeChat has answered otherwise: what came before they were met proves nothing."""
_WITHOUT_ANSWER = frozenset(
    {
        ProblemKind.UNREACHABLE,
        ProblemKind.MINUTE_QUOTA,
        ProblemKind.CLOCK,
        ProblemKind.PLATFORM,
        ProblemKind.WAREHOUSE,
        ProblemKind.PROGRAM,
        ProblemKind.PARAMETER,
        ProblemKind.NOT_ASKED,
        ProblemKind.HELD_BACK,
    }
)
"""They say nothing about the account: what was wrong with it may still be."""
_RETRIED = frozenset(
    {
        ProblemKind.UNREACHABLE,
        ProblemKind.TOKEN_REFUSED,
        ProblemKind.MINUTE_QUOTA,
        ProblemKind.WAREHOUSE,
        ProblemKind.PROGRAM,
        ProblemKind.NOT_ASKED,
    }
)
"""What another try of the task may mend; see `api.errors` and `IngestError.is_retryable`."""
_FINDINGS = frozenset(
    {
        ProblemKind.TOTAL_FELL,
        ProblemKind.ARTICLE_MISSING,
        ProblemKind.ARTICLE_MOVED,
        ProblemKind.REJECTED,
        ProblemKind.UNSTEADY,
    }
)
"""Found by `check` for as long as a run asks for the day, so told once per day of publication."""
_ONCE_EVER = frozenset({ProblemKind.UNKNOWN_METRIC})
_MOST_UNKNOWN = 20
"""Metrics that are told one by one; an endpoint has some thirty in all."""
_UNKNOWN_NAMED = 3
"""Of more."""
TOLD_THOUGH_OVER = _FINDINGS | _ONCE_EVER
"""Something to know that stays true: also told when it is no longer found."""
_END_IS_NO_NEWS = TOLD_THOUGH_OVER | {ProblemKind.SILENT, ProblemKind.NOT_COLLECTED}
"""
Told once. When it is no longer found it was seen to, or time has passed, or an account publishes
again, which its figures show.
"""
_OF_PLAN = frozenset({ProblemKind.DAYS_LOST, ProblemKind.NOT_COLLECTED})
_OF_CHECK = frozenset(
    {
        *_FINDINGS,
        ProblemKind.SILENT,
        ProblemKind.CHECK,
        ProblemKind.ENDPOINT_OFFLINE,
        ProblemKind.RUN_LATE,
    }
)
_OF_INGEST = frozenset(ProblemKind) - _OF_PLAN - _OF_CHECK - _ONCE_EVER - {ProblemKind.UNKNOWN}
_OF_DAILY_RUN = (_FINDINGS - {ProblemKind.REJECTED}) | {ProblemKind.SILENT, ProblemKind.DAYS_LOST}
"""Found by each daily run for as long as it is to be told of, whatever its days."""
IN_WITH_ITS_DAYS = _OF_INGEST.difference(OF_ACCOUNT) | {
    ProblemKind.ENDPOINT_OFFLINE,
    ProblemKind.DAYS_LOST,
}
"""Trouble with days of an account: over for each of them that is in."""


# ------------------------------------------------------------------------------------------ look


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of `weixin.incident`."""

    incident_id: int
    dataset: str
    problem: Problem
    run_id: str | None
    """The run that met it last."""
    opened_at: datetime
    closed_at: datetime | None = None
    told_at: datetime | None = None
    closing_told_at: datetime | None = None
    is_collected: bool = True
    """Whether its account is still in the list of accounts to collect."""
    is_answered_since: bool = False
    """
    Whether WeChat has answered otherwise since it was last met: the account, or anybody when it is
    no account's.
    """
    days_settled: frozenset[date] = frozenset()
    """Of its days, those that are final, or in since it was last met; of rejected parts, none."""

    @property
    def has_ended(self) -> bool:
        """Whether its end is what is to be told."""
        return self.closed_at is not None and self.closing_told_at is None


@dataclass(frozen=True, slots=True)
class Look:
    """What a task has met, and what it has looked at: the rest may be as it was."""

    dataset: Dataset
    run_id: str
    at: datetime
    installation: str = ""
    """Which Airflow looks: another one's trouble is not its own; empty if it can't tell."""
    problems: Sequence[Problem] = ()
    """What it met and what is not tried again by itself."""
    kinds: Collection[ProblemKind] = ()
    """The kinds of trouble that the look would have found if it existed."""
    appids: Collection[str] = ()
    """The accounts it looked at, all of whose tries have ended."""
    days: Mapping[str, Collection[date]] = field(default_factory=dict)
    """The publication days it looked at, by AppID."""
    is_daily: bool = False
    """Whether it is of a daily run."""
    tasks: Collection[str] = ()
    """Tasks that did their work."""
    failed_tasks: Collection[str] = ()
    """Tasks that failed; one that was killed could not say so."""
    is_whole: bool = False
    """Whether it looked at the whole run, every account of it."""
    collected: Collection[str] = ()
    """Accounts that are collected from now on, by AppID; the warehouse may not know it yet."""
    lists_withdrawn: bool = False
    """Whether it looked for accounts whose authorisation was withdrawn."""
    is_answered: bool = False
    """Whether WeChat has answered anything in this run."""
    is_early: bool = False
    """Whether figures may still come this morning: it is no trouble yet that they are not ready."""


def of_ingest(
    run: Run,
    now: datetime,
    problems: Sequence[Problem],
    days: Mapping[str, Collection[date]],
    *,
    is_retried: bool,
    is_answered: bool = False,
) -> Look:
    """
    What a try of a batch shows; `days` are those the run plans, by AppID.

    When Airflow tries again, what that may mend is left to it.
    """
    left = _RETRIED if is_retried else frozenset()
    undecided = {it.appid for it in problems if it.kind in left}
    met = [_with_days(it, days) for it in problems if it.kind not in left]
    return Look(
        run.dataset,
        run.run_id,
        now,
        problems=[_of_task(it, "ingest") for it in met],
        kinds=_OF_INGEST,
        appids=set() if None in undecided else days.keys() - undecided,
        days=days,
        is_answered=is_answered,
        is_early=_is_early(run, now),
    )


def of_check(
    run: Run,
    now: datetime,
    problems: Sequence[Problem],
    days: Mapping[str, Collection[date]],
    *,
    unjudged: Collection[ProblemKind] = (),
    failed_tasks: Collection[str] = (),
    is_answered: bool = False,
) -> Look:
    """What `check` shows of the whole run; of the `unjudged` kinds it does not know all."""
    is_daily = rules.is_daily(run, clock.beijing_date(now))
    return Look(
        run.dataset,
        run.run_id,
        now,
        problems=[_of_task(it, "check") for it in problems],
        kinds=(_OF_INGEST | _OF_CHECK).difference(unjudged),
        appids=days.keys(),
        days=days,
        is_daily=is_daily,
        tasks={"check", "ingest", "report"} - set(failed_tasks),
        failed_tasks=failed_tasks,
        is_whole=is_daily and not run.accounts,
        is_answered=is_answered,
        is_early=_is_early(run, now),
    )


def of_plan(run: Run, now: datetime, warnings: Sequence[Problem], appids: Collection[str]) -> Look:
    """What `plan` shows: only a daily run knows which days are lost, and who has left."""
    is_daily = rules.is_daily(run, clock.beijing_date(now))
    return Look(
        run.dataset,
        run.run_id,
        now,
        problems=warnings,
        kinds=_OF_PLAN if is_daily else (),
        appids=appids,
        is_daily=is_daily,
        tasks=("plan",),
    )


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

    An account that may get a token later is not refused. The list is not whole when a platform's
    accounts are not all known.
    """
    return Look(
        run.dataset,
        run.run_id,
        now,
        problems=[it for it in problems if it.kind not in _RETRIED],
        # what is wrong with an account itself only its answers can show to be over
        kinds={ProblemKind.CONFIGURATION, ProblemKind.PLATFORM},
        tasks=("refresh_access_token",),
        is_whole=is_whole and not run.accounts,
        collected=collected,
        lists_withdrawn=True,
    )


def of_failed_tasks(run: Run, now: datetime, failed: Mapping[str, Problem | None]) -> Look:
    """
    Tasks could not do their work; None of those that were killed and could not say why.

    A parameter that is wrong in a manual run is for the person who triggered it.
    """
    return Look(
        run.dataset,
        run.run_id,
        now,
        problems=[
            replace(problem, account="", appid=None, subject=task_id)
            for task_id, problem in failed.items()
            if problem and (run.is_scheduled or problem.kind is not ProblemKind.PARAMETER)
        ],
        failed_tasks=[task_id for task_id, problem in failed.items() if not problem],
    )


def _is_early(run: Run, now: datetime) -> bool:
    """Whether a scheduled run would still wait for figures that are not ready."""
    return rules.asks_again_at(replace(run, is_scheduled=True), now) is not None


def _of_task(problem: Problem, task_id: str) -> Problem:
    """Trouble of a whole task has the task as its subject."""
    is_whole = not problem.appid and not problem.account and not problem.subject
    is_of_wechat = problem.kind is ProblemKind.UNREACHABLE
    return replace(problem, subject=task_id) if is_whole and not is_of_wechat else problem


def _with_days(problem: Problem, days: Mapping[str, Collection[date]]) -> Problem:
    """Trouble that kept an account from being loaded is about all its days of the run."""
    if problem.days or not problem.appid:
        return problem
    return replace(problem, days=tuple(sorted(days.get(problem.appid, ()))))


# ----------------------------------------------------------------------------------------- judge


Identity = tuple[ProblemKind, str | None, str | None]
"""What makes two meetings one incident: the kind, the account, and what else tells it apart."""


@dataclass(frozen=True, slots=True)
class Met:
    """An open incident that was met again."""

    incident: Incident
    problem: Problem
    has_news: bool
    """Whether it is told once more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look changes."""

    opened: list[Problem] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    narrowed: list[tuple[Incident, tuple[date, ...]]] = field(default_factory=list)
    """Open incidents with the days that are left of theirs."""
    closed: list[Incident] = field(default_factory=list)
    silent: list[Incident] = field(default_factory=list)
    """Closed, and no message tells of it."""


def identity(problem: Problem) -> Identity:
    """What makes two meetings of trouble one incident."""
    subject = problem.subject
    if problem.appid and problem.kind in _BY_ERRCODE and problem.errcode is not None:
        subject = f"errcode {problem.errcode}"
    return problem.kind, problem.appid, subject


def judge(look: Look, known: Sequence[Incident]) -> Verdict:
    """What opens, what goes on and what is over, by a look; `known` are the open incidents."""
    verdict = Verdict()
    here = {identity(it.problem): it for it in known}
    for same, problem in _met(look, known).items():
        is_early = look.is_early and problem.kind is ProblemKind.NOT_READY
        if same not in here:
            if not is_early:
                verdict.opened.append(problem)
        elif (incident := here[same]).closed_at is None:
            has_news = _has_news(look, incident, problem)
            if not (is_early and has_news):
                days = tuple(sorted({*problem.days, *_days_left(look, incident)}))
                verdict.met.append(Met(incident, replace(problem, days=days), has_news))
    met = {it.incident.incident_id for it in verdict.met}
    without_answer = [it for it in look.problems if it.kind in _WITHOUT_ANSWER]
    connections = {it.conn_id for it in without_answer if it.conn_id and not it.appid}
    unproven = {it.appid for it in without_answer if it.appid or not it.conn_id}
    for incident in known:
        if incident.closed_at is not None or incident.incident_id in met:
            continue
        is_collected = incident.is_collected or incident.problem.appid in look.collected
        kind = incident.problem.kind
        if look.is_whole and not is_collected and kind is not ProblemKind.NOT_COLLECTED:
            if kind is not ProblemKind.WITHDRAWN or look.lists_withdrawn:
                verdict.silent.append(incident)
        elif (
            None not in unproven
            and incident.problem.appid not in unproven
            and connection_of(incident.problem.conn_id) not in connections
        ):
            if _is_over(look, incident):
                (verdict.silent if kind in _END_IS_NO_NEWS else verdict.closed).append(incident)
            elif 0 < len(left := _days_left(look, incident)) < len(incident.problem.days):
                verdict.narrowed.append((incident, tuple(sorted(left))))
    return verdict


def _met(look: Look, known: Sequence[Incident]) -> dict[Identity, Problem]:
    """The look's problems by their identity, without what only follows from others."""
    problems = list(look.problems)
    unreachable = [it for it in problems if it.kind is ProblemKind.UNREACHABLE]
    if unreachable and not look.is_answered:
        others = [it for it in problems if it.kind is not ProblemKind.UNREACHABLE]
        problems = [*others, _nobody_reached(unreachable)]
    of_run = [it.problem for it in known if it.run_id == look.run_id and not it.problem.appid]
    said = {it.subject for it in [*of_run, *problems] if it.subject in TASKS}
    problems += [_ended_by_airflow(task) for task in sorted(set(look.failed_tasks) - said)]
    if said:
        problems = [it for it in problems if it.kind is not ProblemKind.NOT_ASKED]
    alike: dict[Identity, list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[identity(problem)].append(problem)
    return {same: _as_one(same, those) for same, those in alike.items()}


def _as_one(same: Identity, problems: Sequence[Problem]) -> Problem:
    """Problems of one identity: the one with the most days speaks for all."""
    most = max(problems, key=lambda it: len(it.days))
    days = sorted({day for it in problems for day in it.days})
    return replace(most, days=tuple(days), subject=same[2])


def _nobody_reached(problems: Sequence[Problem]) -> Problem:
    """Nobody in the run got an answer: WeChat is down, or the way to it."""
    first = problems[0]
    count = len({it.appid for it in problems})
    cause = first.cause if count == 1 else f"{first.cause}; so for {count} accounts at least"
    days = tuple(sorted({day for it in problems for day in it.days}))
    return Problem(ProblemKind.UNREACHABLE, cause, first.cure, days=days)


def _ended_by_airflow(task_id: str) -> Problem:
    """A failed task that left no word: killed, or longer than Airflow lets it run."""
    return Problem(
        ProblemKind.PROGRAM,
        cause=f"the task {task_id} was killed, or ended by Airflow",
        cure=f"see the end of its log, then clear {task_id}",
        subject=task_id,
    )


def _has_news(look: Look, incident: Incident, met: Problem) -> bool:
    """
    Whether people who were told of the incident do not know the half.

    They know of trouble that goes on: it meets days again that it met before. Trouble with other
    days, while the days they know of are left as they were, is another; but not of an account, or
    an endpoint, that is refused whatever the day.
    """
    known = set(incident.problem.days)
    if met.kind in _FINDINGS:
        return not known.issuperset(met.days)
    if not met.appid or met.kind in OF_ACCOUNT or met.kind is ProblemKind.ENDPOINT_OFFLINE:
        return False
    return bool(met.days and _days_left(look, incident)) and known.isdisjoint(met.days)


def _days_left(look: Look, incident: Incident) -> set[date]:
    """The incident's days of which nothing shows that they are well."""
    known = incident.problem
    if known.kind in _OF_DAILY_RUN and look.is_daily and known.kind in look.kinds:
        return set()
    if known.kind is ProblemKind.CHECK or known.kind in _OF_DAILY_RUN:
        looked_at = look.days.get(known.appid or "", ()) if known.kind in look.kinds else ()
        return set(known.days).difference(looked_at)
    return set(known.days) - incident.days_settled


def _is_over(look: Look, incident: Incident) -> bool:
    """Whether the look would have met the trouble if it were still there."""
    known = incident.problem
    if known.appid is None and known.subject in TASKS:
        return known.subject in look.tasks
    if known.kind not in look.kinds:
        return False
    if known.appid is None:
        match known.kind:
            case ProblemKind.UNREACHABLE if known.subject is None:  # nobody reached WeChat
                return incident.is_answered_since
            case ProblemKind.RUN_LATE:  # one that ends after midnight is no daily run any more
                return look.is_whole or look.run_id == incident.run_id
            # a connection: no other task looks at it anew
            case ProblemKind.CONFIGURATION | ProblemKind.PLATFORM:
                return look.is_whole and "refresh_access_token" in look.tasks
            case _:
                return look.is_whole
    if known.kind is ProblemKind.NOT_COLLECTED:  # plan would have met it again
        return True
    if known.appid not in look.appids:
        return False
    if known.kind is ProblemKind.SILENT:
        return look.is_daily
    if known.kind in _UNTIL_ANSWERED and not incident.is_answered_since:
        return False
    return known.kind in OF_ACCOUNT or not _days_left(look, incident)


# ---------------------------------------------------------------------------------------- record


_MOST_LINES = 20
_LOCK_WAIT = "SET LOCAL lock_timeout = '60s'"


def record(warehouse: Engine, look: Look) -> Verdict:
    """Judge a look, and write the verdict; one look of a dataset at a time."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(_LOCK_WAIT)
        lock_incidents(connection, look.dataset.name)
        verdict = judge(look, _known(connection, look))
        _write(connection, look, verdict)
    for problem in verdict.opened[:_MOST_LINES]:
        log.info("incident opened: %s", title(problem))
    for incident in verdict.closed[:_MOST_LINES]:
        lasted = duration(look.at - incident.opened_at)
        log.info("incident over after %s: %s", lasted, title(incident.problem))
    return verdict


def is_answered(warehouse: Engine, run: Run) -> bool:
    """Whether WeChat has answered anything in the run."""
    with warehouse.connect() as connection:
        return bool(
            connection.scalar(
                statement("incident/is_answered.sql"),
                {
                    "run_id": run.run_id,
                    "dataset": run.dataset.name,
                    "installation": run.installation,
                    "kinds_without_answer": [it.value for it in _WITHOUT_ANSWER],
                },
            )
        )


def _known(connection: Connection, look: Look) -> list[Incident]:
    metrics = [it.subject for it in look.problems if it.kind in _ONCE_EVER]
    rows = connection.execute(
        statement("incident/known.sql"),
        {
            "dataset": look.dataset.name,
            "installation": look.installation,
            "metrics": metrics,
            "kinds_without_answer": [it.value for it in _WITHOUT_ANSWER],
        },
    )
    return [_incident(row) for row in rows]


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        row.incident_id,
        row.dataset,
        Problem(
            ProblemKind(row.kind),
            row.cause,
            row.cure,
            account=row.account,
            appid=row.appid,
            conn_id=row.conn_id,
            subject=row.subject,
            days=tuple(row.publication_dates),
            errcode=row.error_code,
        ),
        row.run_id,
        row.opened_at,
        row.closed_at,
        row.told_at,
        row.closing_told_at,
        row.is_collected,
        row.is_answered_since,
        frozenset(row.days_settled),
    )


def _write(connection: Connection, look: Look, verdict: Verdict) -> None:
    seen = {"run_id": look.run_id, "seen_at": look.at}
    if verdict.opened:
        opened = [
            {**_columns(it), "is_over": it.kind in _ONCE_EVER, "kind": it.kind, "appid": it.appid}
            | {"subject": it.subject}
            for it in verdict.opened
        ]
        connection.execute(
            statement("incident/open.sql"),
            {
                "dataset": look.dataset.name,
                "installation": look.installation,
                "problems": _json(opened),
                **seen,
            },
        )
    if verdict.met:
        met = [
            {
                **_columns(it.problem),
                "incident_id": it.incident.incident_id,
                "has_news": it.has_news,
            }
            for it in verdict.met
        ]
        connection.execute(statement("incident/see.sql"), {"problems": _json(met), **seen})
    if verdict.narrowed:
        narrowed = [
            {"incident_id": it.incident_id, "publication_dates": days}
            for it, days in verdict.narrowed
        ]
        connection.execute(statement("incident/narrow.sql"), {"incidents": _json(narrowed)})
    if over := [*verdict.closed, *verdict.silent]:
        connection.execute(
            statement("incident/close.sql"),
            {
                "incident_ids": [it.incident_id for it in over],
                "silent_ids": [it.incident_id for it in verdict.silent],
                "closed_at": look.at,
            },
        )


def _columns(problem: Problem) -> dict[str, object]:
    return {
        "account": problem.account,
        "conn_id": problem.conn_id,
        "cause": problem.cause,
        "cure": problem.cure,
        "publication_dates": problem.days,
        "error_code": problem.errcode,
    }


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return msgspec.json.encode(rows).decode()


# --------------------------------------------------------------------------------------- compose


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people, and the incidents it tells of."""

    title: str
    body: str
    incident_ids: tuple[int, ...] = ()


MOST_SINGLE = 5
"""So many incidents have a message each; more are lines of one."""
_MOST_BYTES = 1800
"""Of a body: WeCom refuses texts of more than 2,048 bytes."""
_MOST_BYTES_SAID = 600
"""Of a problem that is one of many: so that two have room at least."""
_PREFIX = "weixin-etl: "
_TITLES = {
    ProblemKind.UNREACHABLE: "{who} unreachable",
    ProblemKind.TOKEN_REFUSED: "{who} refused",
    ProblemKind.MINUTE_QUOTA: "{who}: the minute's quota is used up",
    ProblemKind.NOT_READY: "{who} not in at noon",
    ProblemKind.DAILY_QUOTA: "{who}: the day's quota is used up",
    ProblemKind.ENDPOINT_OFFLINE: "{who}: endpoint retired",
    ProblemKind.CONFIGURATION: "{who} refused",
    ProblemKind.ACCOUNT_BLOCKED: "{who} refused",
    ProblemKind.WITHDRAWN: "{who}: authorisation withdrawn",
    ProblemKind.PLATFORM: "{who} gets no token",
    ProblemKind.CLOCK: "the clocks disagree",
    ProblemKind.UNREADABLE: "{who}: unreadable answer",
    ProblemKind.CALL_REFUSED: "{who} refused",
    ProblemKind.PARAMETER: "{who}: wrong parameter",
    ProblemKind.WAREHOUSE: "trouble with the warehouse",
    ProblemKind.PROGRAM: "{who}: program fault",
    ProblemKind.NOT_ASKED: "{who} not asked",
    ProblemKind.HELD_BACK: "{who}: days held back for the quota",
    ProblemKind.CHECK: "{who}: {subject} is broken",
    ProblemKind.POOL_MISSING: "the pool is missing",
    ProblemKind.RUN_LATE: "the daily run is late",
    ProblemKind.DAYS_LOST: "{who}: days lost",
    ProblemKind.UNKNOWN_METRIC: "unknown metric {subject}",
    ProblemKind.TOTAL_FELL: "{who}: a total fell",
    ProblemKind.ARTICLE_MISSING: "{who}: an article is missing",
    ProblemKind.ARTICLE_MOVED: "{who}: an article has another publication day",
    ProblemKind.REJECTED: "{who}: a value does not fit",
    ProblemKind.UNSTEADY: "{who}: the list of articles keeps changing",
    ProblemKind.SILENT: "{who} lists nothing new",
    ProblemKind.NOT_COLLECTED: "{who}: no longer collected",
    ProblemKind.UNKNOWN: "{who}: trouble",
}


def title(problem: Problem) -> str:
    """The trouble in a few words."""
    task = problem.subject if problem.subject in TASKS else None
    who = problem.account or task or problem.subject or "WeChat"
    return _TITLES[problem.kind].format(who=who, subject=problem.subject)


def compose(incidents: Sequence[Incident], base_url: str) -> list[Message]:
    """The messages for incidents that nobody was told of: one each, or one for all of many."""
    if len(incidents) <= MOST_SINGLE:
        return [_single(it, base_url) for it in incidents]
    return [_bundle(incidents, base_url)]


def direct(problem: Problem) -> Message:
    """The message for trouble that can't be recorded, the warehouse being what is in trouble."""
    return Message(_PREFIX + title(problem), _within(problem.in_full))


def _single(incident: Incident, base_url: str) -> Message:
    about = [incident.problem.in_full]
    if incident.closed_at and incident.has_ended:
        about.append(_lasted(incident, incident.closed_at))
        head = f"{_PREFIX}over: {title(incident.problem)}"
    else:
        about.append(_since(incident))
        head = _PREFIX + title(incident.problem)
    dag_id = DATASETS[incident.dataset].dag_id
    about.append(f"{dag_id}: {_link(incident, base_url)}")
    text, *rest = about
    room = _MOST_BYTES - len("\n".join(["", *rest]).encode())
    return Message(head, "\n".join([_within(text, room), *rest]), (incident.incident_id,))


def _bundle(incidents: Sequence[Incident], base_url: str) -> Message:
    begun = [it for it in incidents if not it.has_ended]
    over = [it for it in incidents if it.has_ended]
    counts = [
        text
        for those, text in ((begun, f"{len(begun)} problems"), (over, f"{len(over)} are over"))
        if those
    ]
    lines = [
        f"{it.dataset}: {_within(it.problem.in_full, _MOST_BYTES_SAID)} · {_since(it)}"
        for it in begun
    ]
    lines += [
        f"over: {it.dataset}: {title(it.problem)}, {_lasted(it, it.closed_at)}"
        for it in over
        if it.closed_at
    ]
    end = [f"all of them: {base_url}/plugin/weixin"]
    return Message(
        _PREFIX + ", ".join(counts),
        "\n".join([*_as_many_as_fit(lines, len(end[0].encode()) + 1), *end]),
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


def _link(incident: Incident, base_url: str) -> str:
    dag_id = DATASETS[incident.dataset].dag_id
    run = f"/runs/{quote(incident.run_id, safe='')}" if incident.run_id else ""
    return f"{base_url}/dags/{dag_id}{run}"


def _since(incident: Incident) -> str:
    return f"since {clock.beijing_text(incident.opened_at)}"


def _lasted(incident: Incident, closed_at: datetime) -> str:
    from_to = clock.beijing_text(incident.opened_at, closed_at)
    return f"lasted {duration(closed_at - incident.opened_at)}, from {from_to}"


def duration(lasted: timedelta) -> str:
    """`2 days 3 h`, `3 h 5 min`, `12 min`."""
    minutes = max(round(lasted.total_seconds() / 60), 1)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} {'day' if days == 1 else 'days'}" + (f" {hours} h" if hours else "")
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


# ------------------------------------------------------------------------------------------ tell


Send = Callable[[Message], bool]
"""Delivers a message to people; whether it arrived. Raises nothing, and takes a few seconds."""
Sender = Callable[[], Send | None]
"""What delivers messages, once there is one; None when nobody is to be told."""

TELL_SECONDS = 20
"""After so long no further message is begun: the next look goes on."""
MOST_MESSAGES = 10
"""So many messages an hour; what more there is waits for the run's `check`, which bundles it."""
_HOUR = timedelta(hours=1)
STALE = timedelta(days=3)
"""An end that nobody could be told of for so long is not told."""


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
            {
                "closed_since": now - STALE,
                "told_though_over": [it.value for it in TOLD_THOUGH_OVER],
            },
        )
        untold = [_incident(row) for row in rows]
        if not untold or (may_wait and _is_enough(connection, now)):
            return
        if send := sender():
            messages = compose(untold, base_url)
            for number, message in enumerate(_in_time(messages), start=1):
                if send(message):
                    told = {"incident_ids": list(message.incident_ids)}
                    # messages are counted by their times, which no closing time equals
                    told_at = now + timedelta(microseconds=number)
                    connection.execute(statement("incident/told.sql"), {**told, "told_at": told_at})


def _is_enough(connection: Connection, now: datetime) -> bool:
    since = {"since": now - _HOUR}
    sent = connection.scalar(statement("incident/messages_since.sql"), since) or 0
    if sent >= MOST_MESSAGES:
        log.info("%s messages in an hour: what more there is to tell waits for check", sent)
    return bool(sent >= MOST_MESSAGES)


def _in_time(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages, until telling has taken too long."""
    started = time.monotonic()
    for message in messages:
        if time.monotonic() - started > TELL_SECONDS:
            log.warning("telling takes too long: the next task tells the rest")
            return
        yield message


def unknown_metrics(names: Collection[str]) -> list[Problem]:
    """
    What of an answer the declaration of the dataset does not have: a problem per metric.

    More than WeChat would add at once are one problem, with their count and a few names.
    """
    known = sorted(set(names))
    if len(known) > _MOST_UNKNOWN:
        few = ", ".join(_named(name) for name in known[:_UNKNOWN_NAMED])
        return [_unknown(f"{len(known)} metrics that are not known here ({few}, …)", "(many)")]
    return [
        _unknown(f"a metric {_named(name)} that is not known here", name[:60]) for name in known
    ]


def _unknown(what: str, subject: str) -> Problem:
    return Problem(
        ProblemKind.UNKNOWN_METRIC,
        cause=f"WeChat sends {what}; kept in extra",
        cure="look it up in WeChat's documentation, and ask for a column if you want one",
        subject=subject,
    )


def _named(name: str) -> str:
    return f"{name!r:.60}"
