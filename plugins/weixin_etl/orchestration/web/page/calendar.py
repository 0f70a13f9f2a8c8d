"""The coverage calendar: accounts by days, and one day's story."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

import msgspec

from weixin_etl import clock
from weixin_etl.health import status
from weixin_etl.health.at_work import Airflow
from weixin_etl.health.days import AccountDays, ending, pairs_by_account
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.web.page.reader import Figures, told
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import OFFLINE

ACCOUNTS_PER_PAGE = 25
DAYS_PER_PAGE = 35
NEIGHBOURS = timedelta(days=62)
"""So far to each side days in the same state are looked for."""
MOST = 50
"""Changed figures and rejected reasons a story lists."""
_DAY = timedelta(days=1)

Account = Mapping[str, Any]
"""A row of `page/accounts.sql`."""


class Sign(StrEnum):
    """What a cell of the calendar says at a glance."""

    FINAL = "final"
    IN = "in"
    NOT_YET = "not_yet"
    NEEDS_YOU = "needs_you"


def sign(state: State, pair: Coverage | None) -> Sign:
    """The sign of a day: what comes by itself does not need you, nor does a retired endpoint."""
    if state is State.FINAL:
        return Sign.FINAL
    if state in (State.IN, State.UNCONFIRMED):
        return Sign.IN
    if state in (State.LOST, State.GIVEN_UP):
        return Sign.NEEDS_YOU
    is_refused = pair is not None and ending(pair) == "failed" and pair.error_code != OFFLINE
    return Sign.NEEDS_YOU if state is State.LATE and is_refused else Sign.NOT_YET


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of an account."""

    day: date
    state: State
    sign: Sign
    ending: str | None
    """How the last attempt ended: `ok`, `not_ready` or `failed`; None without one."""


@dataclass(frozen=True, slots=True)
class Row:
    """An account's days, oldest first; None for one that nobody ever wanted."""

    appid: str
    name: str
    is_active: bool
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A part of the calendar."""

    days: tuple[date, ...]
    newest: date
    """Yesterday in Beijing: there is no later day."""
    account_count: int
    rows: tuple[Row, ...]
    is_at_work: bool
    """Whether a run is asking WeChat."""
    page_size: int = ACCOUNTS_PER_PAGE

    @property
    def earlier(self) -> date:
        """The last day of the days before."""
        return self.days[0] - _DAY

    @property
    def later(self) -> date:
        """The last day of the days after."""
        return min(self.days[-1] + _DAY * len(self.days), self.newest)

    @property
    def months(self) -> list[tuple[str, int]]:
        """Each month and how many of its days are shown."""
        by_month = groupby(self.days, lambda day: f"{day:%Y-%m}")
        return [(month, len(list(those))) for month, those in by_month]


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a day."""

    appid: str
    name: str
    day: date
    newest: date
    """Yesterday in Beijing."""
    cell: Cell | None
    pair: Coverage | None
    next_date: date | None
    """The morning whose daily run asks for it again; None when none does."""
    final_date: date | None
    """The first morning on which it can be final."""
    why: Problem
    """Why the last attempt did not end ok, as its reader is told."""
    form: str
    """What to enter into the DAG's form to ask for the day and its neighbours in this state."""
    form_day_count: int
    runs: tuple[dict[str, Any], ...]
    """What came of it in each run that planned it, newest first."""
    restatements: tuple[dict[str, Any], ...]
    rejected: tuple[dict[str, Any], ...]
    """Rejected parts, by reason."""
    answers: tuple[dict[str, Any], ...]
    """The distinct answers, newest first; `weixin-etl answers` prints them."""

    @property
    def earlier(self) -> date:
        """The day before."""
        return self.day - _DAY

    @property
    def later(self) -> date | None:
        """The day after, if it is over."""
        return self.day + _DAY if self.day < self.newest else None


def view(
    of: Figures, airflow: Airflow, *, last: date | None, search: str, offset: int, only: bool
) -> View:
    """
    A page of accounts on the days up to `last`; up to yesterday by default.

    With `only`, of the accounts that have a day that is not in.
    """
    newest = clock.beijing_date(of.now) - _DAY
    last = min(last or newest, newest)
    days = tuple(last - _DAY * back for back in reversed(range(DAYS_PER_PAGE)))
    appids = _in_trouble(of, airflow) if only else None
    accounts = _accounts(of, appids, search=search.strip(), offset=offset)
    pairs = _pairs(of, [account["appid"] for account in accounts], days[0], last)
    return View(
        days=days,
        newest=newest,
        account_count=accounts[0]["account_count"] if accounts else 0,
        rows=tuple(_row(of, it, pairs.get(it["appid"], {}), days) for it in accounts),
        is_at_work=bool(airflow.at_work(of.dataset)),
    )


