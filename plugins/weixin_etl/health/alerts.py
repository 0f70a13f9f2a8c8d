"""
What is wrong now: one trouble per act that would end it.

`judge` (pure) reads the days of accounts, the findings of tasks, and what Airflow knows. The page,
its `/health`, `weixin-etl status` and the messages all have its list.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import RowMapping

from weixin_etl import clock, rules
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.model import State, connection_id
from weixin_etl.problem import Problem, ProblemKind, days_of_problems, fill_places, problem_row

LACKING = [State.LATE, State.LOST, State.GIVEN_UP]
"""The states of days that are not as they should be."""


class Days(NamedTuple):
    """Days of one state whose last attempts ended alike, in one minute, or that had none."""

    days: Sequence[date]
    state: State
    has_figures: bool
    """Whether there are some, maybe of an earlier morning."""
    attempted_at: datetime | None
    """When the last of them was, to the minute unless they were refused."""
    error_kind: str | None
    error_code: int | None
    error: str | None
    cure: str | None


class AccountDays(NamedTuple):
    """What the warehouse has of an account in a dataset, as far as something may be wrong."""

    dataset: Dataset
    appid: str
    name: str
    conn_id: str
    answered_at: datetime | None
    """When WeChat last answered it."""
    is_retired: bool
    """Whether WeChat has taken the endpoint offline for it."""
    since_date: date
    """The first day that daily runs are to bring in; of those before it, what came otherwise."""
    rejected_days: Sequence[date] | None
    """Days with parts of answers that do not fit, of answers that can be read."""
    rejected_reason: str | None
    """The most frequent reason why parts do not fit, and how many parts have another one."""
    behind_days: Sequence[date] | None
    """The days of the window whose newest figures are missing: `rules.behind_days`."""
    fell_at: datetime | None
    """When an answer came of the newest morning in which a running total fell."""
    fallen_days: Sequence[date] | None
    """The publication days of the totals that fell that morning."""
    fall: str | None
    """Which total fell: article, stat_date, metric, from and to."""
    days: Sequence[Days]
    """Those that lack, or that were refused last."""
    being_asked: Collection[date]
    """The days that runs at work have yet to bring in."""
    is_succeeded: bool
    """Whether the endpoint's successor collects it: a run planned it there within two days."""


class Severity(StrEnum):
    """How bad it is, the worst first."""

    FAILURE = "failure"
    """Somebody has to act."""
    WAITING = "waiting"
    """Figures are missing, and nobody has to act: daily runs ask again until they are there."""
    RETRYING = "retrying"
    """A try has failed, and a run at work tries again: nobody is told yet."""
    WARNING = "warning"
    """Something to know: what WeChat gave is stored."""
    NOTE = "note"
    """What a person has decided."""


def default_severity(kind: ProblemKind) -> Severity:
    """How bad a problem of the kind is."""
    if kind.resolves_itself:
        return Severity.WAITING
    return Severity.WARNING if kind.is_warning else Severity.FAILURE


