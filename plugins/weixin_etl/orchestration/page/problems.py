"""What is wrong now, and how each account stands: the first view, and `/health`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import Dataset
from weixin_etl.model import DayState
from weixin_etl.orchestration import airflow_state, settings
from weixin_etl.orchestration.warehouse import of_reader, open_reader, reading, reads_as
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import status
from weixin_etl.trouble.status import AccountStatus, ListedProblem, Status
from weixin_etl.warehouse import WarehouseError

ACCOUNTS_PER_PAGE = 25


Shown = dict[str, object]
"""A problem or an account, in the words of `/health`: see docs/operating/something-is-red.md."""


@dataclass(frozen=True, slots=True)
class View:
    """The first view."""

    checked_at: datetime
    is_healthy: bool
    reads_as: str
    """The connection the page reads the warehouse with; empty when it can't."""
    problems: tuple[Shown, ...]
    closed: tuple[Shown, ...]
    account_count: int
    """Of accounts and datasets together that match the search."""
    accounts: tuple[Shown, ...]
    """Those of one page, the ones in trouble first."""
    page_size: int = ACCOUNTS_PER_PAGE


@dataclass(frozen=True, slots=True)
class Health:
    """What monitors read."""

    is_healthy: bool
    checked_at: datetime
    problems: tuple[Shown, ...]
    accounts: tuple[Shown, ...]


def view(datasets: Sequence[Dataset], search: str, offset: int) -> View:
    """Everything of the first view; the accounts whose name, AppID or connection match."""
    found = current(datasets)
    wanted = search.strip().casefold()
    accounts = [
        it
        for it in found.accounts
        if any(
            wanted in text.casefold() for text in (it.facts.name, it.facts.appid, it.facts.conn_id)
        )
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
        problem = ListedProblem(Problem(ProblemKind.WAREHOUSE, said.cause, said.cure))
        return status.assess([], [problem], airflow, now=now, catch_up_days=0, datasets=datasets)


def _shown(listed: ListedProblem) -> Shown:
    problem = listed.problem
    lasted = ""
    if listed.opened_at and listed.closed_at:
        lasted = clock.duration(listed.closed_at - listed.opened_at)
    return {
        "kind": problem.kind,
        "is_warning": listed.is_warning,
        "dataset": listed.dataset,
        "account": problem.account,
        "cure": problem.cure,
        "cause": problem.cause,
        "days": days_as_ranges(problem.days),
        "day_count": len(problem.days),
        "error_code": problem.errcode,
        "opened_at": listed.opened_at,
        "seen_at": listed.seen_at,
        "closed_at": listed.closed_at,
        "lasted": lasted,
        "run_id": listed.run_id,
    }


def _account(account: AccountStatus) -> Shown:
    return {
        "dataset": account.facts.dataset.name,
        "appid": account.facts.appid,
        "name": account.facts.name,
        "conn_id": account.facts.conn_id,
        "is_healthy": account.is_healthy,
        "is_retired": account.is_retired,
        "last_day_in": account.facts.last_day_in,
        "ready_at": account.facts.ready_at,
        "days_not_in": days_as_ranges(account.days_not_in),
        "days_not_in_count": len(account.days_not_in),
        "open_day_count": len(account.days.get(DayState.OPEN, ())),
        "resting_day_count": len(account.days.get(DayState.RESTING, ())),
        "open_incidents": account.open_incidents,
        "calls_today": account.facts.quota.calls,
        "quota_limit": account.facts.quota.limit,
        "quota_left": account.facts.quota.left,
        "is_quota_said": account.facts.quota.is_said,
        "next_try_at": account.next_try_at,
    }
