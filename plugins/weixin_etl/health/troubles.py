"""
What is wrong now: one trouble per act that would end it.

`judge` (pure) reads the days of accounts, the findings of tasks, and what Airflow knows. The page,
its `/health`, `weixin-etl status` and the messages all have its list.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import Row, RowMapping

from weixin_etl import clock, rules
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.model import Coverage, State, connection_of
from weixin_etl.problem import Problem, ProblemKind, days_of, filled
from weixin_etl.warehouse.statements import coverage_of

CATCH_UP_DAYS = 60
"""What holds for an account that no daily run has planned; analytics.coverage has it too."""
LACKING = (State.LATE, State.LOST, State.GIVEN_UP)
"""The states of days that are not as they should be."""


@dataclass(frozen=True)
class AccountDays:
    """What the warehouse has of an account in a dataset: days, and what they are judged by."""

    dataset: Dataset
    appid: str
    name: str
    since_date: date | None
    """The first day that daily runs are to bring in; None where none has planned the account."""
    catch_up_days: int | None
    heard_at: datetime | None
    """As `rules.heard_at` has it; None as well where no day's state depends on it."""
    pairs: Mapping[date, Coverage | None] = field(default_factory=dict)
    """Those that were looked up; None for a day that nobody has asked for."""
    conn_id: str = ""
    ready_at: datetime | None = None
    """When the answer of the newest day that is in was fetched."""
    rejected_days: Sequence[date] | None = None
    """Days with parts of answers that do not fit, and why the first of them does not."""
    rejected_reason: str | None = None
    being_asked: Collection[date] = ()
    """The days that runs at work have yet to bring in."""
    is_succeeded: bool = False
    """Whether daily runs collect it by the endpoint's successor as well."""

    @classmethod
    def of(cls, dataset: Dataset, row: RowMapping) -> "AccountDays":
        """An account without its days."""
        known = {name: row[name] for name in row.keys() & _FIELDS}
        return cls(**{**known, "dataset": dataset})

    @cached_property
    def answered_at(self) -> datetime | None:
        """When WeChat last answered it, of the days that are known."""
        pairs = [*self.pairs.values(), self]
        return max((it.ready_at for it in pairs if it and it.ready_at), default=None)

    @cached_property
    def is_retired(self) -> bool:
        """Whether WeChat has taken the endpoint offline for it."""
        return rules.is_retired({day: pair for day, pair in self.pairs.items() if pair})

    def reach(self, today: date) -> date:
        """The first day that a daily run of today asks for."""
        days = CATCH_UP_DAYS if self.catch_up_days is None else self.catch_up_days
        return rules.reach(self.dataset, today, self.since_date, days)

    def state(self, day: date, now: datetime) -> State:
        """What the day is called."""
        return rules.state(
            self.dataset,
            day,
            self.pairs.get(day) or Coverage(),
            reach=self.reach(clock.beijing_date(now)),
            heard=self.heard_at,
            now=now,
        )


_FIELDS = {it.name for it in fields(AccountDays)}


def with_days(accounts: Iterable[AccountDays], rows: Iterable[Row[Any]]) -> list[AccountDays]:
    """The accounts, with what rows of `weixin.coverage` say of their days."""
    found: dict[str, dict[date, Coverage | None]] = defaultdict(dict)
    for row in rows:
        pair = coverage_of(row[2:])
        found[row.appid][row.day] = pair if pair.attempted_at else None
    return [replace(it, pairs=found[it.appid]) for it in accounts]


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


def usual(kind: ProblemKind) -> Severity:
    """How bad a problem of the kind is."""
    return Severity.WARNING if kind.is_warning else Severity.FAILURE


Owner = tuple[str | None, str]
"""A dataset, and an account or a connection."""