Owner = tuple[str | None, str]
"""A dataset, and an account or a connection."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What one act would end: as it is judged now, was found by a task, or was told of."""

    problem: Problem
    """With the days that are not in because of it: those without any figures, if there are some."""
    dataset: str | None = None
    """None when it concerns every dataset."""
    severity: Severity = Severity.FAILURE
    appids: frozenset[str] = frozenset()
    """The accounts that it concerns; none when it concerns all."""
    names: tuple[str, ...] = ()
    """What people call them."""
    further: tuple[str, ...] = ()
    """The other datasets in which the same act ends it."""
    opened_at: datetime | None = None
    """Since when: by what people were told, else by the last attempts."""
    has_figures: bool = False
    """Whether there are figures of its day, of an earlier morning."""
    run_id: str = ""
    """The run whose task has found it, if a task has."""
    failed_tries: int = 0
    """How many of its tries have failed, of what is tried again."""
    tries: int = 0
    next_at: datetime | None = None
    """When it is tried next; None when it is at it again."""
    incident_id: int | None = None
    """Its number in `weixin.incident`, if people are told of it."""
    told_at: datetime | None = None
    closed_at: datetime | None = None
    """When it was found to be over."""

    @classmethod
    def of(cls, row: RowMapping) -> "Alert":
        """The one of a row of `weixin.finding` or `weixin.incident`."""
        ours = [row["appid"]] if row["appid"] else []
        severity = default_severity(ProblemKind(row["kind"]))
        return convert({"severity": severity, "appids": ours, **row, "problem": dict(row)}, cls)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.dataset, self.problem.appid or self.problem.conn_id

    @property
    def dedup_key(self) -> str:
        """
        What makes it the same trouble at another time, whatever its cause is then.

        The kind, where one act ends it for all accounts; else the account. What keeps a whole
        account from being asked is one, whatever its kind.
        """
        problem, kind = self.problem, self.problem.kind
        whose = problem.appid or problem.subject or ""
        if kind is ProblemKind.CALL_REFUSED:
            return f"{kind} {problem.code}"
        if kind.is_common:
            return str(kind)
        if kind is ProblemKind.FALLEN:  # told for each morning
            return f"{kind} {whose} {problem.subject}"
        is_whole = kind.is_of_account and not kind.is_warning
        return whose if is_whole else f"{kind} {whose}".strip()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Those that it concerns; none when it concerns all."""
        return (self.dataset, *self.further) if self.dataset else ()

    @property
    def act(self) -> tuple[object, ...]:
        """
        What ends it: the same cure, whatever the dataset, for an account or the warehouse.

        A try is of a dataset's task.
        """
        kind = self.problem.kind
        is_of_all = kind.is_of_account or kind.is_of_warehouse
        dataset = None if is_of_all and not self.failed_tries else self.dataset
        return dataset, self.severity, self.dedup_key, self.problem.cure

    @property
    def is_broken(self) -> bool:
        """Whether all is not well because of it."""
        return self.severity not in (Severity.WARNING, Severity.NOTE)

    @property
    def has_ended(self) -> bool:
        """Whether its end is what is to be told, or was."""
        return self.told_at is not None and self.closed_at is not None


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a dataset's DAG."""

    is_paused: bool = False
    next_run_at: datetime | None = None
    """When the next scheduled run is created."""


@dataclass(frozen=True, slots=True)
class Airflow:
    """What Airflow knows."""

    dags: Mapping[str, DagState]
    """The DAGs by dataset, as far as Airflow has read their files."""
    is_scheduler_alive: bool = True
    runs: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The runs that are queued or running, by dataset."""
    tried: Sequence[Alert] = ()
    """Tasks of theirs that a try of has failed."""
    waits: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When runs, by dataset and id, ask again for what WeChat has not computed yet."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """The runs that ask WeChat: none while no scheduler starts their tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def tried_again(self, datasets: Iterable[Dataset]) -> dict[str | None, Alert]:
        """The tasks of these that are tried again: none while no scheduler starts them."""
        names = {it.name for it in datasets} if self.is_scheduler_alive else ()
        return {it.dataset: it for it in self.tried if it.dataset in names}

    def next_run_at(self, datasets: Iterable[Dataset]) -> datetime | None:
        """Return when the next scheduled run of these is made; None if none is."""
        dags = [self.dags.get(it.name) for it in datasets if not self.is_idle(it.name)]
        return min((dag.next_run_at for dag in dags if dag and dag.next_run_at), default=None)

    def is_idle(self, dataset: str | None) -> bool:
        """Whether a person has paused its DAG, or left it out of the DAG file."""
        dag = self.dags.get(dataset or "")
        return dag.is_paused if dag else bool(dataset and self.dags)


# ------------------------------------------------------------------------------------------- judge


