"""What is wrong now, and how each account stands: the first view, and `/health`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from weixin_etl import clock
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import Dataset
from weixin_etl.model import State
from weixin_etl.orchestration import airflow_state
from weixin_etl.orchestration.connections.warehouse import of_reader, open_reader, reading, reads_as
from weixin_etl.orchestration.page import airflow_ui
from weixin_etl.orchestration.page.reader import Language, in_language, told
from weixin_etl.problem import ProblemKind
from weixin_etl.trouble import status
from weixin_etl.trouble.at_work import RunAtWork
from weixin_etl.trouble.status import AccountStatus, ListedProblem, Status
from weixin_etl.warehouse import WarehouseError

ACCOUNTS_PER_PAGE = 25


Shown = dict[str, object]
"""A problem or an account, in the words of `/health`: see docs/operating/something-is-red.md."""


@dataclass(frozen=True, slots=True)
class View:
    """The first view."""

    is_healthy: bool
    is_read: bool
    """Whether the warehouse could be read."""
    reads_as: str
    """The connection the page reads the warehouse with; empty when it can't."""
    runs: tuple[RunAtWork, ...]
    problems: tuple[Shown, ...]
    """A problem that many accounts have is one, with `others`; so are the `closed` ones."""
    closed: tuple[Shown, ...]
    account_count: int
    """How many pairs of account and dataset match the search."""
    accounts: tuple[Shown, ...]
    """The accounts of one page, the ones in trouble first."""
    page_size: int = ACCOUNTS_PER_PAGE


@dataclass(frozen=True, slots=True)
class Health:
    """What monitors read."""

    is_healthy: bool
    checked_at: datetime
    problems: tuple[Shown, ...]
    accounts: tuple[Shown, ...]


def view(datasets: Sequence[Dataset], search: str, offset: int, language: Language = "en") -> View:
    """Everything of the first view; the accounts whose name, AppID or connection match."""
    found = current(datasets)
    wanted = search.strip().casefold()
    accounts = [account for account in found.accounts if _matches(account, wanted)]
    accounts.sort(key=lambda account: account.is_healthy)
    return View(
        is_healthy=found.is_healthy,
        is_read=found.is_read,
        reads_as=reads_as(),
        runs=found.runs,
        problems=_together(found.open, language),
        closed=_together(found.closed, language),
        account_count=len(accounts),
        accounts=tuple(map(_account, accounts[offset : offset + ACCOUNTS_PER_PAGE])),
    )


def _matches(account: AccountStatus, wanted: str) -> bool:
    facts = account.facts
    return any(wanted in text.casefold() for text in (facts.name, facts.appid, facts.conn_id))


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
    try:
        with reading(open_reader()) as connection:
            return status.read(connection, airflow, now=now, datasets=datasets)
    except WarehouseError as error:
        problem = replace(of_reader(error).problem, kind=ProblemKind.WAREHOUSE)
        known = [ListedProblem(problem)]
        found = status.assess([], known, airflow, now=now, datasets=datasets)
        return replace(found, is_read=False)


def _together(listed: Iterable[ListedProblem], language: Language) -> tuple[Shown, ...]:
    return tuple(
        {**_shown(first, language), "others": [_shown(other, language) for other in others]}
        for first, *others in status.alike(listed)
    )


def _shown(listed: ListedProblem, language: Language = "en") -> Shown:
    problem = told(listed.problem, language)
    lasted = ""
    if listed.opened_at and listed.closed_at:
        lasted = clock.duration(listed.closed_at - listed.opened_at)
    return {
        "incident_id": listed.incident_id,
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
        "lasted": in_language(language)(lasted),
        "run_id": listed.run_id,
        "path": airflow_ui.path(problem, listed.dataset, listed.run_id),
    }


def _account(account: AccountStatus) -> Shown:
    facts = account.facts
    return {
        "dataset": facts.dataset.name,
        "appid": facts.appid,
        "name": facts.name,
        "conn_id": facts.conn_id,
        "is_healthy": account.is_healthy,
        "is_retired": account.is_retired,
        "last_day_in": facts.last_day_in,
        "ready_at": facts.ready_at,
        "days_not_in": days_as_ranges(account.days_not_in),
        "days_not_in_count": len(account.days_not_in),
        "open_day_count": len(account.days.get(State.OPEN, ())),
        "silent_day_count": len(account.days.get(State.SILENT, ())),
        "being_asked_count": sum(asking.pair_count for asking in facts.at_work),
        "being_asked_left": sum(len(asking.days_left) for asking in facts.at_work),
        "open_incidents": account.open_incidents,
        "calls_today": facts.calls_today,
        "next_try_at": account.next_try_at,
    }
