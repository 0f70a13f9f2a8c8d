"""
What is wrong now: one trouble per act that would end it.

`judge` (pure) reads the coverage of accounts, the findings of tasks, and what Airflow knows. The
page, its `/health`, `weixin-etl status` and the messages all have its list.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import RowMapping

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.health.at_work import Airflow, Asleep, DagState
from weixin_etl.health.days import AccountDays
from weixin_etl.model import Coverage, State, connection_of
from weixin_etl.problem import Problem, ProblemKind, days_of, filled
from weixin_etl.rules import OFFLINE, due_morning
from weixin_etl.text import few_names

OVERDUE = timedelta(minutes=30)
"""So long after its time a run that does not exist is missing."""


class Severity(StrEnum):
    """How bad it is, the worst first."""

    FAILURE = "failure"
    """Somebody has to act, or WeChat is late."""
    RETRYING = "retrying"
    """A try has failed, and a run at work tries again: nobody is told yet."""
    WARNING = "warning"
    """Something to know: what WeChat gave is stored."""
    NOTE = "note"
    """What a person has decided."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one act would end."""

    problem: Problem
    """With the days that are not in because of it: those without any figures, if there are some."""
    dataset: str | None = None
    """None when it concerns every dataset."""
    severity: Severity = Severity.FAILURE
    appids: frozenset[str] = frozenset()
    """The accounts that it concerns; none when it concerns all."""
    names: tuple[str, ...] = ()
    """What people call them."""
    opened_at: datetime | None = None
    """Since when: by what people were told, else when it was first met."""
    has_figures: bool = False
    """Whether there are figures of its day, of an earlier morning."""
    incident_id: int | None = None
    """Its number in `weixin.incident`, if people are told of it."""
    run_id: str = ""
    """The run whose task has found it, if a task has."""
    tried: Asleep | None = None
    """How far it is with the tries, of what is tried again."""

    @property
    def identity(self) -> str:
        """
        What makes it the same trouble at another time, whatever its cause is then.

        The kind, where one act ends it for all accounts; else the account. What keeps a whole
        account from being asked is one, whatever its kind.
        """
        problem, kind = self.problem, self.problem.kind
        whose = problem.appid or problem.subject or ""
        if kind is ProblemKind.CALL_REFUSED:
            return f"{kind} {problem.errcode}"
        if kind.is_common:
            return str(kind)
        is_whole = kind.is_of_account and not kind.is_warning
        return whose if is_whole else f"{kind} {whose}".strip()

    @property
    def is_broken(self) -> bool:
        """Whether all is not well because of it."""
        return self.severity in (Severity.FAILURE, Severity.RETRYING)


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

    @classmethod
    def of(cls, row: RowMapping) -> "Incident":
        """The incident of a row."""
        return convert({**row, "problem": dict(row)}, cls)

    @property
    def has_ended(self) -> bool:
        """Whether its end is what is to be told, or was."""
        return self.told_at is not None and self.closed_at is not None


Owner = tuple[str | None, str]
"""A dataset, and an account or a connection."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a task has found that coverage does not say: a row of `weixin.finding`."""

    dataset: str | None
    problem: Problem
    found_at: datetime
    run_id: str = ""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.dataset, self.problem.appid or self.problem.conn_id


