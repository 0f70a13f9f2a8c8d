"""
The state of the warehouse now: what is wrong, and how fresh each account is.

`read` takes a connection that may only read, and what Airflow knows. The page, its `/health` and
`weixin-etl status` show its result; `incidents` uses the readers below.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    slice_count: int
    """The number of accounts and days that it planned."""
    days_left: Sequence[date]
    """The days that it has yet to load, each as often as there are accounts."""
    appid: str = ""
    again_at: datetime | None = None
    """When it asks again for what WeChat has not computed yet, if it waits for that."""

    @property
    def done(self) -> int:
        """The number of accounts and days that it has loaded."""
        return self.slice_count - len(self.days_left)


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
    open: tuple[Alert, ...] = ()
    """The alerts, one for each action that would end some of them. The worst are first."""
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
        """Whether no alert says that figures are missing. Warnings and notes do not count."""
        return not any(alert.is_broken for alert in self.open)

    @property
    def resolves_itself(self) -> bool:
        """Whether something is wrong but no alert is a failure: nobody has to act."""
        has_failures = any(alert.severity is Severity.FAILURE for alert in self.open)
        return not self.is_healthy and not has_failures


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
    run_ids = [(dataset, airflow.at_work(dataset)) for dataset in datasets] if airflow else []
    at_work = [part for dataset, ids in run_ids for part in progress(connection, dataset, ids)]
    known = Status(
        now,
        accounts=tuple(read_accounts(connection, datasets, at_work, now)),
        runs=tuple(progress_by_run(airflow, at_work)) if airflow else (),
        newest=_read_newest(connection, airflow, datasets),
    )
    names = [dataset.name for dataset in datasets]
    departed = {"datasets": names, "since": now - DEPARTURE_SHOWN}
    findings = read_findings(connection, datasets)
    findings += read_alerts(connection, "incident/left.sql", departed)
    return assess(known, findings, airflow, datasets, read_incidents(connection, datasets))


def assess(
    known: Status,
    findings: Sequence[Alert],
    airflow: Airflow | None,
    datasets: Sequence[Dataset],
    incidents: Sequence[Alert] = (),
) -> Status:
    """
    Return a status with what is wrong, one alert for each action, and with the next run.

    An alert that people were notified of has the id and the time of its incident. In an
    installation that collects nothing yet, and in which nothing else fails, the first step of its
    setup is an alert.

    Args:
        known: the time of the check, the accounts and the newest morning. Its alerts are replaced.
        findings: what tasks found.
        airflow: what Airflow knows; None when it cannot be asked.
        datasets: those that are checked.
        incidents: the open incidents.
    """
    now, by_key = known.checked_at, {(each.dataset, each.dedup_key): each for each in incidents}
    found = [
        replace(alert, opened_at=incident.opened_at, incident_id=incident.incident_id)
        for alert in current_alerts(known.accounts, findings, airflow, now, datasets)
        for incident in [by_key.get((alert.dataset, alert.dedup_key), alert)]
    ]
    if not known.accounts and not any(alert.is_broken for alert in found):
        found.append(first_step(datasets, airflow, now, has_days=known.newest is not None))
    next_run_at = airflow.next_run_at(datasets) if airflow else None
    return replace(known, open=tuple(grouped_by_cure(found)), next_run_at=next_run_at)


def read_days(
    connection: Connection,
    airflow: Airflow | None,
    dataset: Dataset,
    appids: list[str],
    now: datetime,
) -> dict[tuple[str, date], Alert]:
    """
    Return the alert of each missing day of some accounts, by AppID and day.

    Days that a run at work has yet to load are known if Airflow can be asked (`airflow` is not
    None). The result is empty if a person paused the dataset's DAG or left it out of the DAG file.
    """
    if airflow and airflow.is_idle(dataset.name):
        return {}
    run_ids = airflow.at_work(dataset) if airflow else []
    at_work = progress(connection, dataset, run_ids, appids)
    accounts = read_accounts(connection, [dataset], at_work, now, appids)
    findings = read_findings(connection, [dataset], appids)
    return alerts_of_days(accounts, findings, airflow, now)


# --------------------------------------------------------------------------------------- the facts


def read_alerts(connection: Connection, path: str, values: Mapping[str, object]) -> list[Alert]:
    """Return the findings or incidents that the statement in `sql/<path>` selects, in its order."""
    return [*map(Alert.from_row, connection.execute(statement(path), values).mappings())]


def read_incidents(
    connection: Connection, datasets: Sequence[Dataset], momentary: Sequence[str] = ()
) -> list[Alert]:
    """
    Return the open incidents of the datasets.

    `momentary` has the keys (`Alert.dedup_key`) of problems that people are notified of once: all
    incidents with such a key are returned too, also closed ones and those of other datasets.
    """
    values = {"datasets": [dataset.name for dataset in datasets], "momentary": [*momentary]}
    return read_alerts(connection, "incident/known.sql", values)


def read_findings(
    connection: Connection, datasets: Sequence[Dataset], appids: list[str] | None = None
) -> list[Alert]:
    """
    Return what tasks found: about accounts with these AppIDs, or all, and what is about no account.

    Days that were attempted after the finding are left out, and a finding without other days too.
    A finding is returned as two alerts if some of its days have figures and some have none.
    """
    values = {"datasets": [dataset.name for dataset in datasets], "appids": appids}
    return read_alerts(connection, "finding/of_datasets.sql", values)


def _read_newest(
    connection: Connection, airflow: Airflow | None, datasets: Sequence[Dataset]
) -> Newest | None:
    """
    Return how far the newest morning has come, in the datasets whose DAG is not paused.

    Return None before their first run.
    """
    names = [each.name for each in datasets if not (airflow and airflow.is_idle(each.name))]
    rows = connection.execute(statement("status/newest.sql"), {"datasets": names}).mappings()
    row = rows.one_or_none()
    return Newest(**row) if row else None


def read_accounts(
    connection: Connection,
    datasets: Sequence[Dataset],
    at_work: Iterable[Progress],
    now: datetime,
    appids: list[str] | None = None,
) -> list[AccountDays]:
    """
    Return the facts and days of the accounts that are collected, one for each dataset and account.

    Runs one statement for the facts of all datasets, and one for the days of each dataset.

    Args:
        connection: one that may read the schema `weixin`.
        datasets: those to read.
        at_work: what running runs have yet to load.
        now: the time of the check. Days after it are not missing.
        appids: the accounts to read; None: all.
    """
    wanted = {"appids": appids, "now": now, "lacking": LACKING}
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
        for days in [_days_of(connection, dataset, wanted)]
        for row in rows
        if row.dataset == dataset.name
    ]


def _days_of(
    connection: Connection, dataset: Dataset, wanted: Mapping[str, object]
) -> Mapping[str, Sequence[Days]]:
    """
    Return the days of a dataset that are missing or whose last attempt failed, by AppID.

    `wanted` has the parameters of `status/days.sql`: the time, the states of missing days, and the
    AppIDs or None. An account without such days is not in the result.
    """
    found: dict[str, list[Days]] = defaultdict(list)
    for appids, days, state, *attempt in connection.execute(
        statement("status/days.sql", dataset), wanted
    ):
        alike = Days(days, State(state), *attempt)
        for appid in appids:
            found[appid].append(alike)
    return found


def progress(
    connection: Connection, dataset: Dataset, run_ids: list[str], appids: list[str] | None = None
) -> list[Progress]:
    """
    Return how far runs of the dataset have come, one for each run and account.

    Only accounts that a run has planned are returned. With `appids`, only these accounts are.
    Return an empty list, without a statement, if there are no runs.
    """
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": run_ids, "appids": appids}
    rows = connection.execute(statement("status/at_work.sql"), wanted).mappings()
    return [Progress(**row) for row in rows]


def progress_by_run(airflow: Airflow, at_work: Iterable[Progress]) -> Iterator[Progress]:
    """
    Yield how far each run has come with all its accounts, and when it asks again if it waits.

    `at_work` has a part for each run and account. The result has no AppID.
    """
    for parts in grouped(at_work, lambda part: (part.dataset, part.run_id)):
        run = parts[0].dataset, parts[0].run_id
        count = sum(part.slice_count for part in parts)
        days_left = [day for part in parts for day in part.days_left]
        yield Progress(*run, count, days_left, again_at=airflow.waits.get(run))
