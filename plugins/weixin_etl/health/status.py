"""
How the warehouse stands now: what is wrong, and how fresh each account is.

Shown by the page, its `/health` and `weixin-etl status`, and told in messages. A connection that
can only read is enough. What only Airflow knows is handed in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import incidents
from weixin_etl.health.at_work import Airflow, Progress, RunAtWork, progress, runs_at_work
from weixin_etl.health.days import AccountDays, pairs_by_account
from weixin_etl.health.incidents import Incident
from weixin_etl.health.troubles import (
    AccountFacts,
    Finding,
    Severity,
    Trouble,
    judge,
    nothing_collected,
)
from weixin_etl.model import State
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import counted
from weixin_etl.warehouse import statement

UNTOLD = timedelta(hours=1)
"""So long after its time a message that nobody got is missing."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How an account stands in a dataset that daily runs collect."""

    facts: AccountFacts
    days: Mapping[State, tuple[date, ...]]
    """The days that are not final, oldest first."""
    days_not_in: tuple[date, ...]
    """The days that are late, lost or given up, oldest first: not while a run asks for them."""
    next_try_at: datetime | None
    """The next scheduled run."""
    is_healthy: bool
    """Whether nothing that is broken concerns it."""

    @property
    def is_retired(self) -> bool:
        """Whether WeChat has taken the endpoint offline for it."""
        return self.facts.days.is_retired


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong now, what was lately, and how each account stands."""

    checked_at: datetime
    open: tuple[Trouble, ...]
    """The worst first."""
    closed: tuple[Trouble, ...] = ()
    """What ended lately, newest first."""
    accounts: tuple[AccountStatus, ...] = ()
    runs: tuple[RunAtWork, ...] = ()
    """Runs that are asking WeChat."""
    is_read: bool = True
    """Whether the warehouse could be read: if not, nothing is known of accounts and the past."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return not any(it.is_broken for it in self.open)

    @property
    def is_retrying(self) -> bool:
        """Whether all that is broken is being tried again."""
        broken = [it.severity for it in self.open if it.is_broken]
        return bool(broken) and Severity.FAILURE not in broken


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """How the warehouse stands."""
    at_work = {
        it.name: progress(connection, it, airflow.at_work(it) if airflow else []) for it in datasets
    }
    facts = read_accounts(connection, datasets, at_work, now)
    findings = read_findings(connection, datasets)
    known = incidents.known(connection, datasets, now)
    found = assess(facts, findings, known, airflow, now=now, datasets=datasets)
    runs = [run for it in datasets for run in runs_at_work(airflow, it, at_work[it.name])]
    return replace(found, runs=tuple(runs))


def assess(
    facts: Sequence[AccountFacts],
    findings: Sequence[Finding],
    known: Sequence[Incident],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
) -> Status:
    """What is wrong, since when by what people were told, and how each account stands."""
    begun = {(it.dataset, it.identity): it for it in known if not it.closed_at}
    found = [
        _with_incident(it, begun.get((it.dataset or "", it.identity)))
        for it in judge(facts, findings, airflow, now=now, datasets=datasets)
    ]
    if not facts and not any(it.is_broken for it in found):
        found.append(nothing_collected(datasets, airflow, now))
    found += _untold(known, airflow.alerts, now) if airflow and airflow.alerts else []
    over = [_with_incident(it.trouble, it) for it in known if it.closed_at]
    concerned = {(it.dataset, appid) for it in found if it.is_broken for appid in it.appids}
    accounts = [_account(account, concerned, airflow, now) for account in facts]
    return Status(now, tuple(found), tuple(over), tuple(accounts))


def _with_incident(found: Trouble, known: Incident | None) -> Trouble:
    if known is None:
        return found
    return replace(
        found,
        opened_at=known.opened_at,
        closed_at=known.closed_at,
        incident_id=known.incident_id,
    )


def _untold(known: Sequence[Incident], alerts: str, now: datetime) -> list[Trouble]:
    """One trouble for all messages that should have arrived."""
    late = [it.untold_since for it in known if it.untold_since and now - it.untold_since > UNTOLD]
    if not late:
        return []
    cause = f"{counted(len(late), 'message')} about incidents could not be delivered"
    problem = Problem.of_kind(ProblemKind.UNTOLD, cause, to_change=alerts)
    return [Trouble(problem, opened_at=min(late))]


def _account(
    facts: AccountFacts,
    concerned: Collection[tuple[str | None, str]],
    airflow: Airflow | None,
    now: datetime,
) -> AccountStatus:
    days: dict[State, list[date]] = defaultdict(list)
    for day in sorted(facts.days.pairs):
        days[facts.days.state(day, now)].append(day)
    days.pop(State.FINAL, None)
    lacking = [*days[State.LATE], *days[State.LOST], *days[State.GIVEN_UP]]
    dag = airflow.dags.get(facts.dataset.name) if airflow else None
    return AccountStatus(
        facts,
        days={state: tuple(those) for state, those in days.items() if those},
        days_not_in=tuple(
            sorted(day for day in lacking if day not in facts.being_asked)
            if not facts.days.is_retired
            else ()
        ),
        next_try_at=dag.next_run_at if dag and not dag.is_paused else None,
        is_healthy=(facts.dataset.name, facts.appid) not in concerned,
    )


# --------------------------------------------------------------------------------------- the facts


def read_findings(connection: Connection, datasets: Sequence[Dataset]) -> list[Finding]:
    """What tasks have found."""
    names = [dataset.name for dataset in datasets]
    found = connection.execute(statement("finding/of_datasets.sql"), {"datasets": names})
    return [convert({**row, "problem": dict(row)}, Finding) for row in found.mappings()]


def read_accounts(
    connection: Connection,
    datasets: Sequence[Dataset],
    at_work: Mapping[str, Sequence[Progress]],
    now: datetime,
    appids: Collection[str] | None = None,
) -> list[AccountFacts]:
    """What is judged of all accounts, or of some: a statement, and one per dataset."""
    today = clock.beijing_date(now)
    wanted = {"today": today, "appids": None if appids is None else [*appids]}
    rows = connection.execute(statement("status/accounts.sql"), wanted).mappings().all()
    collected = {(row["dataset"], row["appid"]) for row in rows}
    facts: list[AccountFacts] = []
    for dataset in datasets:
        of_dataset = [row for row in rows if row["dataset"] == dataset.name]
        of_runs = at_work.get(dataset.name, ())
        facts += (
            replace(account, is_succeeded=(dataset.successor, account.appid) in collected)
            for account in _of_dataset(connection, dataset, of_dataset, of_runs, today)
        )
    return facts


def _of_dataset(
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
            rejected_days=tuple(row["rejected_days"] or ()),
            rejected_reason=row["rejected_reason"] or "",
            at_work=tuple(asking[appid]),
        )
