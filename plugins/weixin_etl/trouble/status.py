"""
How the warehouse stands now: what is wrong, and how fresh each account is.

`read` reads the facts, `assess` (pure) says what they mean; shown by the page, its `/health` and
`weixin-etl status`. A connection that can only read is enough. What only Airflow knows is
handed in.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Coverage, State, connection_of
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import OFFLINE
from weixin_etl.text import counted
from weixin_etl.trouble.at_work import (
    Airflow,
    DagState,
    Progress,
    RunAtWork,
    progress,
    runs_at_work,
)
from weixin_etl.trouble.days import AccountDays, pairs_by_account
from weixin_etl.trouble.incidents import FINDINGS, is_warning
from weixin_etl.trouble.messages import STALE
from weixin_etl.warehouse import statement

RECENTLY = timedelta(days=7)
"""So long an incident that is over is still listed."""
MOST_INCIDENTS = 2000
OVERDUE = timedelta(minutes=30)
"""So long after its time a run that does not exist is missing."""
UNTOLD = timedelta(hours=1)
"""So long after its time a message that nobody got is missing."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ListedProblem:
    """A problem that is there, or was lately: an incident, or what `assess` found besides."""

    problem: Problem
    incident_id: int | None = None
    """Its number in `weixin.incident`; None if it is no incident."""
    dataset: str | None = None
    """None when it concerns every dataset."""
    is_warning: bool = False
    run_id: str | None = None
    """The run that met it last."""
    opened_at: datetime | None = None
    """Since when; None when that is not known."""
    seen_at: datetime | None = None
    closed_at: datetime | None = None
    untold_since: datetime | None = None
    """Since when a message about it is due that nobody got; None when there is none."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the warehouse has of an account in a dataset."""

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
    at_work: tuple[Progress, ...] = ()
    """How far the runs are that are asking it."""

    @property
    def being_asked(self) -> frozenset[date]:
        """The days that runs at work have yet to bring in."""
        return frozenset(day for asking in self.at_work for day in asking.days_left)


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How an account stands in a dataset that daily runs collect."""

    facts: AccountFacts
    days: Mapping[State, tuple[date, ...]]
    """The days that are not final, oldest first."""
    days_not_in: tuple[date, ...]
    """
    The days that need somebody, oldest first: not while a run at work asks for them, nor what a
    retired endpoint no longer gives.
    """
    next_try_at: datetime | None
    """The next scheduled run."""
    open_incidents: int

    @property
    def is_retired(self) -> bool:
        """Whether WeChat has taken the endpoint offline for it."""
        return self.facts.days.is_retired

    @property
    def is_healthy(self) -> bool:
        """Whether its figures are as fresh as they can be."""
        return not self.days_not_in and not self.open_incidents


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong now, what was lately, and how each account stands."""

    checked_at: datetime
    open: tuple[ListedProblem, ...]
    closed: tuple[ListedProblem, ...] = ()
    """Incidents that ended lately, newest first."""
    accounts: tuple[AccountStatus, ...] = ()
    runs: tuple[RunAtWork, ...] = ()
    """Runs that are asking WeChat."""
    is_read: bool = True
    """Whether the warehouse could be read: if not, nothing is known of accounts and the past."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return all(listed.is_warning for listed in self.open)


# ------------------------------------------------------------------------------------------ read


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """
    How the warehouse stands; see `assess`.

    Two statements and two per dataset.
    """
    today = clock.beijing_date(now)
    rows = connection.execute(statement("status/accounts.sql"), {"today": today})
    accounts = rows.mappings().all()
    collected = frozenset((row["dataset"], row["appid"]) for row in accounts)
    facts: list[AccountFacts] = []
    runs: list[RunAtWork] = []
    for dataset in datasets:
        at_work = progress(connection, dataset, airflow)
        runs += runs_at_work(dataset, at_work)
        of_dataset = [row for row in accounts if row["dataset"] == dataset.name]
        facts += _facts(connection, dataset, of_dataset, at_work, today)
    incidents = connection.execute(
        statement("status/incidents.sql"),
        {
            "datasets": [dataset.name for dataset in datasets],
            "closed_since": now - RECENTLY,
            "stale_since": now - STALE,
            "told_though_over": FINDINGS,
            "most": MOST_INCIDENTS,
        },
    )
    listed = [_incident(row, collected) for row in incidents.mappings()]
    return replace(assess(facts, listed, airflow, now=now, datasets=datasets), runs=tuple(runs))


def _incident(
    row: RowMapping, collected: Collection[tuple[str | None, str | None]]
) -> ListedProblem:
    listed = convert({**row, "problem": dict(row)}, ListedProblem)
    return replace(listed, is_warning=is_warning(row["dataset"], listed.problem, collected))


def _facts(
    connection: Connection,
    dataset: Dataset,
    accounts: Sequence[RowMapping],
    at_work: Iterable[Progress],
    today: date,
) -> Iterator[AccountFacts]:
    """What the warehouse has of the dataset's accounts, in their order."""
    known = {
        row["appid"]: AccountDays(
            dataset, row["since_date"], row["catch_up_days"], row["heard_at"], pairs={}
        )
        for row in accounts
    }
    wanted = {
        "dataset": dataset.name,
        "appids": [*known],
        "since_dates": [row["since_date"] for row in accounts],
        "first_dates": [days.reach(today) for days in known.values()],
        "last_date": today - _DAY,
    }
    rows = connection.execute(statement("status/days.sql"), wanted)
    pairs = pairs_by_account(rows.mappings())
    asking: dict[str, list[Progress]] = defaultdict(list)
    for progress_of_run in at_work:
        asking[progress_of_run.appid].append(progress_of_run)
    for row in accounts:
        appid = row["appid"]
        yield AccountFacts(
            dataset=dataset,
            appid=appid,
            name=row["name"],
            conn_id=row["conn_id"],
            days=replace(known[appid], pairs=pairs[appid]),
            last_day_in=row["last_day_in"],
            ready_at=row["ready_at"],
            calls_today=row["calls_today"],
            at_work=tuple(asking[appid]),
        )


