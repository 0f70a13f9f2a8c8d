"""The coverage calendar: accounts by days, and one pair's story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from weixin_etl import clock
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.page.reader import Figures, told
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import status
from weixin_etl.trouble.at_work import Airflow
from weixin_etl.trouble.days import AccountDays, ending, pairs_by_account

ACCOUNTS_PER_PAGE = 25
NEIGHBOURS = timedelta(days=62)
"""So far to each side days in the same state are looked for."""
MOST = 50
"""Changed figures and rejected reasons a story lists."""
_DAY = timedelta(days=1)

Account = Mapping[str, Any]
"""A row of `page/accounts.sql`."""


@dataclass(frozen=True, slots=True)
class ShownDays:
    """An account's days, oldest first."""

    appid: str
    name: str
    is_active: bool
    states: tuple[State | None, ...]
    """None: the account was not collected yet, and the day was never asked for."""
    endings: tuple[str | None, ...]
    """How the last attempt for each ended: `ok`, `not_ready` or `failed`; None without one."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of the calendar."""

    first: date
    last: date
    newest: date
    """Yesterday in Beijing: there is no later day."""
    account_count: int
    accounts: tuple[ShownDays, ...]
    is_at_work: bool
    """Whether a run is asking WeChat."""
    page_size: int = ACCOUNTS_PER_PAGE


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a pair."""

    appid: str
    name: str
    day: date
    state: State | None
    coverage: dict[str, Any] | None
    """The row of `weixin.coverage`, with how the last attempt ended."""
    form: dict[str, Any]
    """What to enter into the DAG's form to ask for the day, and its neighbours in this state."""
    form_day_count: int
    runs: tuple[dict[str, Any], ...]
    """What came of it in each run that planned it, newest first."""
    restatements: tuple[dict[str, Any], ...]
    restatement_count: int
    rejected: tuple[dict[str, Any], ...]
    """Rejected parts, by reason."""
    answers: tuple[dict[str, Any], ...]
    """The distinct answers, newest first; `weixin-etl answers` prints them."""


def view(
    of: Figures,
    airflow: Airflow,
    *,
    last: date | None,
    days: int,
    search: str,
    offset: int,
    only_trouble: bool,
) -> View:
    """
    The states of a page of accounts on `days` days up to `last`; up to yesterday by default.

    With `only_trouble`, of the accounts that have a day that is not in.
    """
    newest = clock.beijing_date(of.now) - _DAY
    last = min(last or newest, newest)
    first = last - _DAY * (days - 1)
    appids = None
    if only_trouble:
        found = status.read(of.connection, airflow, now=of.now, datasets=[of.dataset])
        appids = [account.facts.appid for account in found.accounts if not account.is_healthy]
    accounts = accounts_of(of, search.strip(), appids, ACCOUNTS_PER_PAGE, offset)
    rows = of.rows(
        "page/coverages.sql",
        appids=[account["appid"] for account in accounts],
        first_date=first,
        last_date=last,
    )
    pairs = pairs_by_account(rows)
    shown = [first + _DAY * number for number in range(days)]
    return View(
        first=first,
        last=last,
        newest=newest,
        account_count=accounts[0]["account_count"] if accounts else 0,
        accounts=tuple(_shown(of, account, pairs[account["appid"]], shown) for account in accounts),
        is_at_work=bool(airflow.at_work(of.dataset)),
    )


def _shown(
    of: Figures, account: Account, pairs: Mapping[date, Coverage | None], shown: Sequence[date]
) -> ShownDays:
    days = days_of(of, account, pairs)
    return ShownDays(
        appid=account["appid"],
        name=account["name"],
        is_active=account["is_active"],
        states=tuple(_state(of, account, days, day) for day in shown),
        endings=tuple(ending(pairs.get(day)) for day in shown),
    )


def story(of: Figures, appid: str, day: date) -> Story | None:
    """All that is known of a pair; None when there is no such account."""
    accounts = accounts_of(of, "", [appid], 1, 0)
    if not accounts:
        return None
    (account,) = accounts
    pair = {"appid": appid, "day": day}
    restatements = of.rows("page/pair_restatements.sql", **pair, most=MOST)
    coverage = [_coverage(of, row) for row in of.rows("page/pair_coverage.sql", **pair)]
    state, first, last = _alike(of, account, day)
    form = {"begin_date": first, "end_date": last, "accounts": [appid]}
    if state in (State.FINAL, State.GIVEN_UP):
        form["refetch"] = True
    return Story(
        appid=appid,
        name=account["name"],
        day=day,
        state=state,
        coverage=coverage[0] if coverage else None,
        form=form,
        form_day_count=(last - first).days + 1,
        runs=of.rows("page/pair_runs.sql", **pair),
        restatements=restatements,
        restatement_count=restatements[0]["restatement_count"] if restatements else 0,
        rejected=tuple(
            {**row, "reason": of.said(row["reason"])}
            for row in of.rows("page/pair_rejected.sql", **pair, most=MOST)
        ),
        answers=of.rows("page/pair_answers.sql", **pair),
    )


def _alike(of: Figures, account: Account, day: date) -> tuple[State | None, date, date]:
    """The day's state, and the first and last of its neighbours that need asking as it does."""
    newest = clock.beijing_date(of.now) - _DAY
    begin, end = day - NEIGHBOURS, min(day + NEIGHBOURS, newest)
    rows = of.rows("page/coverages.sql", appids=[account["appid"]], first_date=begin, last_date=end)
    days = days_of(of, account, pairs_by_account(rows)[account["appid"]])
    state, first, last = _state(of, account, days, day), day, day
    if state in (State.FINAL, State.IN, None):
        return state, first, last
    while first > begin and _state(of, account, days, first - _DAY) == state:
        first -= _DAY
    while last < end and _state(of, account, days, last + _DAY) == state:
        last += _DAY
    return state, first, last


def _coverage(of: Figures, row: dict[str, Any]) -> dict[str, Any]:
    """The row, with why its last attempt did not end ok as its reader is told now."""
    pair = Coverage(**row)
    kind = ProblemKind(pair.error_kind or ProblemKind.UNKNOWN)
    problem = Problem(kind, pair.error or "", pair.cure or "", errcode=pair.error_code)
    said = told(problem, of.language)
    return {**row, "ending": ending(pair), "error": said.cause, "cure": said.cure}


def accounts_of(
    of: Figures, search: str, appids: Sequence[str] | None, most: int, offset: int
) -> tuple[Account, ...]:
    """The accounts that match, in their order; those of `appids` alone, if given."""
    return of.rows("page/accounts.sql", search=search, appids=appids, most=most, offset=offset)


def days_of(
    of: Figures, account: Account | None, pairs: Mapping[date, Coverage | None]
) -> AccountDays:
    """The account's days, as their states are judged."""
    row = account or dict.fromkeys(("since_date", "catch_up_days", "heard_at"))
    return AccountDays(of.dataset, row["since_date"], row["catch_up_days"], row["heard_at"], pairs)


def _state(of: Figures, account: Account, days: AccountDays, day: date) -> State | None:
    """What the day is called; None for one that nobody ever wanted."""
    if day not in days.pairs:
        begin = account["since_date"] or account["first_date"]
        is_collected = account["is_active"] or day <= account["last_date"]
        if day < max(begin, of.dataset.first_day) or not is_collected:
            return None
    return days.state(day, of.now)