def current_alerts(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
) -> list[Alert]:
    """
    What is wrong now: the worst first, then what concerns more than one account.

    Nothing of a DAG that a person has paused. Days that nobody asked for follow from what keeps
    runs from asking, where that is known. `airflow` is None when it can't be asked.
    """
    accounts = [_with_airflow(it, airflow) for it in accounts]
    owned, morning = _open_findings(accounts, findings, now), _due_morning(now)
    known = {(it.dataset.name, it.appid) for it in accounts}
    left = [it for those in owned.values() for it in those]
    met = [it for it in left if not (it.problem.days and it.owner in known)]
    for account in accounts:
        met += _all_of_account(account, owned, morning)
    found = [_as_one(those) for those in _alike(met, lambda it: (it.dataset, it.dedup_key))]
    if airflow:
        found = [it for it in found if not airflow.is_idle(it.dataset)]
        found = [*_tried(found, airflow.tried_again(datasets))]
        found += _of_airflow(airflow, accounts, datasets, found)
    stopped = {it.dataset for it in found if it.is_broken and stops_all(it.problem)}
    own = [it for it in found if not _follows(it, stopped)]
    return sorted(own, key=lambda it: ([*Severity].index(it.severity), bool(it.problem.appid)))


def _with_airflow(account: AccountDays, airflow: Airflow | None) -> AccountDays:
    """Return the account as Airflow has it: a successor whose DAG is not paused collects it."""
    successor = account.dataset.successor
    if airflow is None or successor is None:
        return account
    return account._replace(is_succeeded=not airflow.is_idle(successor))


def alerts_of_days(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    now: datetime,
) -> dict[tuple[str, date], Alert]:
    """Return what is wrong with each day, by AppID and day, as the list of `judge` has it."""
    accounts = [_with_airflow(it, airflow) for it in accounts]
    owned, morning = _open_findings(accounts, findings, now), _due_morning(now)
    return {
        (account.appid, day): trouble
        for account in accounts
        for trouble in _all_of_account(account, owned, morning, every_day=True)
        for day in trouble.problem.days
    }


def _due_morning(now: datetime) -> datetime:
    """Return the beginning of the morning whose figures must be in."""
    return datetime.combine(rules.due_morning(now), time(), clock.SHANGHAI)


def _open_findings(
    accounts: Sequence[AccountDays], findings: Sequence[Alert], now: datetime
) -> dict[Owner, list[Alert]]:
    """Return the findings that still count, by their owners."""
    known: dict[Owner, AccountDays] = {(it.dataset.name, it.appid): it for it in accounts}
    owned: dict[Owner, list[Alert]] = defaultdict(list)
    for finding in findings:
        if not _is_over(finding, known.get(finding.owner), _due_morning(now)):
            owned[finding.owner].append(finding)
    return owned


def _is_over(finding: Alert, account: AccountDays | None, morning: datetime) -> bool:
    """
    Return whether a finding counts no more.

    A finding without days ends when its account is answered. One that resolves itself counts for
    its morning only: if no run asks on the next one, that is what is wrong. That an endpoint is
    retired follows from coverage.
    """
    at, found_at = account and account.answered_at, finding.opened_at
    if found_at is None:
        return False
    is_answered = not finding.problem.days and bool(at and at > found_at)
    is_offline = finding.problem.kind is ProblemKind.ENDPOINT_OFFLINE
    is_retired = account is not None and account.is_retired and is_offline
    is_outdated = finding.problem.kind.resolves_itself and found_at < morning
    return is_answered or is_retired or is_outdated


def _follows(trouble: Alert, stopped: Collection[str | None]) -> bool:
    """Whether an account was not asked because something keeps all from being asked."""
    is_unasked = trouble.problem.kind is ProblemKind.NOT_ASKED and not stops_all(trouble.problem)
    return is_unasked and bool({trouble.dataset, None} & {*stopped})


def stops_all(problem: Problem) -> bool:
    """Whether it keeps a run from asking for any account."""
    return not problem.account and problem.subject not in ("report", "check")


