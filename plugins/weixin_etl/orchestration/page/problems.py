"""What is wrong now, and how each account stands: the first view, and `/health`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.exc import DBAPIError

from weixin_etl import clock, status
from weixin_etl.datasets import Dataset
from weixin_etl.model import DayState, ProblemKind, days_as_ranges
from weixin_etl.orchestration import airflow_state, settings
from weixin_etl.orchestration.warehouse import of_reader, open_reader, reads_as
from weixin_etl.status import AccountStatus, Incident, Status
from weixin_etl.warehouse import WarehouseError, require_migrated, trouble

ACCOUNTS_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class ShownIncident:
    """An incident as the page shows it."""

    kind: ProblemKind
    is_warning: bool
    dataset: str | None
    account: str
    cure: str
    cause: str
    days: str
    """As ranges."""
    day_count: int
    error_code: int | None
    opened_at: datetime | None
    seen_at: datetime | None
    closed_at: datetime | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account as the page and monitors see it."""

    dataset: str
    appid: str
    name: str
    conn_id: str
    is_healthy: bool
    is_retired: bool
    last_day_in: date | None
    ready_at: datetime | None
    days_not_in: str
    """As ranges: failed, late and never asked for."""
    days_not_in_count: int
    open_day_count: int
    """Not in yet, and nothing is wrong: a run of today asks."""
    open_incidents: int
    calls_today: int
    quota_limit: int | None
    quota_left: int | None
    is_quota_said: bool
    """Whether `quota_left` rests on WeChat's word of today; else on the count of our own calls."""
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class View:
    """The first view."""

    checked_at: datetime
    is_healthy: bool
    reads_as: str
    """The connection the page reads the warehouse with; empty when it can't."""
    problems: tuple[ShownIncident, ...]
    closed: tuple[ShownIncident, ...]
    account_count: int
    """Of accounts and datasets together that match the search."""
    accounts: tuple[ShownAccount, ...]
    """Those of one page, the ones in trouble first."""
    page_size: int = ACCOUNTS_PER_PAGE


@dataclass(frozen=True, slots=True)
class Health:
    """What monitors read."""

    is_healthy: bool
    checked_at: datetime
    problems: tuple[ShownIncident, ...]
    accounts: tuple[ShownAccount, ...]


def view(datasets: Sequence[Dataset], search: str, offset: int) -> View:
    """Everything of the first view; the accounts whose name, AppID or connection match."""
    found = current(datasets)
    wanted = search.strip().casefold()
    accounts = [
        it
        for it in found.accounts
        if wanted in it.name.casefold() or wanted in it.appid.casefold() or wanted in it.conn_id
    ]
    accounts.sort(key=lambda it: it.is_healthy)
    return View(
        checked_at=found.checked_at,
        is_healthy=found.is_healthy,
        reads_as=reads_as(),
        problems=tuple(map(_shown, found.open)),
        closed=tuple(map(_shown, found.closed)),
        account_count=len(accounts),
        accounts=tuple(map(_account, accounts[offset : offset + ACCOUNTS_PER_PAGE])),
    )


def health(datasets: Sequence[Dataset]) -> Health:
    """Everything that a monitor may ask about."""
    found = current(datasets)
    return Health(
        is_healthy=found.is_healthy,
        checked_at=found.checked_at,
        problems=tuple(map(_shown, found.open)),
        accounts=tuple(map(_account, found.accounts)),
    )


def current(datasets: Sequence[Dataset]) -> Status:
    """How all stands; of a warehouse that can't be read, what is wrong with it."""
    now = clock.now()
    airflow = airflow_state.read(datasets)
    pipeline = settings.read().pipeline
    try:
        warehouse = open_reader()
        try:
            require_migrated(warehouse)
            with warehouse.connect() as connection:
                return status.read(
                    connection,
                    airflow,
                    now=now,
                    catch_up_days=pipeline.catch_up_days,
                    daily_calls=pipeline.daily_calls,
                    datasets=datasets,
                )
        except DBAPIError as error:
            raise trouble(error, warehouse) or error from None
    except WarehouseError as error:
        said = of_reader(error)
        incident = Incident(ProblemKind.WAREHOUSE, cause=said.cause, cure=said.cure)
        found = status.judge([], [incident], airflow, now=now, catch_up_days=0, datasets=datasets)
        return replace(found, checked_at=now)


def _shown(incident: Incident) -> ShownIncident:
    return ShownIncident(
        kind=incident.kind,
        is_warning=incident.is_warning,
        dataset=incident.dataset,
        account=incident.account,
        cure=incident.cure,
        cause=incident.cause,
        days=days_as_ranges(incident.days),
        day_count=len(incident.days),
        error_code=incident.error_code,
        opened_at=incident.opened_at,
        seen_at=incident.seen_at,
        closed_at=incident.closed_at,
        run_id=incident.run_id,
    )


def _account(account: AccountStatus) -> ShownAccount:
    return ShownAccount(
        dataset=account.dataset.name,
        appid=account.appid,
        name=account.name,
        conn_id=account.conn_id,
        is_healthy=account.is_healthy,
        is_retired=account.is_retired,
        last_day_in=account.last_day_in,
        ready_at=account.ready_at,
        days_not_in=days_as_ranges(account.days_not_in),
        days_not_in_count=len(account.days_not_in),
        open_day_count=len(account.days.get(DayState.OPEN, ())),
        open_incidents=account.open_incidents,
        calls_today=account.quota.calls,
        quota_limit=account.quota.limit,
        quota_left=account.quota.left,
        is_quota_said=account.quota.is_said,
        next_try_at=account.next_try_at,
    )
