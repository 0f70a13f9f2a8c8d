"""
The figures behind two views of the page: the calendar of accounts by days, and one day's story.

Both read the same coverage as the view `analytics.coverage`. `app` renders what they return.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.alert import Alert, Severity
from weixin_etl.health.alerts import Airflow
from weixin_etl.health.status import read_days
from weixin_etl.model import State
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import statement

ACCOUNTS_PER_PAGE = 25
DAYS_PER_PAGE = 35
_DAY = timedelta(days=1)
_SIGNS = {
    State.FINAL: "final",
    State.IN: "in",
    State.BEHIND: "in",
    State.UNCONFIRMED: "in",
    State.LOST: "needs_you",
    State.GIVEN_UP: "needs_you",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """A dataset's figures in the warehouse at one moment, with the connection to read them."""

    connection: Connection
    dataset: Dataset
    now: datetime
    airflow: Airflow | None = None
    """The state of Airflow's DAGs and runs; None when it was not read."""

    def rows(self, path: str, **values: object) -> tuple[RowMapping, ...]:
        """
        Return the rows that a statement of the package selects for the dataset.

        Args:
            path: the statement's file below `sql`.
            **values: the statement's parameters beside `dataset`.
        """
        values["dataset"] = self.dataset.name
        found = self.connection.execute(statement(path, self.dataset), values)
        return tuple(found.mappings())


def sign(day: Mapping[str, Any]) -> str:
    """
    Return the sign of a calendar day: `final`, `in`, `ended`, `needs_you` or `not_yet`.

    Args:
        day: a cell of the calendar, as `view` and `story` return it.

    A missing day has the sign `needs_you` only while an alert of severity failure covers it. A day
    that ended has the sign `in` if an answer was ready, else `ended` without such an alert.
    """
    alert: Alert | None = day["alert"]
    is_failure = alert is not None and alert.severity is Severity.FAILURE
    if day["state"] == State.ENDED and (day["ready_at"] or not is_failure):
        return "in" if day["ready_at"] else "ended"
    return _SIGNS.get(day["state"], "needs_you" if is_failure else "not_yet")


def view(figures: Figures, *, last: date | None, search: str, offset: int) -> dict[str, Any]:
    """
    Return the variables of `coverage.html`: a page of accounts on `DAYS_PER_PAGE` days.

    An account's cells are in the order of the days; a day that no run ever planned is None.

    Args:
        figures: the dataset to show.
        last: the newest day of the page; None or a later day stands for yesterday in Beijing.
        search: part of an account's name, AppID or connection id; empty for all accounts.
        offset: the number of accounts on earlier pages.
    """
    newest = clock.beijing_date(figures.now) - _DAY
    last = min(last or newest, newest)
    days = [last - _DAY * back for back in reversed(range(DAYS_PER_PAGE))]
    selection = {"search": search, "appid": None, "offset": offset, "most": ACCOUNTS_PER_PAGE}
    accounts = figures.rows("page/accounts.sql", **selection)
    cells = _cells(figures, accounts, days[0], last)
    return {
        "dataset": figures.dataset,
        "days": days,
        "earlier": days[0] - _DAY,
        "later": min(last + _DAY * DAYS_PER_PAGE, newest) if last < newest else None,
        "rows": [
            (account, [cells.get((account["appid"], day)) for day in days]) for account in accounts
        ],
        "account_count": accounts[0]["account_count"] if accounts else 0,
        "page_size": ACCOUNTS_PER_PAGE,
        "search": search,
        "offset": offset,
    }


def story(figures: Figures, appid: str, day: date) -> dict[str, Any] | None:
    """
    Return the variables of `day.html`; None when the dataset has no account with this AppID.

    They are the account, the day's cell of the calendar (empty if no run ever planned the day), the
    problem of the last attempt (of kind UNKNOWN and without texts if there was none), whether the
    successor has the account of a retired endpoint, the configuration in JSON of a run that asks
    for the day again (with `refetch` if the day is settled), the runs that planned the day, its
    rejected parts, and the days before and after it.
    """
    accounts = figures.rows("page/accounts.sql", search="", appid=appid, offset=0, most=1)
    if not accounts:
        return None
    cell = _cells(figures, accounts, day, day).get((appid, day), {})
    form: dict[str, Any] = {"begin_date": day, "end_date": day, "accounts": [appid]}
    form |= {"refetch": True} if cell.get("settled") else {}
    kind = ProblemKind(cell.get("error_kind") or ProblemKind.UNKNOWN)
    cause, cure = cell.get("error") or "", cell.get("cure") or ""
    names = {"appid": appid, "conn_id": accounts[0]["conn_id"]}
    problem = Problem(kind, cause, cure, code=str(cell.get("error_code") or ""), **names)
    return {
        "dataset": figures.dataset,
        "account": accounts[0],
        "cell": cell,
        "problem": problem.with_successor(figures.dataset.successor_dag_id),
        "in_successor": accounts[0]["is_retired"] and _is_in_successor(figures, appid),
        "form": msgspec.json.encode(form).decode(),
        "runs": figures.rows("page/slice_runs.sql", appid=appid, day=day),
        "rejected": figures.rows("page/rejected.sql", appid=appid, day=day),
        **{"day": day, "before": day - _DAY, "after": day + _DAY},
    }


def _is_in_successor(figures: Figures, appid: str) -> bool:
    """Return whether the dataset has a successor, and the successor has the account."""
    if figures.dataset.successor is None:
        return False
    successor = replace(figures, dataset=DATASETS[figures.dataset.successor])
    accounts = successor.rows("page/accounts.sql", search="", appid=appid, offset=0, most=1)
    return bool(accounts)


def _cells(
    figures: Figures, accounts: Sequence[RowMapping], first: date, last: date
) -> dict[tuple[str, date], dict[str, Any]]:
    """
    Return the cells of the accounts from the day `first` to `last`, by AppID and day.

    A cell is a coverage row with its `alert` (None if nothing is wrong). A day that no run ever
    planned has no cell.
    """
    appids = [account["appid"] for account in accounts]
    selection = {"appids": appids, "first_date": first, "last_date": last}
    rows = figures.rows("page/days.sql", **selection, now=figures.now)
    alerts = read_days(figures.connection, figures.airflow, figures.dataset, appids, figures.now)
    return {
        key: {**row, "alert": _day_alert(alerts.get(key), row)}
        for row in rows
        for key in [(row["appid"], row["day"])]
    }


def _day_alert(alert: Alert | None, day: RowMapping) -> Alert | None:
    """
    Return the alert for one day; None stays None.

    The cause of an alert about rejected parts is replaced by the cause of this day's parts.
    """
    if alert is None or alert.problem.kind is not ProblemKind.REJECTED:
        return alert
    problem = replace(alert.problem, cause=day["rejected_cause"] or "")
    return replace(alert, problem=problem)
