"""
What is wrong now: one trouble per act that would end it.

`judge` (pure) reads the coverage of accounts, the findings of tasks, and what Airflow knows. The
page, its `/health`, `weixin-etl status` and the messages all have its list.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.health.at_work import Airflow, Asleep, DagState, EndedRun, Progress
from weixin_etl.health.days import AccountDays
from weixin_etl.model import Coverage, State, connection_of
from weixin_etl.problem import Problem, ProblemKind, days_of
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
    """What one act would end, or lately did."""

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
    closed_at: datetime | None = None
    incident_id: int | None = None
    """Its number in `weixin.incident`, if people are told of it."""
    tried: Asleep | None = None
    """How far it is with the tries, of what is tried again."""

    @property
    def identity(self) -> str:
        """What makes it the same trouble at another time, whatever its cause is then."""
        return identity(self.problem)

    @property
    def is_broken(self) -> bool:
        """Whether all is not well because of it."""
        return self.severity in (Severity.FAILURE, Severity.RETRYING)

    @property
    def is_warning(self) -> bool:
        """Whether nothing is broken."""
        return not self.is_broken


def identity(problem: Problem) -> str:
    """
    What is told apart: the kind, where one act ends it for all accounts; else the account.

    What keeps a whole account from being asked is one, whatever its kind.
    """
    kind, whose = problem.kind, problem.appid or problem.subject or ""
    if kind is ProblemKind.CALL_REFUSED:
        return f"{kind} {problem.errcode}"
    if kind.is_common:
        return str(kind)
    is_whole = kind.is_of_account and not kind.is_warning
    return whose if is_whole else f"{kind} {whose}".strip()


Owner = tuple[str | None, str]
"""A dataset, and an account or a connection."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a task has found that coverage does not say: a row of `weixin.finding`."""

    dataset: str | None
    problem: Problem
    found_at: datetime

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
    """Those that are not final: since the account's first day all, before it those asked for."""
    last_day_in: date | None
    """The newest day with a ready answer."""
    ready_at: datetime | None
    """When its newest ready answer was fetched: the last success."""
    calls_today: int
    """Data calls of all runs."""
    rejected_days: tuple[date, ...] = ()
    """Days with parts of answers that do not fit."""
    rejected_reason: str = ""
    """Why the first of them does not."""
    at_work: tuple[Progress, ...] = ()
    """How far the runs are that are asking it."""
    is_succeeded: bool = False
    """Whether daily runs collect it by the endpoint's successor as well."""

    @cached_property
    def being_asked(self) -> frozenset[date]:
        """The days that runs at work have yet to bring in."""
        return frozenset(day for asking in self.at_work for day in asking.days_left)

    @cached_property
    def answered_at(self) -> datetime | None:
        """When WeChat last answered it, of the days that are known."""
        answered = [pair.ready_at for pair in self.days.pairs.values() if pair and pair.ready_at]
        return max([*answered, *([self.ready_at] if self.ready_at else [])], default=None)

    def problem(
        self, kind: ProblemKind, cause: str, cure: str | None = None, days: tuple[date, ...] = ()
    ) -> Problem:
        """A problem of the account; its cure is the kind's, unless another is given."""
        who = {"account": self.name, "appid": self.appid, "conn_id": self.conn_id}
        return Problem.of_kind(kind, cause, cure, **who, days=days)


