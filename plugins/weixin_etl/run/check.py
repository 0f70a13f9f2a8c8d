"""The run's colour: its planned pairs are in, by what is true now; and two things to know of."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.model import Batch, ConfiguredAccount, ParameterError, Run
from weixin_etl.problem import Problem, ProblemKind, log_problem
from weixin_etl.run import Settings
from weixin_etl.run.outcome import (
    accounts_not_in,
    calls_allowed,
    excused,
    known_of,
    problem_of,
    why_not_in,
    with_successor,
)
from weixin_etl.text import counted
from weixin_etl.warehouse import require_migrated, statement
from weixin_etl.warehouse.statements import arrays

log = logging.getLogger(__name__)

SILENT_DAYS = 30
"""So many answered days in a row that list nothing are worth a warning."""


class CheckError(Exception):
    """Planned pairs are not in, or an account could not be planned; the log has said why."""

    is_retryable = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with a run."""

    not_in: list[Problem]
    """Accounts that could not be planned, and planned pairs that are not in."""
    warnings: list[Problem]

    @property
    def problems(self) -> list[Problem]:
        """What people are told of."""
        return [*self.not_in, *self.warnings]

    def require_good(self) -> None:
        """
        Make sure that the run may be green.

        Raises:
            CheckError: it may not.
        """
        if self.not_in:
            raise CheckError(accounts_not_in(self.not_in))


def check(
    run: Run,
    warehouse: Engine,
    settings: Settings,
    configured: Sequence[ConfiguredAccount],
    planned: Batch,
    *,
    now: Callable[[], datetime] = clock.now,
) -> Judgement:
    """
    Judge the run by what is true now, whoever brought it in, and log why.

    `configured` are the accounts of the run: one that could not be planned makes it red. What makes
    the run red is logged last.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    at, dataset = now(), run.dataset
    unplanned = [
        account.problem
        for account in configured
        if account.is_wanted and not account.appid and account.problem
    ]
    with warehouse.connect() as connection:
        known = known_of(connection, dataset, planned)
        allowed = calls_allowed(connection, run, settings, planned, at)
        not_in = why_not_in(run, planned, known, allowed, at)
        found = [*excused(run, planned, known, at), *_rejected(connection, run, planned)]
        found += _silent(connection, run, planned)
        judgement = Judgement(
            [*unplanned, *with_successor(connection, dataset, not_in, at)],
            with_successor(connection, dataset, found, at),
        )
    for problem in judgement.warnings:
        log.warning("%s", problem)
    for problem in judgement.not_in:
        log_problem(log, problem)
    return judgement


def not_planned(run: Run, accounts: Sequence[ConfiguredAccount]) -> list[Problem]:
    """The accounts of a run that could not be planned, with the days it would have asked for."""
    try:
        days = run.dated(clock.beijing_date(clock.now())).days
        cure = "clear plan once what stopped it is mended"
    except ParameterError:  # the form's dates are the very reason
        days, cure = [], "trigger a new run, with days that can be asked for"
    cause = "not asked for, as the run could not be planned"
    return [
        account.problem or problem_of(account, ProblemKind.NOT_ASKED, cause, cure, days)
        for account in accounts
        if account.is_wanted
    ]


def _rejected(connection: Connection, run: Run, planned: Batch) -> list[Problem]:
    """Accounts with parts of answers that do not fit, on days of the run."""
    pairs = [(account.appid, day) for account in planned for day in account.days]
    rows = connection.execute(statement("rejected_row/of_pairs.sql"), arrays(run.dataset, pairs))
    named = {account.appid: account for account in planned}
    return [
        problem_of(
            named[row.appid],
            ProblemKind.REJECTED,
            f"{row.reason}{f' and {row.part_count - 1} more' if row.part_count > 1 else ''}",
            "wait for an answer that fits; if final, refetch; or fix the parser and replay",
            row.days,
        )
        for row in rows
    ]


def _silent(connection: Connection, run: Run, planned: Batch) -> list[Problem]:
    """Accounts that published before, and of which many answered days list nothing."""
    if not run.dataset.describes_articles:
        return []
    named = {account.appid: account for account in planned if not account.is_probe}
    rows = connection.execute(
        statement("coverage/silent.sql"),
        {"dataset": run.dataset.name, "appids": [*named], "days": SILENT_DAYS},
    )
    return [
        problem_of(
            named[row.appid],
            ProblemKind.SILENT,
            f"lists nothing new since {row.last_date}, {counted(row.day_count, 'answered day')}",
            "nothing to do if nobody publishes; else compare with WeChat's console",
        )
        for row in rows
    ]