@dataclass(frozen=True)
class AccountFacts:
    """What the warehouse has of an account in a dataset that daily runs collect."""

    dataset: Dataset
    appid: str
    name: str
    conn_id: str
    days: AccountDays
    """Those that are not final, since the account's first day or as far as it was asked."""
    last_day_in: date | None
    """The newest day with a ready answer."""
    ready_at: datetime | None
    """When its newest ready answer was fetched: the last success."""
    rejected_days: tuple[date, ...] = ()
    """Days with parts of answers that do not fit."""
    rejected_reason: str = ""
    """Why the first of them does not."""
    being_asked: frozenset[date] = frozenset()
    """The days that runs at work have yet to bring in."""
    is_succeeded: bool = False
    """Whether daily runs collect it by the endpoint's successor as well."""

    @cached_property
    def answered_at(self) -> datetime | None:
        """When WeChat last answered it, of the days that are known."""
        answered = [pair.ready_at for pair in self.days.pairs.values() if pair and pair.ready_at]
        return max([*answered, *([self.ready_at] if self.ready_at else [])], default=None)

    def days_not_in(self, now: datetime) -> tuple[date, ...]:
        """The days that are late, lost or given up, oldest first: not while a run asks for them."""
        if self.days.is_retired:
            return ()
        days = sorted(self.days.pairs.keys() - self.being_asked)
        return tuple(day for day in days if self.days.state(day, now) in _NOT_AS_IT_SHOULD_BE)

    def problem(
        self, kind: ProblemKind, cause: str | None = None, cure: str | None = None, **more: Any
    ) -> Problem:
        """A problem of the account; its cause and cure are the kind's, unless others are given."""
        who = {"account": self.name, "appid": self.appid, "conn_id": self.conn_id}
        return Problem.of_kind(kind, cause, cure, **who, **more)


def _usual(problem: Problem) -> Severity:
    """How bad it is, as its kind says."""
    return Severity.WARNING if problem.kind.is_warning else Severity.FAILURE


# ------------------------------------------------------------------------------------------- judge


def judge(
    accounts: Sequence[AccountFacts],
    findings: Sequence[Finding],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
) -> list[Trouble]:
    """
    What is wrong now, what keeps the most from working first.

    Nothing of a DAG that a person has paused. Days that nobody asked for follow from what keeps
    runs from asking, where that is known. `airflow` is None when it can't be asked.
    """
    known: dict[Owner, AccountFacts] = {(it.dataset.name, it.appid): it for it in accounts}
    left = [it for it in findings if not _is_answered(it, known)]
    met = [_of_finding(it) for it in left if not (it.problem.days and it.owner in known)]
    owned: dict[Owner, list[Finding]] = defaultdict(list)
    for finding in left:
        owned[finding.owner].append(finding)
    for account in accounts:
        met += _of_account(account, _found_of(account, owned), now)
    found = _together(met)
    if airflow:
        found = [it for it in found if it.dataset is None or not airflow.is_idle(it.dataset)]
        found = [*_tried(found, airflow), *_of_airflow(airflow, accounts, now, datasets)]
    stopped = {it.dataset for it in found if it.is_broken and _is_of_all(it.problem)}
    return sorted((it for it in found if not _follows(it, stopped)), key=_rank)


def _follows(trouble: Trouble, stopped: Collection[str | None]) -> bool:
    """Whether an account was not asked because something keeps all from being asked."""
    is_unasked = trouble.problem.kind is ProblemKind.NOT_ASKED and not _is_of_all(trouble.problem)
    return is_unasked and bool({trouble.dataset, None} & {*stopped})


def _is_of_all(problem: Problem) -> bool:
    """Whether it keeps a run from asking for any account."""
    return not problem.account and problem.subject not in ("report", "check")


def _rank(found: Trouble) -> tuple[int | bool, ...]:
    """The worst first, then what keeps the most from working."""
    kind = found.problem.kind
    is_of_one = found.problem.appid is not None
    of_all = not kind.is_of_warehouse, not kind.is_of_run, is_of_one, not kind.is_of_account
    return [*Severity].index(found.severity), *of_all


def _tried(found: Sequence[Trouble], airflow: Airflow) -> Iterator[Trouble]:
    """What is tried again with its tries, and tasks of which nothing else says that they are."""
    tried = {it.dataset: it for it in airflow.asleep if it.failed_tries}
    for trouble in found:
        one = tried.get(trouble.dataset or "")
        if trouble.severity is not Severity.RETRYING or one is None:
            yield trouble
        else:
            yield replace(trouble, tried=one)
    shown = {it.dataset for it in found if it.severity is Severity.RETRYING}
    for dataset, one in tried.items():
        if dataset not in shown and one.problem:
            yield Trouble(one.problem, dataset, Severity.RETRYING, tried=one)


