"""
The outcome of a run's plan: the planned slices with their stored coverage.

`read_outcome` reads it from the warehouse. `Outcome` decides which slices still need a request,
which slices fail the run, and for what reason. The steps ingest, report and check use it. Answers
that another run loaded count too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf

from sqlalchemy import Connection

from weixin_etl import rules
from weixin_etl.model import (
    Batch,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    Run,
    Slice,
    connection_id,
)
from weixin_etl.problem import Problem, ProblemKind, merge_days
from weixin_etl.run import Work
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import coverage_from_row, slice_arrays


@dataclass(frozen=True, slots=True)
class Outcome:
    """The planned slices of a run or of a batch, with their stored coverage."""

    run: Run
    accounts: Batch
    known: Mapping[Slice, Coverage]
    calls_left: Mapping[str, float]
    """The number of calls that the run may still make today, by AppID."""
    quota_refusals: Mapping[str, Coverage]
    """The coverage of a slice whose attempt since the plan hit today's quota, by AppID."""

    def coverage_of(self, account: PlannedAccount, day: date) -> Coverage:
        """Return the stored coverage of a slice. It is empty if no attempt was made."""
        return self.known.get((account.appid, day), Coverage())

    def slices(self) -> Iterator[tuple[PlannedAccount, date, Coverage]]:
        """Yield the account, the day and the coverage of each planned slice."""
        for account in self.accounts:
            for day in account.due.days:
                yield account, day, self.coverage_of(account, day)

    def chunks(self, account: PlannedAccount) -> list[list[date]]:
        """
        Return the days that a try requests of an account, in chunks; see `chunks_of`.

        Return no day if an attempt since the plan hit today's quota.
        """

        def needs_request(day: date) -> bool:
            """Return whether the day's slice needs a request."""
            return rules.needs_request(
                self.coverage_of(account, day),
                account.planned_at,
                refetch=self.run.refetch,
                is_control_day=day == account.due.control_day,
            )

        if account.appid in self.quota_refusals:
            return []
        due = account.due
        first, older = ([*filter(needs_request, days)] for days in (due.first, due.older))
        return chunks_of(first, older)

    def is_satisfied(self, account: PlannedAccount, coverage: Coverage) -> bool:
        """Return whether a planned slice needs no further request of the run."""
        return rules.is_satisfied(coverage, account.planned_at, refetch=self.run.refetch)

    def fails_run(self, account: PlannedAccount, coverage: Coverage) -> bool:
        """
        Return whether a planned slice fails the run.

        A slice fails the run if it is not satisfied, or if an attempt since the plan found it
        unreadable for good. A retirement check whose endpoint is still offline does not fail it.
        """
        if self.is_satisfied(account, coverage):
            return rules.was_given_up_since(coverage, account.planned_at)
        return not self._is_still_retired(account, coverage)

    def _is_still_retired(self, account: PlannedAccount, coverage: Coverage) -> bool:
        """Return whether a retirement check found the endpoint still offline."""
        is_offline = coverage.error_code == rules.OFFLINE_ERRCODE
        is_checked = account.due.is_retirement_check and not self.is_satisfied(account, coverage)
        return is_checked and is_offline and coverage.is_attempted_since(account.planned_at)

    def problems(self) -> list[Problem]:
        """Return the reasons why the run fails: one problem per account and cause."""
        return self._problems_if(self.fails_run)

    def excused(self) -> list[Problem]:
        """Return the problems of unsatisfied slices that do not fail the run."""
        return self._problems_if(self._is_still_retired)

    def _problems_if(self, is_wrong: Callable[[PlannedAccount, Coverage], bool]) -> list[Problem]:
        """Return the problems of the slices for which `is_wrong` returns True."""
        return merge_days(
            self._slice_problem(account, day, coverage)
            for account, day, coverage in self.slices()
            if is_wrong(account, coverage)
        )

    def _slice_problem(self, account: PlannedAccount, day: date, coverage: Coverage) -> Problem:
        """
        Return the reason why a slice is not satisfied.

        It is the error of the last attempt since the plan, or the quota that stopped the account.
        """
        is_attempted = coverage.is_attempted_since(account.planned_at)
        failed = coverage if is_attempted else self.quota_refusals.get(account.appid)
        if failed is None:
            has_calls = self.calls_left[account.appid] > 0
            kind = ProblemKind.NOT_ASKED if has_calls else ProblemKind.HELD_BACK
            return problem_of(account, kind, [day])
        kind = ProblemKind(failed.error_kind or ProblemKind.UNREADABLE)
        problem = problem_of(account, kind, [day], failed.error or "", failed.cure or "")
        if kind is ProblemKind.PLATFORM:  # all accounts of the platform share one problem
            problem = replace(problem, appid=None, conn_id=connection_id(account.conn_id))
        return replace(problem, code=str(failed.error_code or ""))


