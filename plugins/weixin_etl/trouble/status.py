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

from weixin_etl import clock, rules
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Coverage, DayState, connection_of
from weixin_etl.problem import Problem, ProblemKind, Whose
from weixin_etl.rules import Quota
from weixin_etl.run.pairs import with_successor
from weixin_etl.run.quota import known_quotas
from weixin_etl.text import counted
from weixin_etl.threads import convert
from weixin_etl.trouble.at_work import (
    Airflow,
    DagState,
    Progress,
    RunAtWork,
    progress,
    runs_at_work,
)
from weixin_etl.trouble.incidents import is_warning
from weixin_etl.trouble.messages import FINDINGS, STALE
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
    first_daily_date: date
    days: Mapping[date, Coverage]
    """Days that daily runs still ask for, and those `left_open`."""
    left_open: frozenset[date]
    """The days that a run with dates asked for in vain, and that no daily run asks for."""
    last_errcodes: Collection[int | None]
    """As `rules.is_retired` has it."""
    last_day_in: date | None
    """The newest publication day with a ready answer."""
    ready_at: datetime | None
    """When its newest ready answer was fetched: the last success."""
    quota: Quota
    """The account's quota today."""
    at_work: tuple[Progress, ...] = ()
    """How far the runs are that are asking it."""

    @property
    def being_asked(self) -> frozenset[date]:
        """The days that runs at work have yet to bring in."""
        return frozenset(day for it in self.at_work for day in it.days_left)


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How an account stands in a dataset that daily runs collect."""

    facts: AccountFacts
    days: Mapping[DayState, tuple[date, ...]]
    """
    The days within reach of daily runs that are not final, and those that a run with dates left
    open, oldest first.
    """
    next_try_at: datetime | None
    """The next scheduled run; when its daily quota is used up, the midnight after that."""
    open_incidents: int

    @property
    def is_retired(self) -> bool:
        """Whether WeChat has taken the endpoint offline for it."""
        return bool(self.days.get(DayState.RETIRED))

    @property
    def days_not_in(self) -> tuple[date, ...]:
        """The days that are not as they should be."""
        return tuple(sorted(day for it in _NOT_IN for day in self.days.get(it, ())))

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
        return all(it.is_warning for it in self.open)


# ------------------------------------------------------------------------------------------ read


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    catch_up_days: int,
    daily_calls: int = 0,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """
    How the warehouse stands; see `assess`. `daily_calls` is the setting.

    Two statements and four per dataset; one more if its endpoint is offline and has a successor.
    """
    rows = connection.execute(statement("status/accounts.sql"))
    accounts = rows.mappings().all()
    collected = frozenset((row["dataset"], row["appid"]) for row in accounts)
    facts: list[AccountFacts] = []
    runs: list[RunAtWork] = []
    for dataset in datasets:
        at_work = progress(connection, dataset, airflow)
        runs += runs_at_work(dataset, at_work)
        facts += _facts(
            connection,
            dataset,
            [row for row in accounts if row["dataset"] == dataset.name],
            at_work,
            today=clock.beijing_date(now),
            catch_up_days=catch_up_days,
            daily_calls=daily_calls,
        )
    incidents = connection.execute(
        statement("status/incidents.sql"),
        {
            "datasets": [it.name for it in datasets],
            "closed_since": now - RECENTLY,
            "stale_since": now - STALE,
            "told_though_over": FINDINGS,
            "most": MOST_INCIDENTS,
        },
    )
    listed = [_incident(row, collected) for row in incidents.mappings()]
    found = assess(
        facts,
        _as_of_now(connection, datasets, listed, now),
        airflow,
        now=now,
        catch_up_days=catch_up_days,
        datasets=datasets,
    )
    return replace(found, runs=tuple(runs))


def _incident(
    row: RowMapping, collected: Collection[tuple[str | None, str | None]]
) -> ListedProblem:
    listed = convert({**row, "problem": dict(row)}, ListedProblem)
    return replace(listed, is_warning=is_warning(row["dataset"], listed.problem, collected))


def _as_of_now(
    connection: Connection,
    datasets: Sequence[Dataset],
    listed: Sequence[ListedProblem],
    now: datetime,
) -> list[ListedProblem]:
    """The incidents; of an endpoint that is offline, what its successor has had since."""
    said: dict[str | None, Iterator[Problem]] = {}
    for dataset in datasets:
        problems = [it.problem for it in listed if it.dataset == dataset.name]
        said[dataset.name] = iter(with_successor(connection, dataset, problems, now))
    return [replace(it, problem=next(said[it.dataset])) for it in listed]


def _facts(
    connection: Connection,
    dataset: Dataset,
    accounts: Sequence[RowMapping],
    at_work: Iterable[Progress],
    *,
    today: date,
    catch_up_days: int,
    daily_calls: int,
) -> Iterator[AccountFacts]:
    """What the warehouse has of the dataset's accounts, in their order."""
    first_dates = {
        row["appid"]: max(
            rules.reach(dataset, today, row["first_daily_date"], catch_up_days=catch_up_days),
            dataset.first_day,
        )
        for row in accounts
    }
    wanted = {
        "dataset": dataset.name,
        "appids": [*first_dates],
        "first_dates": [*first_dates.values()],
        "last_date": today - _DAY,
    }
    in_reach, left_open = (
        Coverage.by_account(connection.execute(statement(path), wanted).mappings())
        for path in ("status/open_days.sql", "status/left_open.sql")
    )
    quotas = known_quotas(connection, dataset, [*first_dates], today=today, daily_calls=daily_calls)
    asking: dict[str, list[Progress]] = defaultdict(list)
    for it in at_work:
        asking[it.appid].append(it)
    for row in accounts:
        appid = row["appid"]
        yield AccountFacts(
            **{**row, "dataset": dataset},
            days=in_reach[appid] | left_open[appid],
            left_open=frozenset(left_open[appid]),
            quota=quotas[appid],
            at_work=tuple(asking[appid]),
        )


