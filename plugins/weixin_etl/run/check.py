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
from weixin_etl.run.outcome import Outcome, problem_of, read_outcome
from weixin_etl.sentences import sentence
from weixin_etl.warehouse import diagnosed, require_migrated, statement

log = logging.getLogger(__name__)

SLICES_IN_LOG = 700
"""The most slices that get a log line each. The table `weixin.run_report` has those of any run."""
SILENT_DAYS = 30
"""The number of consecutive answered days without an article that leads to a warning."""


def report(work: Work, planned: Batch) -> dict[str, int]:
    """
    Log a line per planned slice, unless the run has more than `SLICES_IN_LOG`.

    Returns:
        The totals of the run: calls, rows and rejected parts, see `Counts`; the numbers of planned
        slices that are satisfied (`in`) and that are not (`not_in`).

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
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
    """Read the calls, rows and rejected parts of a run for each slice."""
    keys = {"run_id": run.run_id, "dataset": run.dataset.name}
    rows = connection.execute(statement("run_report/of_run.sql"), keys)
    return {(row.appid, row.day): Counts(*row[2:]) for row in rows}


def _totals(outcome: Outcome, done: Mapping[Slice, Counts]) -> dict[str, int]:
    """Return the sums of the counts, and the numbers of slices that are in and not in."""
    satisfied = [outcome.is_satisfied(account, row) for account, _, row in outcome.slices()]
    totals = asdict(sum(done.values(), Counts()))
    return {**totals, "in": sum(satisfied), "not_in": len(satisfied) - sum(satisfied)}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The problems of a run, and what the run did."""

    not_in: list[Problem]
    """
    The problems that fail the run.

    They concern accounts that could not be planned and planned slices that are not satisfied.
    """
    warnings: list[Problem]
    totals: dict[str, int]
    """The totals that `report` returns."""
    changed_days: list[date]
    """
    The days whose rows the run changed, also before it was cleared.

    Slices that the current plan has and that are not satisfied are left out.
    """


def check(work: Work, configured: Sequence[ConfiguredAccount], planned: Batch) -> CheckResult:
    """
    Return the problems of the run by the present state of the warehouse, and log them.

    The problems that fail the run are logged last.

    Args:
        work: the run with its warehouse.
        configured: the configured accounts. One that could not be planned fails the run.
        planned: the run's plan.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
    unplanned = [entry.problem for entry in configured if entry.is_wanted and not entry.appid]
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        outcome, done = read_outcome(connection, work, planned), _counts(connection, work.run)
        warnings = [*outcome.excused(), *_silent_accounts(connection, outcome)]
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
    return CheckResult(not_in, warnings, _totals(outcome, done), changed_days)


def _silent_accounts(connection: Connection, outcome: Outcome) -> list[Problem]:
    """Return a problem for each account that had articles, but none on `SILENT_DAYS` days."""
    dataset = outcome.run.dataset
    if not dataset.describes_articles:
        return []
    accounts = {
        account.appid: account
        for account in outcome.accounts
        if not account.due.is_retirement_check
    }
    values = {"dataset": dataset.name, "appids": [*accounts], "days": SILENT_DAYS}
    return [
        problem_of(
            accounts[row.appid],
            ProblemKind.SILENT,
            cause=sentence(
                "it has listed no new article since {date}; answered days: {count}",
                date=row.last_date,
                count=row.day_count,
            ),
        )
        for row in connection.execute(statement("coverage/silent.sql"), values)
    ]