@dataclass(frozen=True, slots=True)
class _Met:
    """What is wrong with a day, an account, or a run."""

    dataset: str | None
    problem: Problem
    severity: Severity | None = None
    """None: as its kind says."""
    at: datetime | None = None
    """When it was met."""
    has_figures: bool = False
    """Whether there are figures of its day, of an earlier morning."""
    appids: frozenset[str] = frozenset()
    dag_id: str = ""
    """The DAG that a person triggers with its day, as no daily run asks for it any more."""

    @property
    def how_bad(self) -> Severity:
        default = Severity.WARNING if self.problem.kind.is_warning else Severity.FAILURE
        return self.severity or default


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

    Days that nobody asked for follow from what keeps runs from asking, where that is known.
    `airflow` is None when it can't be asked.
    """
    known: dict[Owner, AccountFacts] = {(it.dataset.name, it.appid): it for it in accounts}
    left = [it for it in findings if not _is_answered(it, known)]
    met = [_of_finding(it) for it in left if not (it.problem.days and it.owner in known)]
    owned = _by_owner(left)
    for account in accounts:
        met += _of_account(account, _found_of(account, owned), now)
    found = _together(it for it in met if airflow is None or _is_wanted(it, airflow))
    if airflow:
        found = [*_tried(found, airflow), *_of_airflow(airflow, accounts, now, datasets)]
    stopped = {it.dataset for it in found if it.is_broken and _is_of_all(it.problem)}
    found = [
        it
        for it in found
        if it.problem.kind is not ProblemKind.NOT_ASKED
        or not ({it.dataset, None} & stopped)
        or _is_of_all(it.problem)
    ]
    return sorted(found, key=lambda it: ([*Severity].index(it.severity), _reach(it)))


def _is_wanted(met: _Met, airflow: Airflow) -> bool:
    """Not of a DAG that a person has paused, but for what a run by hand has met since."""
    if met.dataset is None or not airflow.is_idle(met.dataset):
        return True
    since = airflow.failed_by_hand_at(met.dataset)
    return since is not None and met.at is not None and met.at >= since


def _tried(found: Sequence[Trouble], airflow: Airflow) -> Iterator[Trouble]:
    """What is tried again with its tries, and tasks of which nothing else says that they are."""
    tried = {it.dataset: it for it in airflow.asleep if it.failed_tries}
    for trouble in found:
        one = tried.get(trouble.dataset or "")
        if trouble.severity is not Severity.RETRYING or one is None:
            yield trouble
        else:
            yield replace(trouble, tried=one, opened_at=one.since)
    shown = {it.dataset for it in found if it.severity is Severity.RETRYING}
    for dataset, one in tried.items():
        if dataset not in shown and one.problem:
            yield Trouble(one.problem, dataset, Severity.RETRYING, opened_at=one.since, tried=one)


def _is_answered(finding: Finding, known: Mapping[Owner, AccountFacts]) -> bool:
    """Whether an account of which no day is named has been answered since."""
    account = known.get(finding.owner)
    at = account.answered_at if account else None
    return not finding.problem.days and at is not None and at > finding.found_at


def _of_finding(finding: Finding) -> _Met:
    appid = finding.problem.appid
    ours = frozenset([appid]) if appid else frozenset()
    return _Met(finding.dataset, finding.problem, at=finding.found_at, appids=ours)


def _is_of_all(problem: Problem) -> bool:
    """Whether it keeps a run from asking for any account."""
    return not problem.account and problem.subject not in ("report", "check")


def _reach(found: Trouble) -> int:
    """How much it keeps from working: the lower, the more; the cause of others comes first."""
    problem = found.problem
    if problem.kind.is_of_warehouse:
        return 0
    if problem.kind.is_of_run:
        return 1 if found.dataset is None else 2  # the scheduler; a DAG
    if problem.appid is None:
        return 3  # WeChat, a task of every account, a connection, several accounts
    return 4 if problem.kind.is_of_account else 5


def _together(met: Iterable[_Met]) -> list[Trouble]:
    """One trouble for what one act would end, as the newest of it is told."""
    alike: dict[tuple[str | None, str], list[_Met]] = defaultdict(list)
    for one in met:
        alike[one.dataset, identity(one.problem)].append(one)
    return [_as_one(those) for those in alike.values()]


def _as_one(met: Sequence[_Met]) -> Trouble:
    worst = min((one.how_bad for one in met), key=[*Severity].index)
    newest = max(
        (one for one in met if one.how_bad is worst),
        key=lambda one: (one.at is not None and one.at.timestamp(), one.problem.days[-1:]),
    )
    names = list(dict.fromkeys(one.problem.account for one in met if one.problem.account))
    without = [one.problem for one in met if not one.has_figures]
    days = days_of(without) or days_of(one.problem for one in met)
    problem = replace(newest.problem, days=days)
    if len(names) > 1:
        problem = replace(
            problem, account=few_names(names, 1), appid=None, conn_id="", subject=None
        )
    if newest.dag_id:
        ask = f"trigger {newest.dag_id} with begin_date {days[0]} and end_date {days[-1]}"
        problem = replace(problem, cure=f"{problem.cure}; then {ask}" if problem.cure else ask)
    return Trouble(
        problem,
        newest.dataset,
        worst,
        frozenset().union(*(one.appids for one in met)),
        tuple(sorted(names)),
        min((one.at for one in met if one.at), default=None),
    )


# ------------------------------------------------------------------------------------- of accounts


def _by_owner(findings: Iterable[Finding]) -> Mapping[Owner, Sequence[Finding]]:
    owned: dict[Owner, list[Finding]] = defaultdict(list)
    for finding in findings:
        owned[finding.owner].append(finding)
    return owned


def _found_of(account: AccountFacts, owned: Mapping[Owner, Sequence[Finding]]) -> list[Finding]:
    """What is found of the account, or keeps its connection or platform from being asked."""
    dataset, platform = account.dataset.name, connection_of(account.conn_id)
    ours = dict.fromkeys([account.appid, account.conn_id])
    found = [it for owner in ours for it in owned.get((dataset, owner), ())]
    if platform not in ours:
        of_platform = owned.get((dataset, platform), ())
        found += [it for it in of_platform if it.problem.kind.is_of_connection]
    return found


def _of_account(account: AccountFacts, found: Sequence[Finding], now: datetime) -> Iterator[_Met]:
    """What is wrong with an account: with all of it, or with some days that are not in."""
    dataset, ours = account.dataset.name, frozenset([account.appid])
    if account.rejected_days:
        reason, days = account.rejected_reason, account.rejected_days
        problem = account.problem(ProblemKind.REJECTED, reason, days=days)
        yield _Met(dataset, problem, appids=ours)
    told = {day: finding for finding in found for day in finding.problem.days}
    for day, finding in sorted(told.items()):
        pair = account.days.pairs.get(day)
        problem, has_figures = replace(finding.problem, days=(day,)), bool(pair and pair.ready_at)
        yield _Met(dataset, problem, None, finding.found_at, has_figures, ours)
    if account.days.is_retired:
        yield replace(_retired(account, now), appids=ours)
    stops = [it for it in found if it.problem.kind.is_of_account and not it.problem.days]
    for day, pair in sorted(account.days.pairs.items()):
        if day in told or (account.days.is_retired and _is_offline(pair)):
            continue
        if met := _of_day(account, day, pair, now):
            yield replace(_as_told(met, stops), appids=ours)


def _as_told(met: _Met, stops: Sequence[Finding]) -> _Met:
    """Why a day is not as it should be: what keeps the whole account from being asked, if so."""
    if not stops or met.how_bad is Severity.WARNING:
        return met
    problem = replace(stops[-1].problem, days=met.problem.days)
    return replace(met, problem=problem, severity=None, at=stops[-1].found_at)


def _is_offline(pair: Coverage | None) -> bool:
    return pair is None or pair.error_code == OFFLINE


def _retired(account: AccountFacts, now: datetime) -> _Met:
    """Nothing is broken, if the endpoint's successor has the account."""
    pairs = [it for it in account.days.pairs.values() if it and it.error_code == OFFLINE]
    newest = max(pairs, key=lambda it: it.attempted_at or now)
    cause, cure = newest.error or "WeChat took this endpoint offline", newest.cure or ""
    problem = account.problem(ProblemKind.ENDPOINT_OFFLINE, cause, cure)
    severity = Severity.WARNING if account.is_succeeded else Severity.FAILURE
    return _Met(
        account.dataset.name,
        replace(problem, errcode=newest.error_code),
        severity,
        newest.attempted_at,
    )


