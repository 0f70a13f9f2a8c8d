"""
How the warehouse stands now: what is wrong, and how fresh each account is.

Shown by the page, its `/health` and `weixin-etl status`, and told in messages. A connection that
can only read is enough. What only Airflow knows is handed in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.alerts import (
    LACKING,
    AccountDays,
    Airflow,
    Alert,
    Days,
    Severity,
    alerts_of_days,
    current_alerts,
    grouped_by_cure,
    nothing_collected,
)
from weixin_etl.model import State
from weixin_etl.warehouse import statement

LATELY = timedelta(days=2)
"""A dataset collects an account that a run of it planned so lately."""


SHOWN = timedelta(days=14)
"""How long the page shows that an account is no longer collected."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run at work has come, with an account or with all of its accounts."""

    dataset: str
    run_id: str
    pair_count: int
    """The pairs of its plan."""
    days_left: Sequence[date]
    """The days that it has yet to bring in, each as often as there are accounts."""
    appid: str = ""
    again_at: datetime | None = None
    """When it asks again for what WeChat has not computed yet, if it waits for that."""

    @property
    def done(self) -> int:
        """The pairs that are in."""
        return self.pair_count - len(self.days_left)


@dataclass(frozen=True, slots=True)
class Newest:
    """How far the newest morning has come, in all datasets that are collected."""

    morning: date
    """The day in Beijing on which the newest run was planned."""
    account_count: int
    day_count: int
    """The days that its runs asked for, of all accounts."""
    days_in: int
    in_at: datetime | None
    """When the last of these came in; None if none did."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong now, and how each account stands."""

    checked_at: datetime
    open: tuple[Alert, ...]
    """The worst first."""
    accounts: tuple[AccountDays, ...] = ()
    runs: tuple[Progress, ...] = ()
    """Runs that are asking WeChat."""
    newest: Newest | None = None
    """None before the first run."""
    next_run_at: datetime | None = None
    """When Airflow makes the next daily run; None if it is not known, or none is made."""
    is_known: bool = True
    """False when the warehouse cannot be read: nothing is known of its days."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return not any(it.is_broken for it in self.open)

    @property
    def is_retrying(self) -> bool:
        """Return whether something is broken, and all of it is tried or asked for again."""
        return not self.is_healthy and not any(it.severity is Severity.FAILURE for it in self.open)


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """How the warehouse stands."""
    at_work: list[Progress] = []
    for dataset in datasets if airflow else ():
        at_work += progress(connection, dataset, airflow.at_work(dataset)) if airflow else ()
    accounts = read_accounts(connection, datasets, at_work, now)
    findings = [*read_findings(connection, datasets), *read_left(connection, datasets, now)]
    incidents = read_incidents(connection, datasets)
    newest = read_newest(
        connection, [it for it in datasets if not (airflow and airflow.is_idle(it.name))]
    )
    found = assess(
        accounts,
        findings,
        airflow,
        now=now,
        datasets=datasets,
        incidents=incidents,
        newest=newest,
    )
    runs = tuple(runs_at_work(airflow, at_work)) if airflow else ()
    return replace(found, runs=runs)


def assess(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
    incidents: Sequence[Alert] = (),
    newest: Newest | None = None,
) -> Status:
    """Return what is wrong, since when by what people know, and what to do first if nothing is."""
    begun = {(it.dataset, it.dedup_key): it for it in incidents}
    found = [
        replace(it, opened_at=told.opened_at, incident_id=told.incident_id) if told else it
        for it in current_alerts(accounts, findings, airflow, now=now, datasets=datasets)
        for told in [begun.get((it.dataset, it.dedup_key))]
    ]
    if not accounts and not any(it.is_broken for it in found):
        found.append(nothing_collected(datasets, airflow, now, has_days=newest is not None))
    next_run_at = airflow.next_run_at(datasets) if airflow else None
    return Status(
        now, tuple(grouped_by_cure(found)), tuple(accounts), newest=newest, next_run_at=next_run_at
    )


def read_days(
    connection: Connection,
    airflow: Airflow | None,
    dataset: Dataset,
    appids: Collection[str],
    now: datetime,
) -> dict[tuple[str, date], Alert]:
    """Return what is wrong with each day of some accounts, as the list of `read` has it."""
    if airflow and airflow.is_idle(dataset.name):
        return {}
    run_ids = airflow.at_work(dataset) if airflow else []
    at_work = progress(connection, dataset, run_ids, appids)
    accounts = read_accounts(connection, [dataset], at_work, now, appids)
    findings = read_findings(connection, [dataset], appids)
    return alerts_of_days(accounts, findings, airflow, now)


# --------------------------------------------------------------------------------------- the facts


def read_incidents(
    connection: Connection, datasets: Sequence[Dataset], momentary: Sequence[str] = ()
) -> list[Alert]:
    """What people are told of and is not over, and momentary troubles, of any dataset."""
    values = {"datasets": [it.name for it in datasets], "momentary": [*momentary]}
    rows = connection.execute(statement("incident/known.sql"), values)
    return [*map(Alert.of, rows.mappings())]


def read_left(connection: Connection, datasets: Sequence[Dataset], now: datetime) -> list[Alert]:
    """Return the accounts that left lately: what people were told is on the page for a while."""
    values = {"datasets": [it.name for it in datasets], "since": now - SHOWN}
    rows = connection.execute(statement("incident/left.sql"), values)
    return [*map(Alert.of, rows.mappings())]


def read_findings(
    connection: Connection, datasets: Sequence[Dataset], appids: Collection[str] | None = None
) -> list[Alert]:
    """What tasks have found: about all accounts or some, and what is about none."""
    wanted = {"datasets": [it.name for it in datasets], "appids": _bound(appids)}
    found = connection.execute(statement("finding/of_datasets.sql"), wanted)
    return [*map(Alert.of, found.mappings())]


def read_newest(connection: Connection, datasets: Sequence[Dataset]) -> Newest | None:
    """Return how far the newest morning has come; None before the first run."""
    values = {"datasets": [it.name for it in datasets]}
    row = connection.execute(statement("status/newest.sql"), values).mappings().one_or_none()
    return Newest(**row) if row else None


def read_accounts(
    connection: Connection,
    datasets: Sequence[Dataset],
    at_work: Iterable[Progress],
    now: datetime,
    appids: Collection[str] | None = None,
) -> list[AccountDays]:
    """What is judged of all accounts, or of some: a statement, and one per dataset."""
    wanted = {"appids": _bound(appids)}
    rows = connection.execute(statement("status/accounts.sql"), wanted).all()
    asking: dict[tuple[str, str], set[date]] = defaultdict(set)
    for it in at_work:
        asking[it.dataset, it.appid].update(it.days_left)
    lately = now - LATELY
    collected = {
        (row.dataset, row.appid)
        for row in rows
        if row.planned_at and row.planned_at > lately and not row.is_retired
    }
    return [
        AccountDays._make(
            [
                dataset,
                *row[1:-1],
                days.get(row.appid, ()),
                asking.get((row.dataset, row.appid), ()),
                (dataset.successor, row.appid) in collected,
            ]
        )
        for dataset in datasets
        for days in [_days_of(connection, dataset, {**wanted, "now": now})]
        for row in rows
        if row.dataset == dataset.name
    ]


def _days_of(
    connection: Connection, dataset: Dataset, wanted: Mapping[str, object]
) -> Mapping[str, Sequence[Days]]:
    """The days of each account that are not as they should be."""
    found: dict[str, list[Days]] = defaultdict(list)
    rows = connection.execute(statement("status/days.sql", dataset), {**wanted, "lacking": LACKING})
    for appids, days, state, *attempt in rows:
        alike = Days(days, State(state), *attempt)
        for appid in appids:
            found[appid].append(alike)
    return found


def progress(
    connection: Connection,
    dataset: Dataset,
    run_ids: Collection[str],
    appids: Collection[str] | None = None,
) -> list[Progress]:
    """How far some runs of the dataset have come, with each of all accounts or of some."""
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": [*run_ids], "appids": _bound(appids)}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [Progress(**row) for row in rows.mappings()]


def _bound(appids: Collection[str] | None) -> list[str] | None:
    """Some accounts, or all, as statements take them."""
    return None if appids is None else [*appids]


def runs_at_work(airflow: Airflow, at_work: Sequence[Progress]) -> Iterator[Progress]:
    """The runs, each with all its accounts."""
    for run in dict.fromkeys((it.dataset, it.run_id) for it in at_work):
        ours = [it for it in at_work if (it.dataset, it.run_id) == run]
        count = sum(it.pair_count for it in ours)
        left = [day for it in ours for day in it.days_left]
        yield Progress(*run, count, left, again_at=airflow.waits.get(run))