def _tried(found: Sequence[Alert], tried: Mapping[str | None, Alert]) -> Iterator[Alert]:
    """What is tried again with its tries, and tasks of which nothing else says that they are."""
    retrying = {it.dataset for it in found if it.severity is Severity.RETRYING}
    for trouble in found:
        if trouble.severity is Severity.RETRYING and (task := tried.get(trouble.dataset)):
            tries = {name: getattr(task, name) for name in ("failed_tries", "tries", "next_at")}
            yield replace(trouble, **tries)
        else:
            yield trouble
    yield from (task for dataset, task in tried.items() if dataset not in retrying)


def grouped_by_cure(troubles: Iterable[Alert]) -> list[Alert]:
    """One trouble for what one act would end in several datasets."""
    alike = _alike(troubles, lambda it: (it.act, it.has_ended))
    return [_as_one(those) if len(those) > 1 else those[0] for those in alike]


_One = TypeVar("_One")


def _alike(those: Iterable[_One], of: Callable[[_One], Hashable]) -> Collection[list[_One]]:
    alike: dict[Hashable, list[_One]] = defaultdict(list)
    for one in those:
        alike[of(one)].append(one)
    return alike.values()


def _as_one(met: Sequence[Alert]) -> Alert:
    """One in the words of the newest among the worst, about all their accounts and days."""
    worst = min((one.severity for one in met), key=[*Severity].index)
    newest = max(
        (one for one in met if one.severity is worst),
        key=lambda it: (it.opened_at.timestamp() if it.opened_at else 0, it.problem.days[-1:]),
    )
    names = sorted({name for one in met for name in one.names or [one.problem.account] if name})
    days = days_of_problems(one.problem for one in met if not one.has_figures)
    problem = replace(newest.problem, days=days or days_of_problems(one.problem for one in met))
    if problem.kind is ProblemKind.DAYS_LOST:
        run = f"{problem.subject} (begin_date {problem.days[0]}, end_date {problem.days[-1]})"
        problem = replace(problem, subject=run, cure=fill_places(problem.row.cure, "", "", run))
    appids = frozenset[str]().union(*(one.appids for one in met))
    if len(appids) > 1 and len(names) > 1 and all(one.appids for one in met):
        account = f"{names[0]} +{len(names) - 1}"
        subject = problem.subject if len({it.problem.subject for it in met}) == 1 else None
        problem = replace(problem, account=account, appid=None, conn_id="", subject=subject)
    return replace(
        newest,
        problem=problem,
        further=tuple(sorted({it for one in met for it in one.datasets} - {newest.dataset})),
        appids=appids,
        names=tuple(names),
        opened_at=min((one.opened_at for one in met if one.opened_at), default=None),
        has_figures=all(one.has_figures for one in met),
        # that of which people have the address
        incident_id=min((one.incident_id for one in met if one.incident_id), default=None),
    )


# ------------------------------------------------------------------------------------- of accounts


def _found_of(account: AccountDays, owned: Mapping[Owner, Sequence[Alert]]) -> list[Alert]:
    """What is found of the account, or keeps its connection or platform from being asked."""
    dataset, platform = account.dataset.name, connection_id(account.conn_id)
    owners = dict.fromkeys([account.appid, account.conn_id, platform])
    return [
        it
        for owner in owners
        for it in owned.get((dataset, owner), ())
        if owner in (account.appid, account.conn_id) or it.problem.kind.is_of_connection
    ]


def _all_of_account(
    account: AccountDays,
    owned: Mapping[Owner, Sequence[Alert]],
    morning: datetime,
    *,
    every_day: bool = False,
) -> list[Alert]:
    """Return what is wrong with an account, each with what its endpoint's successor makes of it."""
    troubles = _of_account(account, _found_of(account, owned), morning, every_day=every_day)
    return [_with_successor(account, trouble) for trouble in troubles]