def chunks_of(first: list[date], older: list[date]) -> list[list[date]]:
    """Return the days as chunks: the days of the window, then at most 30 older days each."""
    starts = range(0, len(older), rules.OLDER_CHUNK_DAYS)
    chunks = [first, *(older[start : start + rules.OLDER_CHUNK_DAYS] for start in starts)]
    return [chunk for chunk in chunks if chunk]


def read_outcome(connection: Connection, work: Work, accounts: Batch) -> Outcome:
    """Read the coverage of the accounts' planned slices and the calls that are left today."""
    run, now = work.run, work.now()
    planned_at = {account.appid: account.planned_at for account in accounts}
    slices = [(account.appid, day) for account in accounts for day in account.due.days]
    rows = connection.execute(statement("coverage/of_pairs.sql"), slice_arrays(run.dataset, slices))
    known = {(row.appid, row.day): coverage_from_row(row[2:]) for row in rows}
    quota_refusals = {
        appid: coverage
        for (appid, _), coverage in known.items()
        if rules.is_quota_used_up(coverage, planned_at[appid], now)
    }
    calls_left = _calls_left(connection, work, [*planned_at])
    return Outcome(run, accounts, known, calls_left, quota_refusals)


def _calls_left(connection: Connection, work: Work, appids: Sequence[str]) -> dict[str, float]:
    """Return the number of calls the run may still make today, by AppID; `inf` without a limit."""
    limit = calls_limit(work)
    if limit is None:
        return dict.fromkeys(appids, inf)
    made = calls_made(connection, work, appids)
    return {appid: limit - made.get(appid, 0) for appid in appids}


def calls_limit(work: Work) -> int | None:
    """
    Return how many calls of its endpoint an account may make on a day before the run stops.

    Return None if there is no limit: a daily run calls until WeChat refuses. Other runs leave the
    calls that are reserved for daily runs.
    """
    if rules.is_daily(work.run, work.today) or not work.settings.daily_calls:
        return None
    return work.settings.daily_calls - work.settings.quota_reserve


def calls_made(connection: Connection, work: Work, appids: Sequence[str]) -> dict[str, int]:
    """Return the number of calls that all runs made today, by AppID. Zeros are missing."""
    values = {"appids": appids, "endpoint": work.run.dataset.path, "today": work.today}
    rows = connection.execute(statement("api_call/of_day.sql"), values)
    return {row.appid: row.calls for row in rows}


def problem_of(
    account: ConfiguredAccount | PlannedAccount,
    kind: ProblemKind,
    days: Iterable[date] = (),
    cause: str | None = None,
    cure: str | None = None,
) -> Problem:
    """
    Return a problem of an account.

    Args:
        account: the account, which gives name, AppID and connection id.
        kind: the kind of the problem.
        days: the days that the problem concerns.
        cause: a cause that replaces the kind's.
        cure: a cure that replaces the kind's.
    """
    return Problem.of_kind(
        kind,
        cause,
        cure,
        account=account.name,
        appid=account.appid,
        conn_id=account.conn_id,
        days=tuple(sorted(days)),
    )