_MOMENT = timedelta(minutes=1)
"""Answers of calls that were in flight when another was refused come within it."""
_NEEDS_SOMEBODY = {
    State.LATE: (
        ProblemKind.NOT_READY,
        "not in by noon (Beijing)",
        "the next daily run asks again",
    ),
    State.LOST: (ProblemKind.DAYS_LOST, "too old for daily runs", ""),
    State.GIVEN_UP: (
        ProblemKind.UNREADABLE,
        "the answer can't be read",
        "report it; `weixin-etl answers` prints the answer",
    ),
}
"""What is said of days that are not as they should be, if no attempt says why."""


def _of_day(account: AccountFacts, day: date, pair: Coverage | None, now: datetime) -> _Met | None:
    """Why a day is not as it should be, by its last attempt, else by what it is called."""
    state = account.days.state(day, now)
    failed = _failure(account, state, pair)
    is_asked = day in account.being_asked
    is_waiting = is_asked and bool(pair and pair.error_kind == ProblemKind.NOT_READY)
    if failed is None and (state not in _NEEDS_SOMEBODY or (is_asked and not is_waiting)):
        return None
    problem = failed or _unattempted(account, state, pair, now)
    return _Met(
        account.dataset.name,
        replace(problem, days=(day,)),
        _how_bad(problem, state, is_asked=is_asked, has_failed=failed is not None),
        pair.attempted_at if pair else None,
        has_figures=bool(pair and pair.ready_at),
        dag_id=account.dataset.dag_id if state is State.LOST else "",
    )


