"""What is wrong now, and how each account stands: the first view, and `/health`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import Dataset
from weixin_etl.model import DayState
from weixin_etl.orchestration import airflow_state, settings
from weixin_etl.orchestration.warehouse import of_reader, open_reader, reading, reads_as
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import incidents, status
from weixin_etl.trouble.status import AccountStatus, Status, Trouble
from weixin_etl.warehouse import WarehouseError

ACCOUNTS_PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class ShownTrouble:
    """What is or was wrong, as the page shows it."""

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
    lasted: str
    """How long, in the words of the messages; empty while it is open."""
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
    resting_day_count: int
    """They wait until WeChat lists an article of the account."""
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
    problems: tuple[ShownTrouble, ...]
    closed: tuple[ShownTrouble, ...]
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
    problems: tuple[ShownTrouble, ...]
    accounts: tuple[ShownAccount, ...]


def view(datasets: Sequence[Dataset], search: str, offset: int) -> View:
    """Everything of the first view; the accounts whose name, AppID or connection match."""
    found = current(datasets)
    wanted = search.strip().casefold()
    accounts = [
        it
        for it in found.accounts
        if any(wanted in text.casefold() for text in (it.name, it.appid, it.conn_id))
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
        with reading(open_reader()) as connection:
            return status.read(
                connection,
                airflow,
                now=now,
                catch_up_days=pipeline.catch_up_days,
                daily_calls=pipeline.daily_calls,
                datasets=datasets,
            )
    except WarehouseError as error:
        said = of_reader(error)
        incident = Trouble(Problem(ProblemKind.WAREHOUSE, said.cause, said.cure))
        return status.judge([], [incident], airflow, now=now, catch_up_days=0, datasets=datasets)


def _shown(trouble: Trouble) -> ShownTrouble:
    problem = trouble.problem
    lasted = ""
    if trouble.opened_at and trouble.closed_at:
        lasted = incidents.duration(trouble.closed_at - trouble.opened_at)
    return ShownTrouble(
        kind=problem.kind,
        is_warning=trouble.is_warning,
        dataset=trouble.dataset,
        account=problem.account,
        cure=problem.cure,
        cause=problem.cause,
        days=days_as_ranges(problem.days),
        day_count=len(problem.days),
        error_code=problem.errcode,
        opened_at=trouble.opened_at,
        seen_at=trouble.seen_at,
        closed_at=trouble.closed_at,
        lasted=lasted,
        run_id=trouble.run_id,
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
        resting_day_count=len(account.days.get(DayState.RESTING, ())),
        open_incidents=account.open_incidents,
        calls_today=account.quota.calls,
        quota_limit=account.quota.limit,
        quota_left=account.quota.left,
        is_quota_said=account.quota.is_said,
        next_try_at=account.next_try_at,
    )