def _is_answered(finding: Finding, known: Mapping[Owner, AccountFacts]) -> bool:
    """Whether an account of which no day is named has been answered since."""
    account = known.get(finding.owner)
    at = account.answered_at if account else None
    return not finding.problem.days and at is not None and at > finding.found_at


def _of_finding(finding: Finding) -> Trouble:
    problem = finding.problem
    ours = frozenset([problem.appid]) if problem.appid else frozenset()
    return Trouble(
        problem,
        finding.dataset,
        _usual(problem),
        appids=ours,
        opened_at=finding.found_at,
        run_id=finding.run_id,
    )


def _together(met: Iterable[Trouble]) -> list[Trouble]:
    """One trouble for what one act would end, as the newest of it is told."""
    alike: dict[tuple[str | None, str], list[Trouble]] = defaultdict(list)
    for one in met:
        alike[one.dataset, one.identity].append(one)
    return [_as_one(those) for those in alike.values()]


def _as_one(met: Sequence[Trouble]) -> Trouble:
    worst = min((one.severity for one in met), key=[*Severity].index)
    newest = max(
        (one for one in met if one.severity is worst),
        key=lambda it: (it.opened_at.timestamp() if it.opened_at else 0, it.problem.days[-1:]),
    )
    names = list(dict.fromkeys(one.problem.account for one in met if one.problem.account))
    without = [one.problem for one in met if not one.has_figures]
    days = days_of(without) or days_of(one.problem for one in met)
    problem = _of_days(newest.problem, days)
    if len(names) > 1:
        problem = replace(
            problem, account=few_names(names, 1), appid=None, conn_id="", subject=None
        )
    return Trouble(
        problem,
        newest.dataset,
        worst,
        frozenset().union(*(one.appids for one in met)),
        tuple(sorted(names)),
        min((one.opened_at for one in met if one.opened_at), default=None),
        run_id=newest.run_id,
    )


def _of_days(problem: Problem, days: tuple[date, ...]) -> Problem:
    """The problem with these days, which its cure may name."""
    cure = problem.row.cure
    if "{first}" not in cure:
        return replace(problem, days=days)
    return replace(problem, days=days, cure=filled(cure, "", "", problem.subject, days))


# ------------------------------------------------------------------------------------- of accounts


def _found_of(account: AccountFacts, owned: Mapping[Owner, Sequence[Finding]]) -> list[Finding]:
    """What is found of the account, or keeps its connection or platform from being asked."""
    dataset, platform = account.dataset.name, connection_of(account.conn_id)
    ours = dict.fromkeys([account.appid, account.conn_id])
    found = [it for owner in ours for it in owned.get((dataset, owner), ())]
    if platform not in ours:
        of_platform = owned.get((dataset, platform), ())
        found += [it for it in of_platform if it.problem.kind.is_of_connection]
    return found


def _of_account(
    account: AccountFacts, found: Sequence[Finding], now: datetime
) -> Iterator[Trouble]:
    """What is wrong with an account: with all of it, or with some days that are not in."""
    ours = frozenset([account.appid])
    told = {day: finding for finding in found for day in finding.problem.days}
    stops = [it for it in found if it.problem.kind.is_of_account and not it.problem.days]
    for whole in _of_facts(account, now):
        yield replace(whole, appids=ours)
    for day, finding in sorted(told.items()):
        problem, pair = replace(finding.problem, days=(day,)), account.days.pairs.get(day)
        has_figures = bool(pair and pair.ready_at)
        yield replace(_of_finding(finding), problem=problem, has_figures=has_figures, appids=ours)
    for day, pair in sorted(account.days.pairs.items()):
        is_offline = pair is None or pair.error_code == OFFLINE
        if day in told or (account.days.is_retired and is_offline):
            continue
        if met := _of_day(account, day, pair, now):
            yield replace(_as_told(met, stops), appids=ours)