def _how_bad(
    problem: Problem, state: State, *, is_asked: bool, has_failed: bool
) -> Severity | None:
    """None: as its kind says."""
    if not has_failed and state in (State.LOST, State.GIVEN_UP):
        return Severity.WARNING
    is_mended = has_failed and problem.kind is ProblemKind.NOT_ASKED
    is_tried = is_asked and (problem.kind.is_retried or problem.kind is ProblemKind.NOT_READY)
    return Severity.RETRYING if is_mended or is_tried else None


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
    problem = account.problem(kind, pair.error or "the last attempt failed", pair.cure or "")
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        problem = replace(problem, appid=None, conn_id=connection_of(account.conn_id))
    if is_over and not kind.is_retried:
        cause = "not asked again since what stopped it is over"
        return account.problem(ProblemKind.NOT_ASKED, cause, "the next daily run asks again")
    return replace(problem, errcode=pair.error_code)


def _unattempted(
    account: AccountFacts, state: State, pair: Coverage | None, now: datetime
) -> Problem:
    """What is said of a day of which no failed attempt says why it is not in."""
    attempted_at = pair.attempted_at if pair else None
    is_asked = attempted_at and clock.beijing_date(attempted_at) >= due_morning(now)
    if state is State.LATE and not is_asked:
        cause, cure = "no run has asked for it", "the next daily run asks for it"
        return account.problem(ProblemKind.NOT_ASKED, cause, cure)
    kind, cause, cure = _NEEDS_SOMEBODY[state]
    if kind is ProblemKind.NOT_READY and pair and pair.error:
        cause = pair.error
    return account.problem(kind, cause, cure)


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
        if dag and dag.last and dag.last.is_red and not dag.last.is_judged:
            yield _ended_early(dataset, dag.last)
        if dataset.name in collected:
            if airflow.is_idle(dataset.name):
                idle = Problem.of_kind(ProblemKind.NO_RUNS, code="paused" if dag else "left_out")
                yield Trouble(idle, dataset.name, Severity.NOTE)
            elif problem := _why_no_run(dag, now):
                due_at = dag.next_run_at if dag else None
                yield Trouble(problem, dataset.name, opened_at=due_at)


def _ended_early(dataset: Dataset, run: EndedRun) -> Trouble:
    """A run of which no `check` has said what is missing: it was killed, or a person ended it."""
    cause = f"the run {run.run_id} failed before its check could say what is missing"
    problem = Problem.of_kind(ProblemKind.RUN_ENDED, cause, subject=run.run_id)
    return Trouble(problem, dataset.name, opened_at=run.ended_at)


def _why_no_run(dag: DagState | None, now: datetime) -> Problem | None:
    """Why a dataset gets no run."""
    if dag is None:
        return Problem.of_kind(ProblemKind.NO_RUNS)
    if dag.next_run_at and now - dag.next_run_at > OVERDUE:
        cause = f"the run of {clock.beijing_text(dag.next_run_at)} was not made"
        return Problem.of_kind(ProblemKind.RUN_MISSING, cause)
    return None


def nothing_collected(
    datasets: Sequence[Dataset], airflow: Airflow | None, now: datetime
) -> Trouble:
    """What to do first in an installation whose daily runs collect nothing yet."""
    dags = airflow.dags if airflow else {}
    awake = [it for it in datasets if it.name in dags and not dags[it.name].is_paused]
    due = [at for it in awake if (at := dags[it.name].next_run_at) and at > now]
    if due and clock.beijing_date(min(due)) == clock.beijing_date(now):
        first_at = clock.beijing_text(min(due), pattern="%H:%M")
        cause = f"the first daily run is today at {first_at}"
        problem = Problem.of_kind(ProblemKind.FIRST_RUN, cause)
        return Trouble(problem, severity=Severity.NOTE)
    if airflow and any(map(airflow.at_work, awake)):
        return Trouble(Problem.of_kind(ProblemKind.FIRST_RUN, "a run is at work"))
    code = "" if awake else "set_up"
    return Trouble(Problem.of_kind(ProblemKind.NOTHING_COLLECTED, code=code))