def _with_successor(account: AccountDays, trouble: Alert) -> Alert:
    """Return a retired endpoint's trouble with its successor's DAG: a warning if that collects."""
    dag_id, is_succeeded = account.dataset.successor_dag_id, account.is_succeeded
    if trouble.problem.kind is not ProblemKind.ENDPOINT_OFFLINE or dag_id is None:
        return trouble
    problem = trouble.problem.with_successor(dag_id, is_collecting=is_succeeded)
    severity = Severity.WARNING if is_succeeded else trouble.severity
    return replace(trouble, problem=problem, severity=severity)


class _Cause(NamedTuple):
    """Why days of an account are not as they should be: it has a trouble for each."""

    kind: ProblemKind
    text: str | None = None
    """What happened; like the cure it is the kind's, unless given."""
    cure: str | None = None
    code: str = ""
    severity: Severity | None = None
    """None: what is usual of the kind."""


def _of_account(
    account: AccountDays, found: Sequence[Alert], morning: datetime, *, every_day: bool = False
) -> Iterator[Alert]:
    """
    Yield what is wrong with an account: with all of it, or with some days that are not in.

    A trouble names the days without any figures, if there are some; with `every_day` all of them.
    """
    told = {day: it for it in found for day in it.problem.days}
    stops = [it for it in found if it.problem.kind.is_of_account and not it.problem.days]
    alike: dict[_Cause, list[Days]] = defaultdict(list)
    for row in account.days:
        own = (day for day in row.days if day not in told)
        # what `_of_day` asks of a day itself
        for days in _alike(own, lambda it: (it in account.being_asked, it >= account.since_date)):
            if cause := _of_day(account, days[0], row, morning):
                alike[cause].append(row._replace(days=days))
    yield from _of_facts(account, every_day=every_day)
    for finding in found:
        if days := [day for day in finding.problem.days if told[day] is finding]:
            yield _on(account, finding, days, has_figures=finding.has_figures)
    for cause, those in alike.items():
        bare = [] if every_day else [it for it in those if not it.has_figures]
        days = sorted(day for it in bare or those for day in it.days)
        met = _met(account, cause, days, max(those, key=_attempted), has_figures=not bare)
        # what stops an account is why these days were not asked for
        is_stopped = stops and met.is_broken
        yield _on(account, stops[-1], days, has_figures=not bare) if is_stopped else met


def _on(account: AccountDays, found: Alert, days: Iterable[date], *, has_figures: bool) -> Alert:
    """What was found, of some days of an account."""
    problem = replace(found.problem, days=tuple(sorted(days)))
    ours = frozenset([account.appid])
    return replace(found, problem=problem, appids=ours, has_figures=has_figures)


def _of_facts(account: AccountDays, *, every_day: bool) -> Iterator[Alert]:
    """
    Yield what is wrong whatever the day: a value that does not fit, an endpoint that is retired.

    With `every_day` the latter names the days that it keeps from coming.
    """
    if account.behind_days:
        yield _met(account, _Cause(ProblemKind.BEHIND), account.behind_days, has_figures=True)
    if account.fell_at:
        yield _fallen(account, account.fell_at)
    if account.rejected_days:
        cause = _Cause(ProblemKind.REJECTED, account.rejected_reason)
        yield _met(account, cause, account.rejected_days)
    if account.is_retired:
        refused = [it for it in account.days if it.error_code == rules.OFFLINE_ERRCODE]
        newest = max(refused, key=_attempted, default=None)
        cause = _of_attempt(newest) if newest else _Cause(ProblemKind.ENDPOINT_OFFLINE)
        kept = [it for it in account.days if _is_kept_by_retirement(account, it)]
        days = [day for row in kept for day in row.days] if every_day else ()
        yield _met(account, cause, days, newest)


def _is_kept_by_retirement(account: AccountDays, row: Days) -> bool:
    """Return whether days do not come because WeChat retired the endpoint for the account."""
    return account.is_retired and row.error_code in (None, rules.OFFLINE_ERRCODE)