# ---------------------------------------------------------------------------------------- assess


def assess(
    facts: Sequence[AccountFacts],
    incidents: Sequence[ListedProblem],
    airflow: Airflow | None,
    *,
    now: datetime,
    catch_up_days: int,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """
    What is wrong now, what keeps the most from working first, and how each account stands.

    Open are the incidents of the warehouse; what Airflow says of the DAGs, the pool and the
    scheduler; messages that nobody got; days that are not in, no run at work asks for and no
    incident is about; and that no account is collected, if nothing else says why. `airflow` is None
    when it can't be asked.
    """
    known = [
        replace(it, problem=it.problem.as_of(it.seen_at or now, now))
        for it in incidents
        if it.closed_at is None
    ]
    accounts = [_account(it, known, airflow, now, catch_up_days) for it in facts]
    found = [
        *known,
        *(_of_airflow(airflow, accounts, now, datasets) if airflow else ()),
        *(_untold(incidents, airflow.alerts, now) if airflow and airflow.alerts else ()),
        *_days_without_incident(accounts, known, [it for it in incidents if it.closed_at], now),
    ]
    if not facts and all(it.is_warning for it in found):
        found.append(_nothing_collected(datasets, airflow))
    return Status(
        checked_at=now,
        open=tuple(sorted(found, key=lambda it: (it.is_warning, _reach(it)))),
        closed=tuple(it for it in incidents if it.closed_at is not None),
        accounts=tuple(accounts),
    )


def _reach(listed: ListedProblem) -> int:
    """How much it keeps from working: the lower, the more; the cause of others comes first."""
    problem = listed.problem
    if problem.kind in (ProblemKind.WAREHOUSE, ProblemKind.WAREHOUSE_SETUP):
        return 0
    if problem.kind is ProblemKind.RUN_LATE:
        return 1 if listed.dataset is None else 2  # the scheduler; a DAG
    if problem.kind is ProblemKind.POOL_MISSING:
        return 3
    is_of_all = problem.appid is None and (not problem.account or problem.conn_id)
    if is_of_all and problem.kind is not ProblemKind.CHECK:
        return 4  # WeChat, a task of every account, a platform
    return 5 if problem.kind.is_of_account else 6


def alike(listed: Iterable[ListedProblem]) -> list[list[ListedProblem]]:
    """
    What many accounts have in common is one problem: lists of those, in their order.

    That is, with the same cure, but for what names the account in it, and how many of its days are
    in. What concerns all accounts stands alone.
    """
    found: dict[tuple[object, ...], list[ListedProblem]] = defaultdict(list)
    for it in listed:
        problem = it.problem
        said = _DAYS_IN.sub("\0", problem.cure or problem.cause)
        for name in filter(None, (problem.conn_id, problem.appid, problem.account)):
            said = said.replace(name, "\0")
        common = (it.dataset, problem.kind, problem.errcode, said, it.is_warning, it.closed_at)
        found[common if problem.account else (id(it),)].append(it)
    return list(found.values())


_DAYS_IN = re.compile(r"(?<!\d)\d+ of \d+(?= days)")


def _nothing_collected(datasets: Sequence[Dataset], airflow: Airflow | None) -> ListedProblem:
    """What to do first in an installation whose daily runs collect nothing yet."""
    dags = airflow.dags if airflow else {}
    awake = [it for it in datasets if it.name in dags and not dags[it.name].is_paused]
    if airflow and any(airflow.at_work(it) for it in awake):
        cure = "wait for the run that is at work: its plan brings the accounts"
    elif awake:
        cure = (
            f"trigger {awake[0].dag_id}, or wait for its next daily run (a run of an earlier "
            "morning does not count); if one has run, none of the accounts in weixin_accounts "
            "may be asked any more"
        )
    else:
        first = [it.dag_id for it in datasets if not it.is_optional]
        cure = (
            "create a connection for an account (weixin_default, or those that the Variable "
            f"weixin_accounts names), then unpause {' or '.join(first or ['a DAG'])}"
        )
    return ListedProblem(Problem(ProblemKind.NOT_ASKED, "daily runs collect no account", cure))


def _untold(incidents: Sequence[ListedProblem], alerts: str, now: datetime) -> list[ListedProblem]:
    """One problem for all messages that should have arrived."""
    due = [it.untold_since for it in incidents if it.untold_since]
    late = [at for at in due if now - at > UNTOLD]
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
    if not airflow.pool_slots:
        cause = f"the pool {airflow.pool} " + (
            "does not exist" if airflow.pool_slots is None else "has no slots"
        )
        cure = f"create the pool {airflow.pool} with 16 slots under Admin, Pools: tasks wait for it"
        yield ListedProblem(Problem(ProblemKind.POOL_MISSING, cause, cure))
    for dataset in datasets:
        if any(it.facts.dataset == dataset and not it.is_retired for it in accounts):
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
    facts: AccountFacts,
    known: Sequence[ListedProblem],
    airflow: Airflow | None,
    now: datetime,
    catch_up_days: int,
) -> AccountStatus:
    coverages = {day: it for day, it in facts.days.items() if it.attempt_state or it.fetched_at}
    is_retired = rules.is_retired(facts.last_errcodes)
    being_asked = facts.being_asked
    days: dict[DayState, list[date]] = defaultdict(list)
    for day in sorted(facts.days):
        state = rules.day_state(
            facts.dataset,
            day,
            coverages.get(day),
            first_daily_date=facts.first_daily_date,
            now=now,
            is_retired=is_retired,
            catch_up_days=catch_up_days,
        )
        if day in being_asked:
            state = rules.while_asked(state)
        if state is not DayState.FINAL:
            days[state].append(day)
    midnights = [it.next_attempt_at for it in coverages.values() if it.next_attempt_at]
    dag = airflow.dags.get(facts.dataset.name) if airflow else None
    next_run_at = dag.next_run_at if dag and not dag.is_paused else None
    return AccountStatus(
        facts,
        days={state: tuple(it) for state, it in days.items()},
        next_try_at=max(
            filter(None, [next_run_at, *(it for it in midnights if it > now)]), default=None
        ),
        open_incidents=sum(
            not it.is_warning and it.dataset == facts.dataset.name and _is_of(it.problem, facts)
            for it in known
        ),
    )


