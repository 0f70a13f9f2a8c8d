"""
The outcome of a run's plan: the planned slices with their stored coverage.

`read_outcome` reads it from the warehouse. `Outcome` decides which slices still need a request,
which slices fail the run, and for what reason. The steps ingest, report and check use it. Answers
that another run loaded count too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf

from sqlalchemy import Connection

from weixin_etl import rules
from weixin_etl.model import Batch, Coverage, PlannedAccount, Run, Slice, connection_id
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
        """Return the stored coverage of an account's day, or an empty `Coverage` if none is."""
        return self.known.get((account.appid, day), Coverage())

    def slices(self) -> Iterator[tuple[PlannedAccount, date, Coverage]]:
        """Yield account, day and stored coverage of each planned slice, account by account."""
        for account in self.accounts:
            for day in account.due.days:
                yield account, day, self.coverage_of(account, day)

    def chunks(self, account: PlannedAccount) -> list[list[date]]:
        """
        Return the planned days that still need a request, in the chunks of `chunks_of`.

        Which days these are decides `rules.needs_request`. Return no chunk if an attempt for the
        account since the plan hit today's quota.
        """

        def needs_request(day: date) -> bool:
            """Return whether the account's slice of this day still needs a request."""
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
        """
        Return whether a planned slice with this coverage needs no further request of the run.

        It is settled, or has a ready answer since the plan. A run with `refetch` needs the answer.
        """
        return rules.is_satisfied(coverage, account.planned_at, refetch=self.run.refetch)

    def fails_run(self, account: PlannedAccount, coverage: Coverage) -> bool:
        """
        Return whether a planned slice with this coverage fails the run.

        A slice fails the run if it is not satisfied, or if an attempt since the plan settled it as
        unreadable. A retirement check whose endpoint is still offline does not fail the run.
        """
        if self.is_satisfied(account, coverage):
            return rules.was_given_up_since(coverage, account.planned_at)
        return not self._is_still_retired(account, coverage)

    def _is_still_retired(self, account: PlannedAccount, coverage: Coverage) -> bool:
        """Return whether the slice is an unsatisfied retirement check that got 47009 again."""
        is_offline = coverage.error_code == rules.OFFLINE_ERRCODE
        is_checked = account.due.is_retirement_check and not self.is_satisfied(account, coverage)
        return is_checked and is_offline and coverage.is_attempted_since(account.planned_at)

    def problems(self) -> list[Problem]:
        """Return the problems of slices that fail the run: one per account and cause, with days."""
        return self._problems_if(self.fails_run)

    def excused(self) -> list[Problem]:
        """Return the problems of retirement checks that found the endpoint still offline."""
        return self._problems_if(self._is_still_retired)

    def _problems_if(self, is_wrong: Callable[[PlannedAccount, Coverage], bool]) -> list[Problem]:
        """Return the problems of slices for which `is_wrong` returns True, their days merged."""
        return merge_days(
            self._slice_problem(account, day, coverage)
            for account, day, coverage in self.slices()
            if is_wrong(account, coverage)
        )

    def _slice_problem(self, account: PlannedAccount, day: date, coverage: Coverage) -> Problem:
        """
        Return the reason why a slice is not satisfied, as a problem of its account.

        With an attempt since the plan, the reason is the stored error of that attempt. Otherwise it
        is the account's quota refusal of today, or else `HELD_BACK` if the account has no calls
        left, and `NOT_ASKED` if it has. A problem of kind `PLATFORM` is that of the platform's
        connection, without an AppID, because all accounts of the platform share it.
        """
        is_attempted = coverage.is_attempted_since(account.planned_at)
        failed = coverage if is_attempted else self.quota_refusals.get(account.appid)
        if failed is None:
            has_calls = self.calls_left[account.appid] > 0
            kind = ProblemKind.NOT_ASKED if has_calls else ProblemKind.HELD_BACK
            return Problem.of_kind(kind, days=(day,), **account.problem_fields)
        kind, fields = ProblemKind(failed.error_kind or "unreadable"), account.problem_fields
        if kind is ProblemKind.PLATFORM:
            fields |= {"appid": None, "conn_id": connection_id(account.conn_id)}
        texts, code = (failed.error or "", failed.cure or ""), str(failed.error_code or "")
        return Problem(kind, *texts, days=(day,), code=code, **fields)


def chunks_of(first: list[date], older: list[date]) -> list[list[date]]:
    """
    Return the days as chunks, in the given order. No chunk is empty.

    Args:
        first: the days of the window and the control day, which form the first chunk.
        older: other days, which form chunks of at most `rules.OLDER_CHUNK_DAYS`.
    """
    starts = range(0, len(older), rules.OLDER_CHUNK_DAYS)
    chunks = [first, *(older[start : start + rules.OLDER_CHUNK_DAYS] for start in starts)]
    return [chunk for chunk in chunks if chunk]


def read_outcome(connection: Connection, work: Work, accounts: Batch) -> Outcome:
    """
    Read the coverage of the accounts' planned slices and the calls that are left today.

    Args:
        connection: a connection to the warehouse, from which is only read.
        work: the run with its settings and its clock.
        accounts: the planned accounts: all of the run, or those of a batch.

    Returns:
        The outcome. `known` has the coverage of the slices that have any. `quota_refusals` has, by
        AppID, a coverage row in which WeChat refused a call today because the quota was used up.
        `calls_left` is infinite if the run has no limit (see `calls_limit`), and negative if other
        runs made more calls than the limit allows this one.
    """
    run, now, limit = work.run, work.now(), calls_limit(work)
    planned_at = {account.appid: account.planned_at for account in accounts}
    slices = [(account.appid, day) for account in accounts for day in account.due.days]
    rows = connection.execute(
        statement("coverage/of_slices.sql"), slice_arrays(run.dataset, slices)
    )
    known = {(row.appid, row.day): coverage_from_row(row[2:]) for row in rows}
    quota_refusals = {
        appid: coverage
        for (appid, _), coverage in known.items()
        if rules.is_quota_used_up(coverage, planned_at[appid], now)
    }
    calls_left = dict.fromkeys(planned_at, inf if limit is None else limit)
    if limit is not None:
        for appid, made in calls_made(connection, work, [*planned_at]).items():
            calls_left[appid] -= made
    return Outcome(run, accounts, known, calls_left, quota_refusals)


def calls_limit(work: Work) -> int | None:
    """
    Return how many calls of its endpoint an account may make on a day before the run stops.

    Return None if there is no limit: for the daily run of today, which calls until WeChat refuses,
    and if the setting `daily_calls` is 0. Other runs leave the `quota_reserve` to daily runs.
    """
    if rules.is_daily(work.run, work.today) or not work.settings.daily_calls:
        return None
    return work.settings.daily_calls - work.settings.quota_reserve


def calls_made(connection: Connection, work: Work, appids: Sequence[str]) -> dict[str, int]:
    """
    Return the calls of the run's endpoint that all runs made on today's Beijing day, by AppID.

    Accounts without a call are missing.
    """
    values = {"appids": appids, "endpoint": work.run.dataset.path, "today": work.today}
    rows = connection.execute(statement("api_call/of_day.sql"), values)
    return {row.appid: row.calls for row in rows}
