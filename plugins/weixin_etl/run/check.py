"""
The steps report and check.

`report` logs what a run did with each planned slice. `check` decides whether the run fails and
gives the reasons. Both read the warehouse as it is now, so that answers loaded by other runs count.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from msgspec.structs import asdict
from sqlalchemy import Connection

from weixin_etl.model import Batch, ConfiguredAccount, Counts, Run, Slice
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run import Work
from weixin_etl.run.outcome import Outcome, calls_made, read_outcome
from weixin_etl.sentences import sentence
from weixin_etl.warehouse import diagnosed, require_migrated, statement
from weixin_etl.warehouse.account_days import refresh_account_days

log = logging.getLogger(__name__)

SLICES_IN_LOG = 700
"""The most slices that get a log line each. The table `weixin.run_report` has those of any run."""
SILENT_DAYS = 30
"""The number of consecutive answered days without an article that leads to a warning."""
_SILENT_CAUSE = "it has listed no new article since {date}; answered days: {count}"


def report(work: Work, planned: Batch) -> dict[str, int]:
    """
    Log what the run did with each planned slice, and the run's totals.

    Account days that a killed task has left stale are computed. Nothing else is written.

    A slice that is not satisfied is logged as a warning. If the run planned more than
    `SLICES_IN_LOG` slices, only the totals are logged.

    Args:
        work: the run with its warehouse.
        planned: the run's plan.

    Returns:
        The totals of the run: calls, rows and rejected parts, see `Counts`; the numbers of planned
        slices that are satisfied (`in`) and that are not (`not_in`).

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
    with diagnosed(work.warehouse):
        refresh_account_days(work.warehouse)
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        outcome, done = read_outcome(connection, work, planned), _counts(connection, work.run)
    slices = [*outcome.slices()]
    for account, day, coverage in slices if len(slices) <= SLICES_IN_LOG else ():
        is_satisfied = outcome.is_satisfied(account, coverage)
        counts = done.get((account.appid, day), Counts())
        level, result = (logging.INFO, "in") if is_satisfied else (logging.WARNING, "not in")
        log.log(level, "%s %s: %s; %s", account.name, day, result, counts)
    totals = _totals(outcome, done)
    log.info("%s, %s in, %s not in", sum(done.values(), Counts()), totals["in"], totals["not_in"])
    return totals


def _counts(connection: Connection, run: Run) -> dict[Slice, Counts]:
    """
    Read from `weixin.run_report` what a run did so far, by slice: calls, rows, rejected parts.

    Slices of an earlier plan of the run are included if the run changed rows of them.
    """
    keys = {"run_id": run.run_id, "dataset": run.dataset.name}
    rows = connection.execute(statement("run_report/of_run.sql"), keys)
    return {(row.appid, row.day): Counts(*row[2:]) for row in rows}


def _totals(outcome: Outcome, done: Mapping[Slice, Counts]) -> dict[str, int]:
    """
    Return the totals of a run by name.

    They are the sums of `done` under the names of `Counts`, and the numbers of planned slices that
    are satisfied (`in`) and that are not (`not_in`).
    """
    satisfied = [outcome.is_satisfied(account, row) for account, _, row in outcome.slices()]
    totals = asdict(sum(done.values(), Counts()))
    return {**totals, "in": sum(satisfied), "not_in": len(satisfied) - sum(satisfied)}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of the step check: the problems of a run, and what the run did."""

    not_in: list[Problem]
    """
    The problems that fail the run.

    They concern accounts that could not be planned and planned slices that are not satisfied.
    """
    warnings: list[Problem]
    """
    The problems that do not fail the run.

    They are retirement checks of an endpoint that is still offline, and accounts that list nothing.
    """
    totals: dict[str, int]
    """The totals that `report` returns."""
    calls_left: int | None
    """
    The calls that the account with the most calls has left today.

    None if the setting `daily_calls` is 0.
    """
    changed_days: list[date]
    """
    The days whose rows the run changed, also before it was cleared.

    Slices that the current plan has and that are not satisfied are left out.
    """


def check(work: Work, configured: Sequence[ConfiguredAccount], planned: Batch) -> CheckResult:
    """
    Return the problems of the run by the present state of the warehouse, and log them.

    Warnings are logged first, then the problems that fail the run as errors. Nothing is written.

    Args:
        work: the run with its warehouse.
        configured: the configured accounts. One that could not be planned fails the run.
        planned: the run's plan.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
    unplanned = [entry.problem for entry in configured if entry.is_wanted and not entry.appid]
    with diagnosed(work.warehouse):
        refresh_account_days(work.warehouse)
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        outcome, done = read_outcome(connection, work, planned), _counts(connection, work.run)
        warnings = [*outcome.excused(), *_silent_accounts(connection, outcome)]
        made = calls_made(connection, work, [account.appid for account in planned])
    for problem in warnings:
        log.warning("%s", problem)
    not_in = [*filter(None, unplanned), *outcome.problems()]
    for problem in not_in:
        log.error("%s", problem)
    unsatisfied = {
        (account.appid, day)
        for account, day, coverage in outcome.slices()
        if not outcome.is_satisfied(account, coverage)
    }
    changed = {slice_key for slice_key, row in done.items() if row.inserted + row.updated}
    changed_days = sorted({day for _, day in changed - unsatisfied})
    quota = work.settings.daily_calls
    calls_left = quota - max(made.values(), default=0) if quota else None
    return CheckResult(not_in, warnings, _totals(outcome, done), calls_left, changed_days)


def _silent_accounts(connection: Connection, outcome: Outcome) -> list[Problem]:
    """
    Return a problem of kind `SILENT` for each planned account that stopped listing articles.

    Such an account listed articles once, and at least `SILENT_DAYS` later days have a ready answer
    without an article. Retirement checks are left out. Return no problem for a dataset of
    statistics days.
    """
    dataset, problems = outcome.run.dataset, []
    if not dataset.describes_articles:
        return []
    accounts = {row.appid: row for row in outcome.accounts if not row.due.is_retirement_check}
    values = {"dataset": dataset.name, "appids": [*accounts], "days": SILENT_DAYS}
    for row in connection.execute(statement("coverage/silent.sql"), values):
        cause = sentence(_SILENT_CAUSE, date=row.last_date, count=row.day_count)
        fields = accounts[row.appid].problem_fields
        problems.append(Problem.of_kind(ProblemKind.SILENT, cause, **fields))
    return problems