@dataclass(frozen=True, slots=True)
class Trouble:
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
    opened_at: datetime | None = None
    """Since when: by what people were told, else when it was first met."""
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
    def of(cls, row: RowMapping) -> "Trouble":
        """The one of a row of `weixin.finding` or `weixin.incident`."""
        ours = [row["appid"]] if row["appid"] else []
        severity = usual(ProblemKind(row["kind"]))
        return convert({"severity": severity, "appids": ours, **row, "problem": dict(row)}, cls)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.dataset, self.problem.appid or self.problem.conn_id

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
            return f"{kind} {problem.code}"
        if kind.is_common:
            return str(kind)
        is_whole = kind.is_of_account and not kind.is_warning
        return whose if is_whole else f"{kind} {whose}".strip()

    @property
    def is_broken(self) -> bool:
        """Whether all is not well because of it."""
        return self.severity in (Severity.FAILURE, Severity.RETRYING)

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
    tried: Sequence[Trouble] = ()
    """Tasks of theirs that a try of has failed."""
    waits: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When runs, by dataset and id, ask again for what WeChat has not computed yet."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """The runs that ask WeChat: none while no scheduler starts their tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def is_idle(self, dataset: str | None) -> bool:
        """Whether a person has paused its DAG, or left it out of the DAG file."""
        dag = self.dags.get(dataset or "")
        return dag.is_paused if dag else bool(dataset and self.dags)


# ------------------------------------------------------------------------------------------- judge


def judge(
    accounts: Sequence[AccountDays],
    findings: Sequence[Trouble],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
) -> list[Trouble]:
    """
    What is wrong now: the worst first, then what concerns more than one account.

    Nothing of a DAG that a person has paused. Days that nobody asked for follow from what keeps
    runs from asking, where that is known. `airflow` is None when it can't be asked.
    """
    known: dict[Owner, AccountDays] = {(it.dataset.name, it.appid): it for it in accounts}
    owned: dict[Owner, list[Trouble]] = defaultdict(list)
    for finding in findings:
        if not _is_answered(finding, known.get(finding.owner)):
            owned[finding.owner].append(finding)
    left = [it for those in owned.values() for it in those]
    met = [it for it in left if not (it.problem.days and it.owner in known)]
    for account in accounts:
        met += _of_account(account, _found_of(account, owned), now)
    found = _together(met)
    if airflow:
        found = [it for it in found if not airflow.is_idle(it.dataset)]
        found = [*_tried(found, airflow), *_of_airflow(airflow, accounts, datasets)]
    stopped = {it.dataset for it in found if it.is_broken and _is_of_all(it.problem)}
    own = [it for it in found if not _follows(it, stopped)]
    return sorted(own, key=lambda it: ([*Severity].index(it.severity), bool(it.problem.appid)))


def _is_answered(finding: Trouble, account: AccountDays | None) -> bool:
    """Whether an account of which no day is named has been answered since."""
    at, found_at = account and account.answered_at, finding.opened_at
    return not finding.problem.days and bool(at and found_at and at > found_at)


def _follows(trouble: Trouble, stopped: Collection[str | None]) -> bool:
    """Whether an account was not asked because something keeps all from being asked."""
    is_unasked = trouble.problem.kind is ProblemKind.NOT_ASKED and not _is_of_all(trouble.problem)
    return is_unasked and bool({trouble.dataset, None} & {*stopped})


def _is_of_all(problem: Problem) -> bool:
    """Whether it keeps a run from asking for any account."""
    return not problem.account and problem.subject not in ("report", "check")


def _tried(found: Sequence[Trouble], airflow: Airflow) -> Iterator[Trouble]:
    """What is tried again with its tries, and tasks of which nothing else says that they are."""
    tried = {it.dataset: it for it in airflow.tried}
    retrying = {it.dataset for it in found if it.severity is Severity.RETRYING}
    for trouble in found:
        if trouble.severity is Severity.RETRYING and (task := tried.get(trouble.dataset)):
            tries = {name: getattr(task, name) for name in ("failed_tries", "tries", "next_at")}
            yield replace(trouble, **tries)
        else:
            yield trouble
    yield from (task for dataset, task in tried.items() if dataset not in retrying)


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
    names = sorted({one.problem.account for one in met if one.problem.account})
    days = days_of(one.problem for one in met if not one.has_figures)
    problem = replace(newest.problem, days=days or days_of(one.problem for one in met))
    if problem.kind is ProblemKind.DAYS_LOST:
        run = f"{problem.subject} (begin_date {problem.days[0]}, end_date {problem.days[-1]})"
        problem = replace(problem, subject=run, cure=filled(problem.row.cure, "", "", run))
    if len({one.owner for one in met}) > 1 and len(names) > 1:
        account = f"{names[0]} +{len(names) - 1}"
        problem = replace(problem, account=account, appid=None, conn_id="", subject=None)
    return Trouble(
        problem,
        newest.dataset,
        worst,
        frozenset().union(*(one.appids for one in met)),
        tuple(names),
        min((one.opened_at for one in met if one.opened_at), default=None),
        run_id=newest.run_id,
    )