_NOT_IN = {
    DayState.FAILED: (
        ProblemKind.CALL_REFUSED,
        "the last attempt failed",
        "see the log of the task check",
    ),
    DayState.LATE: (
        ProblemKind.NOT_READY,
        "not in by noon (Beijing)",
        "the next daily run asks again",
    ),
    DayState.NEVER_ASKED: (
        ProblemKind.NOT_ASKED,
        "no run has asked for it",
        "the next daily run asks for it",
    ),
}
"""What is said of days that are not as they should be, if the last attempt said nothing."""


def _days_without_incident(
    accounts: Sequence[AccountStatus],
    known: Sequence[ListedProblem],
    over: Sequence[ListedProblem],
    now: datetime,
) -> list[ListedProblem]:
    """A problem per dataset, state and cause, for the days that no open incident is about."""
    broken = [it for it in known if not it.is_warning or it.problem.kind is ProblemKind.WITHDRAWN]
    found: dict[tuple[DayState, *tuple[object, ...]], list[tuple[AccountFacts, Coverage]]] = (
        defaultdict(list)
    )
    for account in accounts:
        fact = account.facts
        ours = [it.problem for it in broken if it.dataset == fact.dataset.name]
        for state in _NOT_IN:
            for day in account.days.get(state, ()):
                if not any(_is_why(it, fact, day) for it in ours):
                    last, is_left_open = fact.days[day], day in fact.left_open
                    if any(_is_over(it, fact, last) for it in over):
                        cure = "" if is_left_open else "the next daily run asks again"
                        last = replace(last, error_code=None, error=None, cure=cure)
                    why = (last.error_kind, last.error_code, bool(last.error), is_left_open)
                    found[state, fact.dataset.name, *why].append((fact, last))
    return [_of_days(state, days, now) for (state, *_), days in found.items()]