def _of_facts(account: AccountFacts, now: datetime) -> Iterator[Trouble]:
    """What is wrong whatever the day: a value that does not fit, an endpoint that is retired."""
    if days := account.rejected_days:
        problem = account.problem(ProblemKind.REJECTED, account.rejected_reason, days=days)
        yield Trouble(problem, account.dataset.name, Severity.WARNING)
    if account.days.is_retired:
        yield _retired(account, now)


def _as_told(met: Trouble, stops: Sequence[Finding]) -> Trouble:
    """Why a day is not as it should be: what keeps the whole account from being asked, if so."""
    if not stops or met.severity is Severity.WARNING:
        return met
    problem = replace(stops[-1].problem, days=met.problem.days)
    return replace(_of_finding(stops[-1]), problem=problem, has_figures=met.has_figures)


def _retired(account: AccountFacts, now: datetime) -> Trouble:
    """Nothing is broken, if the endpoint's successor has the account."""
    pairs = [it for it in account.days.pairs.values() if it and it.error_code == OFFLINE]
    newest = max(pairs, key=lambda it: it.attempted_at or now)
    kind, code = ProblemKind.ENDPOINT_OFFLINE, newest.error_code
    problem = account.problem(kind, newest.error, newest.cure or "", errcode=code)
    severity = Severity.WARNING if account.is_succeeded else Severity.FAILURE
    return Trouble(problem, account.dataset.name, severity, opened_at=newest.attempted_at)


_MOMENT = timedelta(minutes=1)
"""Answers of calls that were in flight when another was refused come within it."""
_NOT_AS_IT_SHOULD_BE = {
    State.LATE: ProblemKind.NOT_READY,
    State.LOST: ProblemKind.DAYS_LOST,
    State.GIVEN_UP: ProblemKind.UNREADABLE,
}
"""What is said of days that are not as they should be, if no attempt says why."""


def _of_day(
    account: AccountFacts, day: date, pair: Coverage | None, now: datetime
) -> Trouble | None:
    """Why a day is not as it should be, by its last attempt, else by what it is called."""
    state, is_asked = account.days.state(day, now), day in account.being_asked
    failed = _failure(account, state, pair)
    is_waiting = is_asked and bool(pair and pair.error_kind == ProblemKind.NOT_READY)
    is_well = state not in _NOT_AS_IT_SHOULD_BE or (is_asked and not is_waiting)
    if failed is None and is_well:
        return None
    problem = replace(failed or _unattempted(account, state, pair, now), days=(day,))
    return Trouble(
        problem,
        account.dataset.name,
        _how_bad(problem, state, is_asked=is_asked, has_failed=failed is not None),
        opened_at=pair.attempted_at if pair else None,
        has_figures=bool(pair and pair.ready_at),
    )


def _how_bad(problem: Problem, state: State, *, is_asked: bool, has_failed: bool) -> Severity:
    if not has_failed and state in (State.LOST, State.GIVEN_UP):
        return Severity.WARNING
    is_mended = has_failed and problem.kind is ProblemKind.NOT_ASKED
    is_tried = is_asked and (problem.kind.is_retried or problem.kind is ProblemKind.NOT_READY)
    return Severity.RETRYING if is_mended or is_tried else _usual(problem)


def _failure(account: AccountFacts, state: State, pair: Coverage | None) -> Problem | None:
    """
    Why the last attempt for a day failed, if that still matters.

    What concerns a whole account does until the account is answered. What was mended since is only
    asked for again.
    """
    if pair is None or pair.error_kind in (None, ProblemKind.NOT_READY) or state is State.FINAL:
        return None
    kind, at, answered_at = ProblemKind(pair.error_kind), pair.attempted_at, account.answered_at
    is_whole = kind.is_of_account or kind is ProblemKind.ENDPOINT_OFFLINE
    is_over = is_whole and bool(at and answered_at and answered_at > at + _MOMENT)
    if state is State.GIVEN_UP or (is_over and state not in (State.OPEN, State.LATE)):
        return None
    if is_over and not kind.is_retried:
        return account.problem(ProblemKind.NOT_ASKED, "what stopped it is over")
    problem = account.problem(kind, pair.error, pair.cure or "", errcode=pair.error_code)
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        problem = replace(problem, appid=None, conn_id=connection_of(account.conn_id))
    return problem


