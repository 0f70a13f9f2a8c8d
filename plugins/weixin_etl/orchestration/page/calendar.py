"""The coverage calendar: accounts by publication days, and one pair's story."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from weixin_etl import clock, rules
from weixin_etl.model import Coverage, DayState, Pair
from weixin_etl.orchestration.page.reader import Figures, told
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import status
from weixin_etl.trouble.at_work import Airflow, progress

ACCOUNTS_PER_PAGE = 25
NEIGHBOURS = timedelta(days=62)
"""So far to each side days in the same state are looked for."""
MOST = 50
"""Changed figures and rejected reasons a story lists."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ShownDays:
    """An account's days, oldest first."""

    appid: str
    name: str
    is_active: bool
    states: tuple[DayState | None, ...]
    """None: the account was not collected yet, and the day was never asked for."""


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
    state: DayState | None
    coverage: dict[str, Any] | None
    """The row of `weixin.coverage`."""
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
        found = status.read(
            of.connection,
            airflow,
            now=of.now,
            catch_up_days=of.catch_up_days,
            datasets=[of.dataset],
        )
        appids = [it.facts.appid for it in found.accounts if not it.is_healthy]
    accounts = _accounts(of, search.strip(), appids, ACCOUNTS_PER_PAGE, offset)
    of_days = _coverages(of, [it["appid"] for it in accounts], first, last)
    being_asked = _being_asked(of, airflow)
    return View(
        first=first,
        last=last,
        newest=newest,
        account_count=accounts[0]["account_count"] if accounts else 0,
        accounts=tuple(
            ShownDays(
                appid=account["appid"],
                name=account["name"],
                is_active=account["is_active"],
                states=tuple(
                    _state(of, account, first + _DAY * n, of_days[account["appid"]], being_asked)
                    for n in range(days)
                ),
            )
            for account in accounts
        ),
        is_at_work=bool(airflow.at_work(of.dataset)),
    )


def story(of: Figures, airflow: Airflow, appid: str, day: date) -> Story | None:
    """All that is known of a pair; None when there is no such account."""
    accounts = _accounts(of, "", [appid], 1, 0)
    if not accounts:
        return None
    (account,) = accounts
    newest = clock.beijing_date(of.now) - _DAY
    begin, end = day - NEIGHBOURS, min(day + NEIGHBOURS, newest)
    coverages = _coverages(of, [appid], begin, end)[appid]
    being_asked = _being_asked(of, airflow)

    def state(day: date) -> DayState | None:
        return _state(of, account, day, coverages, being_asked)

    first = last = day
    while first > begin and state(first - _DAY) == state(day):
        first -= _DAY
    while last < end and state(last + _DAY) == state(day):
        last += _DAY
    if state(day) in (DayState.FINAL, DayState.IN, None):
        first = last = day
    form = {"begin_date": first, "end_date": last, "accounts": [appid]}
    if state(day) is DayState.FINAL:
        form["refetch"] = True
    pair = {"appid": appid, "publication_date": day}
    restatements = of.rows("page/pair_restatements.sql", **pair, most=MOST)
    coverage = [_coverage(of, row) for row in of.rows("page/pair_coverage.sql", **pair)]
    return Story(
        appid=appid,
        name=account["name"],
        day=day,
        state=state(day),
        coverage=coverage[0] if coverage else None,
        form=form,
        form_day_count=(last - first).days + 1,
        runs=of.rows("page/pair_runs.sql", **pair, at_work=airflow.at_work(of.dataset)),
        restatements=restatements,
        restatement_count=restatements[0]["restatement_count"] if restatements else 0,
        rejected=tuple(
            {**row, "reason": of.said(row["reason"])}
            for row in of.rows("page/pair_rejected.sql", **pair, most=MOST)
        ),
        answers=of.rows("page/pair_answers.sql", **pair),
    )


def _coverage(of: Figures, row: dict[str, Any]) -> dict[str, Any]:
    """The row, with why its last attempt did not end ok as its reader is told now."""
    known = Coverage.of(row)
    kind = known.error_kind or ProblemKind.UNKNOWN
    problem = Problem(kind, known.error or "", known.cure or "", errcode=known.error_code)
    said = told(problem.as_of(known.attempted_at or of.now, of.now), of.language)
    return {**row, "error": said.cause, "cure": said.cure}


def _accounts(
    of: Figures, search: str, appids: Sequence[str] | None, most: int, offset: int
) -> tuple[dict[str, Any], ...]:
    """The accounts that match, in their order; those of `appids` alone, if given."""
    return of.rows("page/accounts.sql", search=search, appids=appids, most=most, offset=offset)


def _coverages(
    of: Figures, appids: Sequence[str], first: date, last: date
) -> Mapping[str, dict[date, Coverage]]:
    """What we have of the accounts' days."""
    rows = of.rows("page/coverages.sql", appids=[*appids], first_date=first, last_date=last)
    return Coverage.by_account(rows)


def _being_asked(of: Figures, airflow: Airflow) -> set[Pair]:
    """What runs at work have yet to bring in."""
    found = progress(of.connection, of.dataset, airflow)
    return {(it.appid, day) for it in found for day in it.days_left}


def _state(
    of: Figures,
    account: Mapping[str, Any],
    day: date,
    coverages: Mapping[date, Coverage],
    being_asked: Collection[Pair],
) -> DayState | None:
    """What the day is called; None for one that nobody ever wanted."""
    known = coverages.get(day)
    first_daily_date: date | None = account["first_daily_date"]
    is_being_asked = (account["appid"], day) in being_asked
    if known is None and not is_being_asked:
        begin = account["first_date"]
        if first_daily_date:
            begin = max(first_daily_date - _DAY * of.dataset.window, of.dataset.first_day)
        is_collected = account["is_active"] or day <= account["last_date"]
        if day < begin or not is_collected:
            return None
    state = rules.day_state(
        of.dataset,
        day,
        known,
        first_daily_date=first_daily_date,
        now=of.now,
        is_retired=rules.is_retired(account["last_errcodes"]),
        catch_up_days=of.catch_up_days,
    )
    return rules.while_asked(state) if is_being_asked else state