def _in_trouble(of: Figures, airflow: Airflow) -> list[str]:
    """The accounts that have a day that is not in."""
    found = status.read(of.connection, airflow, now=of.now, datasets=[of.dataset])
    return [it.facts.appid for it in found.accounts if it.days_not_in or not it.is_healthy]


def _row(
    of: Figures, account: Account, pairs: Mapping[date, Coverage | None], days: Sequence[date]
) -> Row:
    known = _days(of, account, pairs)
    cells = tuple(_cell(of, account, known, day) for day in days)
    return Row(account["appid"], account["name"], account["is_active"], cells)


def story(of: Figures, appid: str, day: date) -> Story | None:
    """All that is known of a day; None when there is no such account."""
    accounts = _accounts(of, [appid])
    if not accounts:
        return None
    (account,) = accounts
    newest = clock.beijing_date(of.now) - _DAY
    begin, end = day - NEIGHBOURS, min(day + NEIGHBOURS, newest)
    known = _days(of, account, _pairs(of, [appid], begin, end).get(appid, {}))
    cell, pair = _cell(of, account, known, day), known.pairs.get(day)
    first, last = alike(day, begin, end, lambda it: _state(of, account, known, it))
    asked = {"appid": appid, "day": day}
    rejected = of.rows("page/pair_rejected.sql", **asked, most=MOST)
    return Story(
        appid=appid,
        name=account["name"],
        day=day,
        newest=newest,
        cell=cell,
        pair=pair,
        next_date=known.next_date(day, of.now),
        final_date=known.final_date(day, of.now),
        why=_why(of, pair),
        form=_form(appid, first, last, is_settled=bool(pair and pair.settled)),
        form_day_count=(last - first).days + 1,
        runs=of.rows("page/pair_runs.sql", **asked),
        restatements=of.rows("page/pair_restatements.sql", **asked, most=MOST),
        rejected=rejected,
        answers=of.rows("page/pair_answers.sql", **asked),
    )


def _why(of: Figures, pair: Coverage | None) -> Problem:
    known = pair or Coverage()
    kind = ProblemKind(known.error_kind or ProblemKind.UNKNOWN)
    problem = Problem(kind, known.error or "", known.cure or "", errcode=known.error_code)
    return told(problem, of.language)


def _form(appid: str, first: date, last: date, *, is_settled: bool) -> str:
    form = {"begin_date": first, "end_date": last, "accounts": [appid]}
    return msgspec.json.encode(form | ({"refetch": True} if is_settled else {})).decode()


def alike(
    day: date, begin: date, end: date, state: Callable[[date], State | None]
) -> tuple[date, date]:
    """The first and last of the days around a day that need asking as it does."""
    first = last = day
    if state(day) in (State.FINAL, State.IN, None):
        return first, last
    while first > begin and state(first - _DAY) == state(day):
        first -= _DAY
    while last < end and state(last + _DAY) == state(day):
        last += _DAY
    return first, last


def _accounts(
    of: Figures, appids: Sequence[str] | None, search: str = "", offset: int = 0
) -> tuple[Account, ...]:
    """The accounts that match, in their order; those of `appids` alone, if given."""
    values = {"search": search, "appids": appids, "most": ACCOUNTS_PER_PAGE, "offset": offset}
    return of.rows("page/accounts.sql", **values)


def _pairs(
    of: Figures, appids: Sequence[str], first: date, last: date
) -> Mapping[str, Mapping[date, Coverage | None]]:
    rows = of.rows("page/coverages.sql", appids=appids, first_date=first, last_date=last)
    return pairs_by_account(rows)


def _days(of: Figures, account: Account, pairs: Mapping[date, Coverage | None]) -> AccountDays:
    """The account's days, as their states are judged."""
    since = (account["since_date"], account["catch_up_days"], account["heard_at"])
    return AccountDays(of.dataset, *since, pairs, account["is_active"])


def _cell(of: Figures, account: Account, known: AccountDays, day: date) -> Cell | None:
    state, pair = _state(of, account, known, day), known.pairs.get(day)
    return Cell(day, state, sign(state, pair), ending(pair)) if state else None


def _state(of: Figures, account: Account, known: AccountDays, day: date) -> State | None:
    """What the day is called; None for one that nobody ever wanted."""
    if day not in known.pairs:
        begin = max(account["since_date"] or account["first_date"], of.dataset.first_day)
        is_collected = account["is_active"] or day <= (account["last_date"] or date.min)
        if day < begin or not is_collected:
            return None
    return known.state(day, of.now)