def _unattempted(
    account: AccountFacts, state: State, pair: Coverage | None, now: datetime
) -> Problem:
    """What is said of a day of which no failed attempt says why it is not in."""
    attempted_at = pair.attempted_at if pair else None
    is_asked = attempted_at and clock.beijing_date(attempted_at) >= due_morning(now)
    if state is State.LATE and not is_asked:
        return account.problem(ProblemKind.NOT_ASKED)
    if state is State.LATE and pair and pair.error:
        return account.problem(ProblemKind.NOT_READY, pair.error)
    return account.problem(_NOT_AS_IT_SHOULD_BE[state], subject=account.dataset.dag_id)


# -------------------------------------------------------------------------------------- of Airflow


def _of_airflow(
    airflow: Airflow, accounts: Sequence[AccountFacts], now: datetime, datasets: Sequence[Dataset]
) -> Iterator[Trouble]:
    """What keeps Airflow from making runs, or tasks from starting."""
    if not airflow.is_scheduler_alive:
        yield Trouble(Problem.of_kind(ProblemKind.SCHEDULER_DOWN))
    collected = {it.dataset.name for it in accounts if not it.days.is_retired}
    for dataset in datasets:
        dag = airflow.dags.get(dataset.name)
        if dag and dag.ended:
            problem = Problem.of_kind(ProblemKind.RUN_ENDED, subject=dag.ended.run_id)
            yield Trouble(problem, dataset.name, opened_at=dag.ended.ended_at)
        if dataset.name in collected:
            yield from _of_dag(airflow, dataset, dag, now)


def _of_dag(
    airflow: Airflow, dataset: Dataset, dag: DagState | None, now: datetime
) -> Iterator[Trouble]:
    """Why a dataset gets no run."""
    if airflow.is_idle(dataset.name):
        code, dag_id = "paused" if dag else "left_out", dataset.dag_id
        problem = Problem.of_kind(ProblemKind.NO_RUNS, code=code, subject=dag_id)
        yield Trouble(problem, dataset.name, Severity.NOTE)
    elif dag is None:
        yield Trouble(Problem.of_kind(ProblemKind.NO_RUNS), dataset.name)
    elif dag.next_run_at and now - dag.next_run_at > OVERDUE:
        cause = f"the run of {clock.beijing_text(dag.next_run_at)} was not made"
        problem = Problem.of_kind(ProblemKind.RUN_MISSING, cause)
        yield Trouble(problem, dataset.name, opened_at=dag.next_run_at)


def nothing_collected(
    datasets: Sequence[Dataset], airflow: Airflow | None, now: datetime
) -> Trouble:
    """What to do first in an installation whose daily runs collect nothing yet."""
    dags = airflow.dags if airflow else {}
    awake = [it for it in datasets if it.name in dags and not dags[it.name].is_paused]
    due = [at for it in awake if (at := dags[it.name].next_run_at) and at > now]
    if airflow and any(map(airflow.at_work, awake)):
        cause = "a run is at work"
    elif due and clock.beijing_date(min(due)) == clock.beijing_date(now):
        cause = f"the first daily run is today at {clock.beijing_text(min(due), pattern='%H:%M')}"
    else:
        code = "" if awake else "set_up"
        return Trouble(Problem.of_kind(ProblemKind.NOTHING_COLLECTED, code=code))
    return Trouble(Problem.of_kind(ProblemKind.FIRST_RUN, cause), severity=Severity.NOTE)