def _is_over(closed: ListedProblem, facts: AccountFacts, last: Coverage) -> bool:
    """Whether what the last attempt met is over, as the account has been answered since."""
    at, problem = closed.closed_at, closed.problem
    return (
        closed.dataset == facts.dataset.name
        and problem.kind is last.error_kind
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
    if problem.appid or problem.account or problem.kind is ProblemKind.CHECK:
        return False
    return day in problem.days or (not problem.days and problem.subject not in _AFTER_ASKING)


def _is_of(problem: Problem, facts: AccountFacts) -> bool:
    """Whether it is the account's, or keeps its connection or platform from being asked."""
    if problem.appid:
        return problem.appid == facts.appid
    ours = {facts.conn_id}
    if problem.kind.whose is Whose.CONNECTION:
        ours.add(connection_of(facts.conn_id))
    return bool(problem.conn_id) and problem.conn_id in ours


_AFTER_ASKING = ("report", "check")
"""Tasks that have nothing to do with whether a day comes in."""


def _of_days(
    state: DayState, days: Sequence[tuple[AccountFacts, Coverage]], now: datetime
) -> ListedProblem:
    """One problem for days that are not in for the same reason."""
    fact, last = max(days, key=lambda it: it[1].publication_date)
    names = list(dict.fromkeys(it.name for it, _ in days))
    attempts = [at for _, it in days if (at := it.attempted_at)]
    seen_at = max(attempts, default=None)
    problem = Problem(
        *_NOT_IN[state],
        account=names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more",
        appid=fact.appid if len(names) == 1 else None,
        conn_id=fact.conn_id if len(names) == 1 else "",
        days=tuple(sorted({it.publication_date for _, it in days})),
        errcode=last.error_code,
    )
    if last.error_kind:
        said = replace(problem, kind=last.error_kind, cause=last.error or problem.cause)
        cure = problem.cure if last.cure is None else last.cure
        problem = replace(said, cure=cure)
        if last.error:  # not of one that is over
            problem = problem.as_of(seen_at or now, now)
    if last.publication_date in fact.left_open:
        cure = (
            f"{f'{problem.cure}; then ' if problem.cure else ''}trigger a run with begin_date "
            f"{problem.days[0]} and end_date {problem.days[-1]}, or say that the days are not "
            "wanted: weixin-etl unwanted"
        )
        problem = replace(problem, cure=cure)
    return ListedProblem(
        problem,
        dataset=fact.dataset.name,
        opened_at=min(attempts, default=None),
        seen_at=seen_at,
    )