def _fallen(account: AccountDays, fell_at: datetime) -> Alert:
    """Return the warning that running totals of an account fell, one for each morning."""
    cause = f"{problem_row(ProblemKind.FALLEN).cause}: {account.fall}"
    found = _met(account, _Cause(ProblemKind.FALLEN, cause), account.fallen_days or ())
    morning = clock.beijing_date(fell_at).isoformat()
    return replace(found, problem=replace(found.problem, subject=morning), opened_at=fell_at)


def _of_day(account: AccountDays, day: date, row: Days, morning: datetime) -> _Cause | None:
    """Why a day is not as it should be, by its last attempt, else by what it is called."""
    if _is_kept_by_retirement(account, row):
        return None
    is_asked, is_late = day in account.being_asked, row.error_kind == ProblemKind.NOT_READY
    is_due = row.state is not State.LATE or day >= account.since_date
    if _is_refused(account, row, morning):
        cause = _of_attempt(row)
    elif row.state in LACKING and (is_late or (is_due and not is_asked)):
        cause = _of_state(row, morning)
    else:
        return None
    is_tried = is_asked and (cause.kind.is_retried or cause.kind is ProblemKind.NOT_READY)
    return cause._replace(severity=Severity.RETRYING) if is_tried else cause


_MOMENT = timedelta(minutes=1)
"""Answers of calls that were in flight when another was refused come within it."""


def _is_refused(account: AccountDays, row: Days, morning: datetime) -> bool:
    """
    Whether the last attempt failed, and that still matters.

    What concerns a whole account does until the account is answered; but a day that is due still
    lacks what could be tried again. What resolves itself matters on its morning only.
    """
    if row.error_kind in (None, ProblemKind.NOT_READY) or row.state is State.GIVEN_UP:
        return False
    kind, at, answered_at = ProblemKind(row.error_kind), row.attempted_at, account.answered_at
    is_whole = kind.is_of_account or kind is ProblemKind.ENDPOINT_OFFLINE
    is_over = is_whole and bool(at and answered_at and answered_at > at + _MOMENT)
    is_over |= kind.resolves_itself and bool(at and at < morning)
    return not is_over or (kind.is_retried and row.state in (State.OPEN, State.LATE))


def _of_attempt(row: Days) -> _Cause:
    """What the last attempt met."""
    kind = ProblemKind(row.error_kind or "")
    return _Cause(kind, row.error, row.cure, str(row.error_code or ""))


def _of_state(row: Days, morning: datetime) -> _Cause:
    """What is said of a day of which no failed attempt says why it is not in."""
    if row.error_kind == rules.NO_FIGURES_KIND:
        return _Cause(ProblemKind.NO_FIGURES, row.error, row.cure)
    if row.state is State.GIVEN_UP:  # its run was red
        return _Cause(ProblemKind.UNREADABLE, row.error, row.cure, severity=Severity.WARNING)
    if row.state is State.LOST:
        return _Cause(ProblemKind.DAYS_LOST)
    if _is_late(row, morning):
        return _Cause(ProblemKind.NOT_READY, row.error)
    is_back = row.error_code == rules.OFFLINE_ERRCODE  # its endpoint, and no run is red for that
    return _Cause(ProblemKind.NOT_ASKED, severity=Severity.WARNING if is_back else None)


def _is_late(row: Days, morning: datetime) -> bool:
    """Whether WeChat was asked this morning, and had not computed the figures."""
    at, is_answer = row.attempted_at, row.error_kind in (None, ProblemKind.NOT_READY)
    return is_answer and at is not None and at >= morning


def _attempted(row: Days) -> float:
    """When its last attempt was, as far as there was one."""
    return row.attempted_at.timestamp() if row.attempted_at else 0