# ------------------------------------------------------------------------------------- of accounts


def _found_of(account: AccountDays, owned: Mapping[Owner, Sequence[Trouble]]) -> list[Trouble]:
    """What is found of the account, or keeps its connection or platform from being asked."""
    dataset, platform = account.dataset.name, connection_of(account.conn_id)
    owners = dict.fromkeys([account.appid, account.conn_id, platform])
    return [
        it
        for owner in owners
        for it in owned.get((dataset, owner), ())
        if owner in (account.appid, account.conn_id) or it.problem.kind.is_of_connection
    ]


def _of_account(account: AccountDays, found: Sequence[Trouble], now: datetime) -> Iterator[Trouble]:
    """What is wrong with an account: with all of it, or with some days that are not in."""
    ours = frozenset([account.appid])
    told = {day: it for it in found for day in it.problem.days}
    stops = [it for it in found if it.problem.kind.is_of_account and not it.problem.days]
    for whole in _of_facts(account):
        yield replace(whole, appids=ours)
    for day, pair in sorted({**dict.fromkeys(told), **account.pairs}.items()):
        met = told.get(day) or _of_day(account, day, pair or Coverage(), now)
        if met is None:
            continue
        if stops and day not in told and met.is_broken:  # that is why the day was not asked for
            met = stops[-1]
        has_figures = bool(pair and pair.ready_at)
        problem = replace(met.problem, days=(day,))
        yield replace(met, problem=problem, has_figures=has_figures, appids=ours)


def _of_facts(account: AccountDays) -> Iterator[Trouble]:
    """
    What is wrong whatever the day: a value that does not fit, an endpoint that is retired.

    Nothing is broken by the latter, if the endpoint's successor has the account.
    """
    if account.rejected_days:
        days = tuple(account.rejected_days)
        yield _met(account, ProblemKind.REJECTED, account.rejected_reason, days=days)
    if account.is_retired:
        pairs = [it for it in account.pairs.values() if it and it.error_code == rules.OFFLINE]
        newest = max(pairs, key=lambda it: it.attempted_at.timestamp() if it.attempted_at else 0)
        retired = _of_attempt(account, newest)
        is_known = account.is_succeeded
        yield replace(retired, severity=Severity.WARNING) if is_known else retired


def _of_day(account: AccountDays, day: date, pair: Coverage, now: datetime) -> Trouble | None:
    """Why a day is not as it should be, by its last attempt, else by what it is called."""
    state, is_asked = account.state(day, now), day in account.being_asked
    if account.is_retired and pair.error_code in (None, rules.OFFLINE):
        return None
    is_late = pair.error_kind == ProblemKind.NOT_READY
    if _is_refused(account, pair, state):
        met = _of_attempt(account, pair)
    elif state in LACKING and (is_late or not is_asked):
        met = _of_state(account, state, pair, now)
    else:
        return None
    kind = met.problem.kind
    is_tried = is_asked and (kind.is_retried or kind is ProblemKind.NOT_READY)
    return replace(met, severity=Severity.RETRYING) if is_tried else met


_MOMENT = timedelta(minutes=1)
"""Answers of calls that were in flight when another was refused come within it."""


