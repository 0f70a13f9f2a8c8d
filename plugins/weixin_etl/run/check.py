"""The verbs report and check: what a run did, and its colour by what is true now."""

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

PAIRS_IN_LOG = 700
"""Up to so many pairs have a line each; of a longer run `weixin.run_report` has them."""
SILENT_DAYS = 30
"""So many answered days in a row that list nothing are worth a warning."""


def report(work: Work, planned: Batch) -> dict[str, int]:
    """
    Log a line per planned pair, and add up what the run did.

    Calls, rows and rejected parts; pairs that are in, and that are not.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        outcome, done = read_outcome(connection, work, planned), _counts(connection, work.run)
    pairs = [*outcome.pairs()]
    for account, day, pair in pairs if len(pairs) <= PAIRS_IN_LOG else ():
        is_in = outcome.is_in(account, pair)
        counts = done.get((account.appid, day), Counts())
        level, end = (logging.INFO, "in") if is_in else (logging.WARNING, "not in")
        log.log(level, "%s %s: %s; %s", account.name, day, end, counts)
    totals = _totals(outcome, done)
    log.info("%s, %s in, %s not in", sum(done.values(), Counts()), totals["in"], totals["not_in"])
    return totals


def _counts(connection: Connection, run: Run) -> dict[Slice, Counts]:
    """What a run did for each pair."""
    keys = {"run_id": run.run_id, "dataset": run.dataset.name}
    rows = connection.execute(statement("run_report/of_run.sql"), keys)
    return {(row.appid, row.day): Counts(*row[2:]) for row in rows}


def _totals(outcome: Outcome, done: Mapping[Slice, Counts]) -> dict[str, int]:
    """What a run did for all its pairs."""
    are_in = [outcome.is_in(account, pair) for account, _, pair in outcome.pairs()]
    totals = asdict(sum(done.values(), Counts()))
    return {**totals, "in": sum(are_in), "not_in": len(are_in) - sum(are_in)}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What is wrong with a run, and what it did."""

    not_in: list[Problem]
    """Accounts that could not be planned, and planned pairs that are not in: the run is red."""
    warnings: list[Problem]
    totals: dict[str, int]
    """As reported."""
    changed_days: list[date]
    """Those of pairs that are in and of which the run, also before it was cleared, changed rows."""


def check(work: Work, configured: Sequence[ConfiguredAccount], planned: Batch) -> CheckResult:
    """
    Judge the run by what is true now, whoever brought it in, and log why.

    `configured` are the accounts of the run: one that could not be planned makes it red. What makes
    the run red is logged last.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(work.warehouse)
    unplanned = [it.problem for it in configured if it.is_wanted and not it.appid and it.problem]
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        outcome, done = read_outcome(connection, work, planned), _counts(connection, work.run)
        found = [*outcome.excused(), *_silent(connection, outcome)]
    for problem in found:
        log.warning("%s", problem)
    not_in = [*unplanned, *outcome.problems()]
    for problem in not_in:
        log.error("%s", problem)
    late = {(it.appid, day) for it, day, pair in outcome.pairs() if not outcome.is_in(it, pair)}
    changed = {pair for pair, it in done.items() if it.inserted + it.updated}
    changed_days = sorted({day for _, day in changed - late})
    return CheckResult(not_in, found, _totals(outcome, done), changed_days)


def _silent(connection: Connection, outcome: Outcome) -> list[Problem]:
    """Accounts that published before, and of which many answered days list nothing."""
    dataset = outcome.run.dataset
    if not dataset.describes_articles:
        return []
    named = {
        account.appid: account
        for account in outcome.accounts
        if not account.due.is_retirement_check
    }
    values = {"dataset": dataset.name, "appids": [*named], "days": SILENT_DAYS}
    return [
        problem_of(
            named[row.appid],
            ProblemKind.SILENT,
            cause=sentence(
                "it has listed no new article since {date}; answered days: {count}",
                date=row.last_date,
                count=row.day_count,
            ),
        )
        for row in connection.execute(statement("coverage/silent.sql"), values)
    ]