def _met(
    account: AccountDays,
    cause: _Cause,
    days: Iterable[date] = (),
    newest: Days | None = None,
    *,
    has_figures: bool = False,
) -> Alert:
    """A trouble of the account, with some days, of which `newest` was attempted last."""
    kind, conn_id = cause.kind, account.conn_id
    appid: str | None = account.appid
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        appid, conn_id = None, connection_id(conn_id)
    subject = account.dataset.dag_id if kind is ProblemKind.DAYS_LOST else None
    who: dict[str, Any] = {"account": account.name, "appid": appid, "conn_id": conn_id}
    said: dict[str, Any] = {"code": cause.code, "subject": subject, "days": tuple(days)}
    problem = Problem.of_kind(kind, cause.text, cause.cure, **who, **said)
    return Alert(
        problem,
        account.dataset.name,
        cause.severity or default_severity(kind),
        frozenset([account.appid]),
        opened_at=newest.attempted_at if newest else None,
        has_figures=has_figures,
    )


# -------------------------------------------------------------------------------------- of Airflow


def _of_airflow(
    airflow: Airflow,
    accounts: Sequence[AccountDays],
    datasets: Sequence[Dataset],
    found: Sequence[Alert],
) -> Iterator[Alert]:
    """
    Yield what keeps Airflow from making runs, or tasks from starting.

    A DAG that a retired endpoint's cure names is told of there.
    """
    if not airflow.is_scheduler_alive:
        yield Alert(Problem.of_kind(ProblemKind.SCHEDULER_DOWN))
    collected = {it.dataset.name for it in accounts if not it.is_retired}
    named = {it.problem.subject for it in found if it.problem.kind is ProblemKind.ENDPOINT_OFFLINE}
    for dataset in datasets:
        dag = airflow.dags.get(dataset.name)
        is_idle = dag is None or dag.is_paused
        if is_idle and dataset.name in collected and dataset.dag_id not in named:
            yield _without_runs(airflow, dataset, dag)


def _without_runs(airflow: Airflow, dataset: Dataset, dag: DagState | None) -> Alert:
    """That a dataset gets no run: a decision, unless Airflow knows no DAG at all."""
    is_idle = airflow.is_idle(dataset.name)
    code = "" if not is_idle else "paused" if dag else "left_out"
    problem = Problem.of_kind(ProblemKind.NO_RUNS, code=code, subject=dataset.dag_id)
    return Alert(problem, dataset.name, Severity.NOTE if is_idle else Severity.FAILURE)


def nothing_collected(
    datasets: Sequence[Dataset], airflow: Airflow | None, now: datetime, *, has_days: bool
) -> Alert:
    """
    Return what to do first in an installation whose daily runs collect nothing yet.

    There is nothing to do while a run is at work, before the first daily run of today, and, if
    other runs have brought in days, before a first daily run of any later day.
    """
    if airflow and not airflow.dags:  # else what is wrong with their file is not seen
        return Alert(Problem.of_kind(ProblemKind.NO_RUNS))
    dags = airflow.dags if airflow else {}
    awake = [it for it in datasets if it.name in dags and not dags[it.name].is_paused]
    if airflow and any(map(airflow.at_work, awake)):
        return _first_run("at_work")
    due = [at for it in awake if (at := dags[it.name].next_run_at) and at > now]
    first_at = min(due, default=now).astimezone(clock.SHANGHAI)
    if due and first_at.date() == clock.beijing_date(now):
        return _first_run("today", f"{first_at:%H:%M}")
    if due and has_days:
        return _first_run("later", f"{first_at:%Y-%m-%d %H:%M}")
    code = "" if awake else "set_up"
    return Alert(Problem.of_kind(ProblemKind.NOTHING_COLLECTED, code=code))


def _first_run(code: str, due: str | None = None) -> Alert:
    """Return the note that the first daily run is still to come, or is at work."""
    problem = Problem.of_kind(ProblemKind.FIRST_RUN, code=code, subject=due)
    return Alert(problem, severity=Severity.NOTE)
