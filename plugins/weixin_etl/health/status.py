"""
The state of the warehouse now: what is wrong, and how fresh each account is.

`read` takes a connection that may only read, and what Airflow knows. The page, its `/health` and
`weixin-etl status` show its result; `incidents` uses the readers below.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.account_alerts import LACKING, AccountDays, Days
from weixin_etl.health.alert import Alert, Severity, grouped, grouped_by_cure
from weixin_etl.health.alerts import Airflow, alerts_of_days, current_alerts, first_step
from weixin_etl.model import State
from weixin_etl.warehouse import statement

RECENT_PLAN = timedelta(days=2)
"""A dataset collects an account if a run planned the account within this time."""
DEPARTURE_SHOWN = timedelta(days=14)
"""How long the page shows that an account is no longer collected."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run at work has come, with an account or with all of its accounts."""

    dataset: str
    run_id: str
    pair_count: int
    """The number of accounts and days that it planned."""
    days_left: Sequence[date]
    """The days that it has yet to load, each as often as there are accounts."""
    appid: str = ""
    again_at: datetime | None = None
    """When it asks again for what WeChat has not computed yet, if it waits for that."""

    @property
    def done(self) -> int:
        """The number of accounts and days that it has loaded."""
        return self.pair_count - len(self.days_left)


@dataclass(frozen=True, slots=True)
class Newest:
    """How far the newest morning has come, in all datasets that are collected."""

    morning: date
    """The day in Beijing on which the newest run was planned."""
    account_count: int
    day_count: int
    """The number of accounts and days that its runs planned."""
    days_in: int
    in_at: datetime | None
    """When the last of these was loaded; None if none was."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is wrong now, and how each account stands."""

    checked_at: datetime
    open: tuple[Alert, ...]
    """The worst first."""
    accounts: tuple[AccountDays, ...] = ()
    runs: tuple[Progress, ...] = ()
    """The runs that are asking WeChat."""
    newest: Newest | None = None
    """None before the first run."""
    next_run_at: datetime | None = None
    """When Airflow creates the next daily run; None if that is unknown, or none is created."""
    is_known: bool = True
    """False when the warehouse cannot be read: nothing is known of its days."""

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return not any(alert.is_broken for alert in self.open)

    @property
    def is_retrying(self) -> bool:
        """Whether something is broken, and all of it is retried or asked for again."""
        failures = [alert for alert in self.open if alert.severity is Severity.FAILURE]
        return not self.is_healthy and not failures


def read(
    connection: Connection,
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset] = tuple(DATASETS.values()),
) -> Status:
    """
    Return what is wrong now, what runs are doing, and how far the newest morning has come.

    Args:
        connection: one that may read the schema `weixin`.
        airflow: what Airflow knows; None when it cannot be asked.
        now: the time of the check.
        datasets: those to check.
    """
    at_work: list[Progress] = []
    for dataset in datasets if airflow else ():
        at_work += progress(connection, dataset, airflow.at_work(dataset)) if airflow else ()
    accounts = read_accounts(connection, datasets, at_work, now)
    findings = [*read_findings(connection, datasets), *read_departed(connection, datasets, now)]
    active = [dataset for dataset in datasets if not (airflow and airflow.is_idle(dataset.name))]
    found = assess(
        accounts,
        findings,
        airflow,
        now=now,
        datasets=datasets,
        incidents=read_incidents(connection, datasets),
        newest=read_newest(connection, active),
    )
    runs = tuple(progress_by_run(airflow, at_work)) if airflow else ()
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
    """
    Return what is wrong, each alert with its incident.

    In an installation that collects nothing yet, the first step is an alert.
    """
    opened = {(incident.dataset, incident.dedup_key): incident for incident in incidents}
    found = [
        replace(alert, opened_at=incident.opened_at, incident_id=incident.incident_id)
        if incident
        else alert
        for alert in current_alerts(accounts, findings, airflow, now=now, datasets=datasets)
        for incident in [opened.get((alert.dataset, alert.dedup_key))]
    ]
    if not accounts and not any(alert.is_broken for alert in found):
        found.append(first_step(datasets, airflow, now, has_days=newest is not None))
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
    """Return the alert of each missing day of some accounts, by AppID and day."""
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
    """Return the open incidents of the datasets, and incidents of these momentary problems."""
    values = {"datasets": [dataset.name for dataset in datasets], "momentary": [*momentary]}
    rows = connection.execute(statement("incident/known.sql"), values)
    return [*map(Alert.from_row, rows.mappings())]


def read_departed(
    connection: Connection, datasets: Sequence[Dataset], now: datetime
) -> list[Alert]:
    """Return the incidents of accounts that left lately, which the page shows for a while."""
    values = {"datasets": [dataset.name for dataset in datasets], "since": now - DEPARTURE_SHOWN}
    rows = connection.execute(statement("incident/left.sql"), values)
    return [*map(Alert.from_row, rows.mappings())]


def read_findings(
    connection: Connection, datasets: Sequence[Dataset], appids: Collection[str] | None = None
) -> list[Alert]:
    """Return what tasks found: about all accounts or some, and what is about none."""
    wanted = {"datasets": [dataset.name for dataset in datasets], "appids": _bound(appids)}
    found = connection.execute(statement("finding/of_datasets.sql"), wanted)
    return [*map(Alert.from_row, found.mappings())]


def read_newest(connection: Connection, datasets: Sequence[Dataset]) -> Newest | None:
    """Return how far the newest morning has come; None before the first run."""
    values = {"datasets": [dataset.name for dataset in datasets]}
    row = connection.execute(statement("status/newest.sql"), values).mappings().one_or_none()
    return Newest(**row) if row else None


def read_accounts(
    connection: Connection,
    datasets: Sequence[Dataset],
    at_work: Iterable[Progress],
    now: datetime,
    appids: Collection[str] | None = None,
) -> list[AccountDays]:
    """Return the days and facts of all accounts, or of some: one statement, and one per dataset."""
    wanted = {"appids": _bound(appids)}
    rows = connection.execute(statement("status/accounts.sql"), wanted).all()
    asking: dict[tuple[str, str], set[date]] = defaultdict(set)
    for run in at_work:
        asking[run.dataset, run.appid].update(run.days_left)
    recently = now - RECENT_PLAN
    collected = {
        (row.dataset, row.appid)
        for row in rows
        if row.planned_at and row.planned_at > recently and not row.is_retired
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
    """Return the missing and the refused days of each account."""
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
    """Return how far runs of the dataset have come, with each account or with some."""
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": [*run_ids], "appids": _bound(appids)}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [Progress(**row) for row in rows.mappings()]


def _bound(appids: Collection[str] | None) -> list[str] | None:
    """Return accounts as statements take them: None stands for all."""
    return None if appids is None else [*appids]


def progress_by_run(airflow: Airflow, at_work: Sequence[Progress]) -> Iterator[Progress]:
    """Yield how far each run has come with all its accounts."""
    for parts in grouped(at_work, lambda part: (part.dataset, part.run_id)):
        run = parts[0].dataset, parts[0].run_id
        count = sum(part.pair_count for part in parts)
        days_left = [day for part in parts for day in part.days_left]
        yield Progress(*run, count, days_left, again_at=airflow.waits.get(run))
