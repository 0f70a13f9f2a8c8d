"""The coverage calendar: accounts by days, and one day's story."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

import msgspec

from weixin_etl import clock
from weixin_etl.health.days import AccountDays, ending, pairs_by_account
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.web.page.reader import Figures
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import OFFLINE

ACCOUNTS_PER_PAGE = 25
DAYS_PER_PAGE = 35
_DAY = timedelta(days=1)


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
class Account:
    """An account with some of its days."""

    appid: str
    name: str
    first_date: date | None
    """The first and the last day ever asked for."""
    last_date: date | None
    days: AccountDays

    def cell(self, of: Figures, day: date) -> Cell | None:
        """The day's cell; None for one that nobody ever wanted."""
        days, pair = self.days, self.days.pairs.get(day)
        if pair is None:
            begin = max(days.since_date or self.first_date or day, of.dataset.first_day)
            if day < begin or not (days.is_active or day <= (self.last_date or date.min)):
                return None
        state = days.state(day, of.now)
        return Cell(day, state, sign(state, pair), ending(pair))


@dataclass(frozen=True, slots=True)
class View:
    """A part of the calendar."""

    days: tuple[date, ...]
    newest: date
    """Yesterday in Beijing: there is no later day."""
    account_count: int
    rows: tuple[tuple[Account, tuple[Cell | None, ...]], ...]
    """Accounts, each with its days, oldest first."""

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

    account: Account
    day: date
    later: date | None
    """The day after, if it is over."""
    cell: Cell | None
    pair: Coverage | None
    next_date: date | None
    """The morning whose daily run asks for it again; None when none does."""
    final_date: date | None
    """The first morning on which it can be final."""
    why: Problem
    """Why the last attempt did not end ok."""
    form: str
    """What to enter into the DAG's form to ask for it."""
    runs: tuple[dict[str, Any], ...]
    """What came of it in each run that planned it, newest first."""

    @property
    def earlier(self) -> date:
        """The day before."""
        return self.day - _DAY


def view(of: Figures, *, last: date | None, search: str, offset: int) -> View:
    """A page of accounts on the days up to `last`; up to yesterday by default."""
    newest = clock.beijing_date(of.now) - _DAY
    last = min(last or newest, newest)
    days = tuple(last - _DAY * back for back in reversed(range(DAYS_PER_PAGE)))
    asked = {"search": search.strip(), "appid": None, "offset": offset}
    found = of.rows("page/accounts.sql", **asked, most=ACCOUNTS_PER_PAGE)
    accounts = _accounts(of, found, days[0], last)
    rows = tuple((it, tuple(it.cell(of, day) for day in days)) for it in accounts)
    return View(days, newest, found[0]["account_count"] if found else 0, rows)


def story(of: Figures, appid: str, day: date) -> Story | None:
    """All that is known of a day; None when there is no such account."""
    found = of.rows("page/accounts.sql", search="", appid=appid, offset=0, most=1)
    account = next(_accounts(of, found, day, day), None)
    if account is None:
        return None
    pair = account.days.pairs.get(day)
    known = pair or Coverage()
    form = {"begin_date": day, "end_date": day, "accounts": [appid]}
    form |= {"refetch": True} if known.settled else {}
    kind = ProblemKind(known.error_kind or ProblemKind.UNKNOWN)
    return Story(
        account,
        day,
        later=day + _DAY if day + _DAY < clock.beijing_date(of.now) else None,
        cell=account.cell(of, day),
        pair=pair,
        next_date=account.days.next_date(day, of.now),
        final_date=account.days.final_date(day, of.now),
        why=Problem(kind, known.error or "", known.cure or "", errcode=known.error_code),
        form=msgspec.json.encode(form).decode(),
        runs=of.rows("page/pair_runs.sql", appid=appid, day=day),
    )


def _accounts(
    of: Figures, found: Sequence[dict[str, Any]], first: date, last: date
) -> Iterator[Account]:
    """The accounts of some rows, with their days as their states are judged."""
    appids = [row["appid"] for row in found]
    rows = of.rows("page/coverages.sql", appids=appids, first_date=first, last_date=last)
    pairs = pairs_by_account(rows)
    for row in found:
        since = row["since_date"], row["catch_up_days"], row["heard_at"]
        days = AccountDays(of.dataset, *since, pairs.get(row["appid"], {}), row["is_active"])
        yield Account(row["appid"], row["name"], row["first_date"], row["last_date"], days)
