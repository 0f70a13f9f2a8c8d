"""What came of each run: the counts of `weixin.run_report`, beside Airflow's own state."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from weixin_etl.clock import days_as_ranges
from weixin_etl.model import Coverage, State
from weixin_etl.orchestration.airflow_state import AirflowRun
from weixin_etl.orchestration.page.calendar import Account, accounts_of, days_of
from weixin_etl.orchestration.page.reader import Figures
from weixin_etl.trouble.at_work import Airflow, progress
from weixin_etl.trouble.days import pairs_by_account

RUNS_PER_PAGE = 20
ACCOUNTS = 100
"""Accounts of a run that are shown, the ones that are not in first."""

AirflowRuns = Callable[[str, Collection[str], int], dict[str, AirflowRun]]


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run, what came of it, and what Airflow says of it."""

    run_id: str
    at: datetime | None
    """When it was planned; of a run that planned nothing, when it started."""
    state: str | None
    """Airflow's; None when Airflow has the run no more."""
    run_type: str | None
    ended_at: datetime | None
    counts: dict[str, Any] | None
    """None: it planned nothing."""
    is_at_work: bool
    """Whether it is asking WeChat."""
    days_left: int
    """Days that a run at work has yet to bring in, those that it tries again as well."""


@dataclass(frozen=True, slots=True)
class View:
    """A page of runs, newest first."""

    run_count: int
    runs: tuple[ShownRun, ...]
    page_size: int = RUNS_PER_PAGE


def view(of: Figures, airflow: Airflow, airflow_runs: AirflowRuns, offset: int) -> View:
    """The runs that planned something; on the first page also newer ones that did not get there."""
    at_work = airflow.at_work(of.dataset)
    days_left: Counter[str] = Counter()
    for account in progress(of.connection, of.dataset, airflow):
        days_left[account.run_id] += len(account.days_left)
    found = of.rows("page/runs.sql", most=RUNS_PER_PAGE, offset=offset)
    run_count = found[0]["run_count"] if found else 0
    known = airflow_runs(
        of.dataset.dag_id, [row["run_id"] for row in found], 0 if offset else RUNS_PER_PAGE
    )
    shown = [
        _run(
            row["run_id"],
            row["planned_at"],
            known.pop(row["run_id"], None),
            row,
            at_work,
            days_left,
        )
        for row in found
    ]
    oldest = min((run.at for run in shown if run.at), default=None)
    shown += [
        _run(run.run_id, run.started_at, run, None, at_work, days_left)
        for run in known.values()
        if oldest is None or run.started_at is None or run.started_at >= oldest
    ]
    shown.sort(key=lambda run: (run.at is None, run.at), reverse=True)
    return View(run_count=run_count, runs=tuple(shown))


def _run(
    run_id: str,
    at: datetime | None,
    known: AirflowRun | None,
    row: dict[str, Any] | None,
    at_work: Collection[str],
    days_left: Mapping[str, int],
) -> ShownRun:
    if row and known and known.is_refetch:
        row = {**row, "not_in": row["not_answered"]}
    return ShownRun(
        run_id=run_id,
        at=at,
        state=known.state if known else None,
        run_type=known.run_type if known else None,
        ended_at=known.ended_at if known else None,
        counts=row,
        is_at_work=run_id in at_work,
        days_left=days_left.get(run_id, 0),
    )


def accounts(of: Figures, airflow_runs: AirflowRuns, run_id: str) -> tuple[dict[str, Any], ...]:
    """What came of a run by account, those that are not in first, with its days by their state."""
    run = airflow_runs(of.dataset.dag_id, [run_id], 0).get(run_id)
    refetch = run is not None and run.is_refetch
    found = of.rows("page/run_accounts.sql", run_id=run_id, refetch=refetch, most=ACCOUNTS)
    appids = [row["appid"] for row in found]
    known = {row["appid"]: row for row in accounts_of(of, "", appids, ACCOUNTS, 0)}
    pairs = pairs_by_account(of.rows("page/run_pairs.sql", run_id=run_id, appids=appids))
    return tuple(
        {**row, "states": _states(of, known.get(row["appid"]), pairs[row["appid"]])}
        for row in found
    )


def _states(
    of: Figures, account: Account | None, pairs: Mapping[date, Coverage | None]
) -> list[dict[str, Any]]:
    """The words for some days of an account, in the order of `State`, with the days of each."""
    days = days_of(of, account, pairs)
    by_state: dict[State, list[date]] = defaultdict(list)
    for day in pairs:
        by_state[days.state(day, of.now)].append(day)
    return [
        {"state": state, "days": days_as_ranges(by_state[state])}
        for state in State
        if state in by_state
    ]
