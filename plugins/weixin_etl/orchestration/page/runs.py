"""What came of each run: the counts of `weixin.run_report`, beside Airflow's own state."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weixin_etl.orchestration.airflow_state import AirflowRun
from weixin_etl.orchestration.page.reader import Figures
from weixin_etl.trouble.at_work import Airflow, progress

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
    for it in progress(of.connection, of.dataset, airflow):
        days_left[it.run_id] += len(it.days_left)
    found = of.rows("page/runs.sql", most=RUNS_PER_PAGE, offset=offset, at_work=at_work)
    run_count = found[0].pop("run_count") if found else 0
    known = airflow_runs(
        of.dataset.dag_id, [it["run_id"] for it in found], 0 if offset else RUNS_PER_PAGE
    )
    shown = []
    for counts in found:
        counts.pop("run_count", None)
        run_id, at = counts.pop("run_id"), counts.pop("planned_at")
        shown.append(_run(run_id, at, known.pop(run_id, None), counts, at_work, days_left))
    oldest = min((run.at for run in shown if run.at), default=None)
    shown += [
        _run(run.run_id, run.started_at, run, None, at_work, days_left)
        for run in known.values()
        if oldest is None or run.started_at is None or run.started_at >= oldest
    ]
    shown.sort(key=lambda run: (run.at is None, run.at), reverse=True)
    return View(run_count=run_count, runs=tuple(shown))


def accounts(of: Figures, airflow: Airflow, run_id: str) -> tuple[dict[str, Any], ...]:
    """What came of a run by account, those that are not in first."""
    at_work = airflow.at_work(of.dataset)
    return of.rows("page/run_accounts.sql", run_id=run_id, most=ACCOUNTS, at_work=at_work)


def _run(
    run_id: str,
    at: datetime | None,
    known: AirflowRun | None,
    counts: dict[str, Any] | None,
    at_work: Collection[str],
    days_left: Mapping[str, int],
) -> ShownRun:
    return ShownRun(
        run_id=run_id,
        at=at,
        state=known.state if known else None,
        run_type=known.run_type if known else None,
        ended_at=known.ended_at if known else None,
        counts=counts,
        is_at_work=run_id in at_work,
        days_left=days_left.get(run_id, 0),
    )
