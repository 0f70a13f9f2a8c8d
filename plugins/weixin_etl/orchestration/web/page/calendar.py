"""Accounts by days, and one day's story, both as `analytics.coverage` has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health.alerts import Airflow, Alert, Severity
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
    State.UNCONFIRMED: "in",
    State.LOST: "needs_you",
    State.GIVEN_UP: "needs_you",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """A dataset's figures in the warehouse, as they are now."""

    connection: Connection
    dataset: Dataset
    now: datetime
    airflow: Airflow | None = None
    """What Airflow knows; None when it was not asked."""

    def rows(self, path: str, **values: object) -> tuple[RowMapping, ...]:
        """The rows of the dataset that a statement finds."""
        values["dataset"] = self.dataset.name
        found = self.connection.execute(statement(path, self.dataset), values)
        return tuple(found.mappings())


def sign(day: Mapping[str, Any]) -> str:
    """
    Return the sign of a day: one that is not in needs you as soon as its trouble does.

    A day that is not asked for any more keeps the sign of what was loaded.
    """
    trouble: Alert | None = day["trouble"]
    is_failure = trouble is not None and trouble.severity is Severity.FAILURE
    if day["is_ended"] and day["state"] != State.FINAL and (day["ready_at"] or not is_failure):
        return "in" if day["ready_at"] else "ended"
    return _SIGNS.get(day["state"], "needs_you" if is_failure else "not_yet")


def view(of: Figures, *, last: date | None, search: str, offset: int) -> dict[str, Any]:
    """What `coverage.html` shows: a page of accounts on the days up to `last`, or yesterday."""
    newest = clock.beijing_date(of.now) - _DAY
    last = min(last or newest, newest)
    days = [last - _DAY * back for back in reversed(range(DAYS_PER_PAGE))]
    asked = {"search": search, "appid": None, "offset": offset, "most": ACCOUNTS_PER_PAGE}
    accounts = of.rows("page/accounts.sql", **asked)
    found = _days(of, accounts, days[0], last)
    return {
        "dataset": of.dataset,
        "days": days,
        "earlier": days[0] - _DAY,
        "later": min(last + _DAY * DAYS_PER_PAGE, newest) if last < newest else None,
        "rows": [(it, [found.get((it["appid"], day)) for day in days]) for it in accounts],
        "account_count": accounts[0]["account_count"] if accounts else 0,
        "page_size": ACCOUNTS_PER_PAGE,
        "search": search,
        "offset": offset,
    }


def story(of: Figures, appid: str, day: date) -> dict[str, Any] | None:
    """What `day.html` shows of a day; None when there is no such account."""
    accounts = of.rows("page/accounts.sql", search="", appid=appid, offset=0, most=1)
    if not accounts:
        return None
    cell = _days(of, accounts, day, day).get((appid, day), {})
    form: dict[str, Any] = {"begin_date": day, "end_date": day, "accounts": [appid]}
    form |= {"refetch": True} if cell.get("settled") else {}
    kind = ProblemKind(cell.get("error_kind") or ProblemKind.UNKNOWN)
    cause, cure = cell.get("error") or "", cell.get("cure") or ""
    whose = {"appid": appid, "conn_id": accounts[0]["conn_id"]}
    why = Problem(kind, cause, cure, code=str(cell.get("error_code") or ""), **whose)
    return {
        "dataset": of.dataset,
        "account": accounts[0],
        "cell": cell,
        "why": why.with_successor(of.dataset.successor_dag_id),
        "in_successor": accounts[0]["is_retired"] and _is_in_successor(of, appid),
        "form": msgspec.json.encode(form).decode(),
        "runs": of.rows("page/pair_runs.sql", appid=appid, day=day),
        "rejected": of.rows("page/rejected.sql", appid=appid, day=day),
        **{"day": day, "before": day - _DAY, "after": day + _DAY},
    }


def _is_in_successor(of: Figures, appid: str) -> bool:
    """Return whether the endpoint's successor has days of an account."""
    if of.dataset.successor is None:
        return False
    successor = replace(of, dataset=DATASETS[of.dataset.successor])
    one = {"search": "", "appid": appid, "offset": 0, "most": 1}
    return bool(successor.rows("page/accounts.sql", **one))


def _days(
    of: Figures, accounts: Sequence[RowMapping], first: date, last: date
) -> dict[tuple[str, date], dict[str, Any]]:
    """Return the days of accounts that anybody ever wanted, each with what is wrong with it."""
    ended = {it["appid"]: it["is_retired"] or not it["is_active"] for it in accounts}
    appids = [*ended]
    asked = {"appids": appids, "first_date": first, "last_date": last}
    found = of.rows("page/days.sql", **asked, now=of.now)
    troubles = read_days(of.connection, of.airflow, of.dataset, appids, of.now)
    return {
        day: {**row, "trouble": _of_day(troubles.get(day), row), "is_ended": ended[row["appid"]]}
        for row in found
        for day in [(row["appid"], row["day"])]
    }


def _of_day(trouble: Alert | None, day: RowMapping) -> Alert | None:
    """Return a day's trouble; the cause of rejected parts is about those of the day alone."""
    if trouble is None or trouble.problem.kind is not ProblemKind.REJECTED:
        return trouble
    problem = replace(trouble.problem, cause=day["rejected_cause"] or "")
    return replace(trouble, problem=problem)