# ---------------------------------------------------------------------------------------- assess


def assess(
    facts: Sequence[AccountFacts],
    incidents: Sequence[ListedProblem],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """
    What is wrong now, what keeps the most from working first, and how each account stands.

    Open are the incidents of the warehouse; what Airflow says of the DAGs and the
    scheduler; messages that nobody got; days that need somebody and no incident is about; and that
    no account is collected, if nothing else says why. `airflow` is None when it can't be asked.
    """
    over = tuple(incident for incident in incidents if incident.closed_at)
    known = [incident for incident in incidents if not incident.closed_at]
    accounts = [_account(account, known, airflow, now) for account in facts]
    found = [
        *known,
        *(_of_airflow(airflow, accounts, now, datasets) if airflow else ()),
        *(_untold(incidents, airflow.alerts, now) if airflow and airflow.alerts else ()),
        *_days_without_incident(accounts, known, over, now),
    ]
    if not facts and all(listed.is_warning for listed in found):
        found.append(_nothing_collected(datasets, airflow))
    worst_first = sorted(found, key=lambda listed: (listed.is_warning, _reach(listed)))
    return Status(now, tuple(worst_first), over, tuple(accounts))


def _reach(listed: ListedProblem) -> int:
    """How much it keeps from working: the lower, the more; the cause of others comes first."""
    problem = listed.problem
    if problem.kind in (ProblemKind.WAREHOUSE, ProblemKind.WAREHOUSE_SETUP):
        return 0
    if problem.kind is ProblemKind.RUN_LATE:
        return 1 if listed.dataset is None else 2  # the scheduler; a DAG
    if problem.appid is None and (not problem.account or problem.conn_id):
        return 4  # WeChat, a task of every account, a platform
    return 5 if problem.kind.is_of_account else 6


def alike(listed: Iterable[ListedProblem]) -> list[list[ListedProblem]]:
    """
    What many accounts have in common is one problem: lists of those, in their order.

    That is, with the same cure, but for what names the account in it, and how many of its days are
    in. What concerns all accounts stands alone.
    """
    found: dict[tuple[object, ...], list[ListedProblem]] = defaultdict(list)
    for one in listed:
        problem = one.problem
        said = _DAYS_IN.sub("\0", problem.cure or problem.cause)
        for name in filter(None, (problem.conn_id, problem.appid, problem.account)):
            said = said.replace(name, "\0")
        common = (one.dataset, problem.kind, problem.errcode, said, one.is_warning, one.closed_at)
        found[common if problem.account else (id(one),)].append(one)
    return list(found.values())


_DAYS_IN = re.compile(r"(?<!\d)\d+ of \d+(?= days)")


def _nothing_collected(datasets: Sequence[Dataset], airflow: Airflow | None) -> ListedProblem:
    """What to do first in an installation whose daily runs collect nothing yet."""
    dags = airflow.dags if airflow else {}
    awake = [
        dataset for dataset in datasets if dataset.name in dags and not dags[dataset.name].is_paused
    ]
    if airflow and any(map(airflow.at_work, awake)):
        cure = "wait for the run that is at work: its plan brings the accounts"
    elif awake:
        cure = (
            f"trigger {awake[0].dag_id}, or wait for its next daily run (a run of an earlier "
            "morning does not count); if one has run, none of the accounts in weixin_accounts "
            "may be asked any more"
        )
    else:
        first = [dataset.dag_id for dataset in datasets if not dataset.is_optional]
        cure = (
            "create a connection for an account (weixin_default, or those that the Variable "
            f"weixin_accounts names), then unpause {' or '.join(first or ['a DAG'])}"
        )
    return ListedProblem(Problem(ProblemKind.NOT_ASKED, "daily runs collect no account", cure))


def _untold(incidents: Sequence[ListedProblem], alerts: str, now: datetime) -> list[ListedProblem]:
    """One problem for all messages that should have arrived."""
    due = [incident.untold_since for incident in incidents]
    late = [at for at in due if at and now - at > UNTOLD]
    if not late:
        return []
    cause = f"{counted(len(late), 'message')} about incidents could not be delivered"
    cure = (
        f"correct the connection {alerts}: a warning in the log of the last run's check says what "
        "is wrong; the next run delivers them"
    )
    problem = Problem(ProblemKind.CONFIGURATION, cause, cure, to_change=alerts)
    return [ListedProblem(problem, opened_at=min(late))]


def _of_airflow(
    airflow: Airflow,
    accounts: Sequence[AccountStatus],
    now: datetime,
    datasets: Sequence[Dataset],
) -> Iterator[ListedProblem]:
    """What keeps Airflow from making runs, or tasks from starting."""
    if not airflow.is_scheduler_alive:
        cause, cure = (
            "Airflow's scheduler is not responding",
            "start the scheduler; until then no run is created",
        )
        yield ListedProblem(Problem(ProblemKind.RUN_LATE, cause, cure))
    for dataset in datasets:
        if any(one.facts.dataset == dataset and not one.is_retired for one in accounts):
            dag = airflow.dags.get(dataset.name)
            if why := _why_no_run(dataset, dag, now):
                yield ListedProblem(
                    Problem(ProblemKind.RUN_LATE, *why),
                    dataset=dataset.name,
                    opened_at=dag.next_run_at if dag and not dag.is_paused else None,
                )


def _why_no_run(dataset: Dataset, dag: DagState | None, now: datetime) -> tuple[str, str] | None:
    """Why the dataset gets no run, and what to change."""
    if dag is None:
        cure = "see the DAG import errors on Airflow's start page; until then no run is created"
        return f"Airflow does not know {dataset.dag_id}", cure
    if dag.is_paused:
        return "the DAG is paused", f"unpause {dataset.dag_id}; until then no run is created"
    if dag.next_run_at and now - dag.next_run_at > OVERDUE:
        cure = "check that the scheduler runs and that fewer than three runs of the DAG are active"
        return f"the run of {clock.beijing_text(dag.next_run_at)} was not made", cure
    return None


def _account(
    facts: AccountFacts, known: Sequence[ListedProblem], airflow: Airflow | None, now: datetime
) -> AccountStatus:
    days: dict[State, list[date]] = defaultdict(list)
    for day in sorted(facts.days.pairs):
        days[facts.days.state(day, now)].append(day)
    days.pop(State.FINAL, None)
    lacking = sorted(day for state in _NEEDS_SOMEBODY for day in days.get(state, ()))
    dag = airflow.dags.get(facts.dataset.name) if airflow else None
    return AccountStatus(
        facts,
        days={state: tuple(those) for state, those in days.items()},
        days_not_in=tuple(
            day for day in lacking if day not in facts.being_asked and not _is_retired(facts, day)
        ),
        next_try_at=dag.next_run_at if dag and not dag.is_paused else None,
        open_incidents=sum(
            not listed.is_warning
            and listed.dataset == facts.dataset.name
            and _is_of(listed.problem, facts)
            for listed in known
        ),
    )


def _is_retired(facts: AccountFacts, day: date) -> bool:
    """Whether the day is not in because the endpoint is retired."""
    pair = facts.days.pairs[day]
    return facts.days.is_retired and (pair is None or pair.error_code == OFFLINE)


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
"""What is said of days that are not as they should be, if the last attempt said nothing."""
_NEVER_ASKED = (
    ProblemKind.NOT_ASKED,
    "no run has asked for it",
    "the next daily run asks for it",
)


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A day that needs somebody, and that no incident is about."""

    facts: AccountFacts
    day: date
    state: State
    pair: Coverage | None

    @property
    def common(self) -> tuple[object, ...]:
        """What days have in common that are told as one."""
        pair = self.pair
        why = (pair.error_kind, pair.error_code, bool(pair.error)) if pair else None
        return self.facts.dataset.name, self.state, why


def _days_without_incident(
    accounts: Sequence[AccountStatus],
    known: Sequence[ListedProblem],
    over: Sequence[ListedProblem],
    now: datetime,
) -> list[ListedProblem]:
    """A problem per dataset, state and cause, for the days that no open incident is about."""
    broken = [
        listed
        for listed in known
        if not listed.is_warning or listed.problem.kind is ProblemKind.WITHDRAWN
    ]
    found: dict[tuple[object, ...], list[_Lacking]] = defaultdict(list)
    for account in accounts:
        facts = account.facts
        ours = [one.problem for one in broken if one.dataset == facts.dataset.name]
        for day in account.days_not_in:
            if not any(_is_why(problem, facts, day) for problem in ours):
                lacking = _lacking(facts, day, over, now)
                found[lacking.common].append(lacking)
    return [_of_days(days) for days in found.values()]


def _lacking(
    facts: AccountFacts, day: date, over: Sequence[ListedProblem], now: datetime
) -> _Lacking:
    """The day; nobody is told to mend what is over."""
    state, pair = facts.days.state(day, now), facts.days.pairs[day]
    if pair and any(_is_over(closed, facts, pair) for closed in over):
        cure = "the next daily run asks again" if state is State.LATE else ""
        pair = replace(pair, error_code=None, error=None, cure=cure)
    return _Lacking(facts, day, state, pair)


def _is_over(closed: ListedProblem, facts: AccountFacts, last: Coverage) -> bool:
    """Whether what the last attempt met is over, as the account has been answered since."""
    at, problem = closed.closed_at, closed.problem
    return (
        closed.dataset == facts.dataset.name
        and problem.kind == last.error_kind
        and _is_of(problem, facts)
        and bool(at and last.attempted_at and last.attempted_at < at)
    )


def _is_why(problem: Problem, facts: AccountFacts, day: date) -> bool:
    """
    Whether a problem is why the account's day is not in.

    One with the account is why for every day. One of the whole run is why for the days it names, of
    every account; for all when it names none, if it kept the run from asking.
    """
    if _is_of(problem, facts):
        return day in problem.days or problem.kind.is_of_account
    if problem.appid or problem.account:
        return False
    return day in problem.days or (not problem.days and problem.subject not in _AFTER_ASKING)


def _is_of(problem: Problem, facts: AccountFacts) -> bool:
    """Whether it is the account's, or keeps its connection or platform from being asked."""
    if problem.appid:
        return problem.appid == facts.appid
    ours = {facts.conn_id}
    if problem.kind.is_of_connection:
        ours.add(connection_of(facts.conn_id))
    return bool(problem.conn_id) and problem.conn_id in ours


_AFTER_ASKING = ("report", "check")
"""Tasks that have nothing to do with whether a day comes in."""


def _of_days(lacking: Sequence[_Lacking]) -> ListedProblem:
    """One problem for days that are not in for the same reason, as the newest of them tells it."""
    newest = max(lacking, key=lambda one: one.day)
    facts, pairs = newest.facts, [one.pair for one in lacking if one.pair]
    attempts = [pair.attempted_at for pair in pairs if pair.attempted_at]
    names = list(dict.fromkeys(one.facts.name for one in lacking))
    is_one = len(names) == 1
    days = tuple(sorted({one.day for one in lacking}))
    kind, cause, cure = _said(newest)
    problem = Problem(
        kind,
        cause,
        cure,
        account=names[0] if is_one else f"{names[0]} and {len(names) - 1} more",
        appid=facts.appid if is_one else None,
        conn_id=facts.conn_id if is_one else "",
        days=days,
        errcode=newest.pair.error_code if newest.pair else None,
    )
    if newest.state is State.LOST:
        ask = f"trigger {facts.dataset.dag_id} with begin_date {days[0]} and end_date {days[-1]}"
        problem = replace(problem, cure=f"{problem.cure}; then {ask}" if problem.cure else ask)
    return ListedProblem(
        problem,
        dataset=facts.dataset.name,
        opened_at=min(attempts, default=None),
        seen_at=max(attempts, default=None),
    )


def _said(lacking: _Lacking) -> tuple[ProblemKind, str, str]:
    """Kind, cause and cure: by the last attempt, else by the state."""
    pair = lacking.pair
    kind, cause, cure = _NEEDS_SOMEBODY[lacking.state]
    if pair is None and lacking.state is State.LATE:
        return _NEVER_ASKED
    if pair is None or pair.error_kind is None:
        return kind, cause, cure
    why = ProblemKind(pair.error_kind)
    if why is not ProblemKind.NOT_READY:
        cause = "the last attempt failed"
    return why, pair.error or cause, cure if pair.cure is None else pair.cure