def _is_refused(account: AccountDays, pair: Coverage, state: State) -> bool:
    """
    Whether the last attempt failed, and that still matters.

    What concerns a whole account does until the account is answered; but a day that is due still
    lacks what could be tried again.
    """
    is_settled = state in (State.FINAL, State.GIVEN_UP)
    if pair.error_kind in (None, ProblemKind.NOT_READY) or is_settled:
        return False
    kind, at, answered_at = ProblemKind(pair.error_kind), pair.attempted_at, account.answered_at
    is_whole = kind.is_of_account or kind is ProblemKind.ENDPOINT_OFFLINE
    is_over = is_whole and bool(at and answered_at and answered_at > at + _MOMENT)
    return not is_over or (kind.is_retried and state in (State.OPEN, State.LATE))


def _of_attempt(account: AccountDays, pair: Coverage) -> Trouble:
    """What the last attempt met."""
    kind, cure = ProblemKind(pair.error_kind or ""), pair.cure or ""
    met = _met(account, kind, pair.error, cure, code=str(pair.error_code or ""))
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        conn_id = connection_of(account.conn_id)
        met = replace(met, problem=replace(met.problem, appid=None, conn_id=conn_id))
    return replace(met, opened_at=pair.attempted_at)


def _of_state(account: AccountDays, state: State, pair: Coverage, now: datetime) -> Trouble:
    """What is said of a day of which no failed attempt says why it is not in."""
    if state is State.GIVEN_UP:
        unread = _met(account, ProblemKind.UNREADABLE, pair.error, pair.cure)
        met = replace(unread, severity=Severity.WARNING)  # its run was red
    elif state is State.LOST:
        met = _met(account, ProblemKind.DAYS_LOST, subject=account.dataset.dag_id)
    elif _is_late(pair, now):
        met = _met(account, ProblemKind.NOT_READY, pair.error)
    else:
        met = _met(account, ProblemKind.NOT_ASKED)
        if pair.error_code == rules.OFFLINE:  # its endpoint is back, and no run is red for that
            met = replace(met, severity=Severity.WARNING)
    return replace(met, opened_at=pair.attempted_at)


def _is_late(pair: Coverage, now: datetime) -> bool:
    """Whether WeChat was asked this morning, and had not computed the figures."""
    at, is_answer = pair.attempted_at, pair.error_kind in (None, ProblemKind.NOT_READY)
    return is_answer and at is not None and clock.beijing_date(at) >= rules.due_morning(now)


def _met(
    account: AccountDays,
    kind: ProblemKind,
    cause: str | None = None,
    cure: str | None = None,
    **more: Any,
) -> Trouble:
    """A trouble of the account; its cause and cure are the kind's, unless others are given."""
    who = {"account": account.name, "appid": account.appid, "conn_id": account.conn_id}
    problem = Problem.of_kind(kind, cause, cure, **who, **more)
    return Trouble(problem, account.dataset.name, usual(kind))


# -------------------------------------------------------------------------------------- of Airflow


def _of_airflow(
    airflow: Airflow, accounts: Sequence[AccountDays], datasets: Sequence[Dataset]
) -> Iterator[Trouble]:
    """What keeps Airflow from making runs, or tasks from starting."""
    if not airflow.is_scheduler_alive:
        yield Trouble(Problem.of_kind(ProblemKind.SCHEDULER_DOWN))
    collected = {it.dataset.name for it in accounts if not it.is_retired}
    for dataset in datasets:
        dag = airflow.dags.get(dataset.name)
        if dataset.name in collected and (dag is None or dag.is_paused):
            yield _without_runs(airflow, dataset, dag)


def _without_runs(airflow: Airflow, dataset: Dataset, dag: DagState | None) -> Trouble:
    """That a dataset gets no run: a decision, unless Airflow knows no DAG at all."""
    is_idle = airflow.is_idle(dataset.name)
    code = "" if not is_idle else "paused" if dag else "left_out"
    problem = Problem.of_kind(ProblemKind.NO_RUNS, code=code, subject=dataset.dag_id)
    return Trouble(problem, dataset.name, Severity.NOTE if is_idle else Severity.FAILURE)


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
