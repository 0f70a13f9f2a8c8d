"""
How the warehouse stands now: what is wrong, and how fresh each account is.

Shown by the page, its `/health` and `weixin-etl status`, and told in messages. A connection that
can only read is enough. What only Airflow knows is handed in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.at_work import Airflow, Progress, RunAtWork, progress, runs_at_work
from weixin_etl.health.days import AccountDays, pairs_by_account
from weixin_etl.health.troubles import (
    AccountFacts,
    Finding,
    Incident,
    Severity,
    Trouble,
    judge,
    nothing_collected,
)
from weixin_etl.warehouse import statement

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong now, and how each account stands."""

    checked_at: datetime
    open: tuple[Trouble, ...]
    """The worst first."""
    accounts: tuple[AccountFacts, ...] = ()
    runs: tuple[RunAtWork, ...] = ()
    """Runs that are asking WeChat."""
    concerned: frozenset[tuple[str | None, str]] = field(default_factory=frozenset)
    """The datasets and accounts that something broken concerns."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return not any(it.is_broken for it in self.open)

    @property
    def is_retrying(self) -> bool:
        """Whether all that is broken is being tried again."""
        broken = [it.severity for it in self.open if it.is_broken]
        return bool(broken) and Severity.FAILURE not in broken

    def is_well(self, account: AccountFacts) -> bool:
        """Whether nothing that is broken concerns the account."""
        return (account.dataset.name, account.appid) not in self.concerned


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """How the warehouse stands."""
    at_work: list[Progress] = []
    if airflow:
        for dataset in datasets:
            at_work += progress(connection, dataset, airflow.at_work(dataset))
    facts = read_accounts(connection, datasets, at_work, now)
    findings = read_findings(connection, datasets)
    known = read_incidents(connection, datasets)
    found = assess(facts, findings, known, airflow, now=now, datasets=datasets)
    return replace(found, runs=tuple(runs_at_work(airflow, at_work)) if airflow else ())


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
    begun = {(it.dataset, it.identity): it for it in known}
    found = [
        _with_incident(it, begun.get((it.dataset or "", it.identity)))
        for it in judge(facts, findings, airflow, now=now, datasets=datasets)
    ]
    if not facts and not any(it.is_broken for it in found):
        found.append(nothing_collected(datasets, airflow, now))
    concerned = frozenset(
        (it.dataset, appid) for it in found if it.is_broken for appid in it.appids
    )
    return Status(now, tuple(found), tuple(facts), concerned=concerned)


def _with_incident(found: Trouble, known: Incident | None) -> Trouble:
    if known is None:
        return found
    return replace(found, opened_at=known.opened_at, incident_id=known.incident_id)


# --------------------------------------------------------------------------------------- the facts


def read_incidents(
    connection: Connection, datasets: Sequence[Dataset], momentary: Sequence[str] = ()
) -> list[Incident]:
    """Open incidents, and those of momentary troubles, of any dataset."""
    values = {"datasets": [it.name for it in datasets], "momentary": [*momentary]}
    rows = connection.execute(statement("incident/known.sql"), values)
    return [Incident.of(row) for row in rows.mappings()]


def read_findings(connection: Connection, datasets: Sequence[Dataset]) -> list[Finding]:
    """What tasks have found."""
    names = [dataset.name for dataset in datasets]
    found = connection.execute(statement("finding/of_datasets.sql"), {"datasets": names})
    return [
        convert({**row, "problem": {**row, "days": row["unspoken_days"]}}, Finding)
        for row in found.mappings()
    ]


def read_accounts(
    connection: Connection,
    datasets: Sequence[Dataset],
    at_work: Iterable[Progress],
    now: datetime,
    appids: Collection[str] | None = None,
) -> list[AccountFacts]:
    """What is judged of all accounts, or of some: a statement, and one per dataset."""
    today = clock.beijing_date(now)
    wanted = {"appids": None if appids is None else [*appids]}
    rows = connection.execute(statement("status/accounts.sql"), wanted).mappings().all()
    asking: dict[tuple[str, str], set[date]] = defaultdict(set)
    for it in at_work:
        asking[it.dataset, it.appid].update(it.days_left)
    collected = {(row["dataset"], row["appid"]) for row in rows}
    return [
        replace(
            account,
            being_asked=frozenset(asking[dataset.name, account.appid]),
            is_succeeded=(dataset.successor, account.appid) in collected,
        )
        for dataset in datasets
        for account in _of_dataset(connection, dataset, rows, today)
    ]


def _of_dataset(
    connection: Connection, dataset: Dataset, rows: Sequence[RowMapping], today: date
) -> Iterator[AccountFacts]:
    """What the warehouse has of the dataset's accounts, in their order."""
    ours = [row for row in rows if row["dataset"] == dataset.name]
    known = [
        AccountDays(dataset, row["since_date"], row["catch_up_days"], row["heard_at"], {})
        for row in ours
    ]
    wanted = {
        "dataset": dataset.name,
        "appids": [row["appid"] for row in ours],
        "since_dates": [row["since_date"] for row in ours],
        "first_dates": [days.reach(today) for days in known],
        "last_date": today - _DAY,
    }
    found = connection.execute(statement("status/days.sql"), wanted)
    pairs = pairs_by_account(found.mappings())
    for row, days in zip(ours, known, strict=True):
        yield AccountFacts(
            dataset=dataset,
            appid=row["appid"],
            name=row["name"],
            conn_id=row["conn_id"],
            days=replace(days, pairs=pairs[row["appid"]]),
            last_day_in=row["last_day_in"],
            ready_at=row["ready_at"],
            rejected_days=tuple(row["rejected_days"] or ()),
            rejected_reason=row["rejected_reason"] or "",
        )
