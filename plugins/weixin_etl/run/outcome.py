"""What came of a run's plan by now, whoever brought it in, and why pairs are not in."""

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
    """The planned pairs of a run, or of a batch, with what is stored of them now."""

    run: Run
    accounts: Batch
    known: Mapping[Slice, Coverage]
    calls_left: Mapping[str, float]
    """How many calls the run may still make for each account today, by AppID."""
    used_up: Mapping[str, Coverage]
    """A pair that found the day's quota used up since the plan, by AppID."""

    def pair(self, account: PlannedAccount, day: date) -> Coverage:
        """What is stored of a pair: nothing, if it was never asked for."""
        return self.known.get((account.appid, day), Coverage())

    def pairs(self) -> Iterator[tuple[PlannedAccount, date, Coverage]]:
        """Each planned pair, with what is stored of it."""
        for account in self.accounts:
            for day in account.due.days:
                yield account, day, self.pair(account, day)

    def chunks(self, account: PlannedAccount) -> list[list[date]]:
        """
        What a try asks for: the days of the window, then at most 30 older ones at a time.

        Nothing today, once an attempt since the plan found the day's quota used up.
        """

        def is_asked(day: date) -> bool:
            return rules.needs_request(
                self.pair(account, day),
                account.planned_at,
                refetch=self.run.refetch,
                is_control_day=day == account.due.control_day,
            )

        if account.appid in self.used_up:
            return []
        due = account.due
        first, older = ([*filter(is_asked, days)] for days in (due.first, due.older))
        return chunks_of(first, older)

    def is_in(self, account: PlannedAccount, pair: Coverage) -> bool:
        """Whether a planned pair is in."""
        return rules.is_satisfied(pair, account.planned_at, refetch=self.run.refetch)

    def fails_run(self, account: PlannedAccount, pair: Coverage) -> bool:
        """
        Whether a planned pair makes the run red: not in, or given up by an attempt since the plan.

        A refusal since the plan is excused: of a probe that found its endpoint still retired.
        """
        if self.is_in(account, pair):
            return rules.was_given_up_since(pair, account.planned_at)
        if not pair.is_attempted_since(account.planned_at):
            return True
        return not (account.due.is_retirement_check and pair.error_code == rules.OFFLINE_ERRCODE)

    def problems(self) -> list[Problem]:
        """Why the run is red: a problem per account and cause."""
        return self._told(self.fails_run)

    def excused(self) -> list[Problem]:
        """The refusals that do not make it red: see `fails_run`."""
        return self._told(lambda *it: not (self.is_in(*it) or self.fails_run(*it)))

    def _told(self, is_wrong: Callable[[PlannedAccount, Coverage], bool]) -> list[Problem]:
        pairs = (it for it in self.pairs() if is_wrong(it[0], it[2]))
        return merge_days(self._why(*it) for it in pairs)

    def _why(self, account: PlannedAccount, day: date, pair: Coverage) -> Problem:
        """Why a pair is not in, by its last attempt, or by the one that stopped its account."""
        is_asked = pair.is_attempted_since(account.planned_at)
        met = pair if is_asked else self.used_up.get(account.appid)
        if met is None:
            may_be_asked = self.calls_left[account.appid] > 0
            unasked = ProblemKind.NOT_ASKED if may_be_asked else ProblemKind.HELD_BACK
            return problem_of(account, unasked, [day])
        kind = ProblemKind(met.error_kind or ProblemKind.UNREADABLE)
        problem = problem_of(account, kind, [day], met.error or "", met.cure or "")
        if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
            problem = replace(problem, appid=None, conn_id=connection_id(account.conn_id))
        return replace(problem, code=str(met.error_code or ""))


def chunks_of(first: list[date], older: list[date]) -> list[list[date]]:
    """The days that are judged together: those of the window, then at most 30 older ones."""
    starts = range(0, len(older), rules.OLDER_CHUNK_DAYS)
    chunks = [first, *(older[start : start + rules.OLDER_CHUNK_DAYS] for start in starts)]
    return [chunk for chunk in chunks if chunk]


def read_outcome(connection: Connection, work: Work, accounts: Batch) -> Outcome:
    """What is stored of the accounts' planned pairs, and what may still be asked."""
    run, now = work.run, work.now()
    planned_at = {it.appid: it.planned_at for it in accounts}
    pairs = [(account.appid, day) for account in accounts for day in account.due.days]
    rows = connection.execute(statement("coverage/of_pairs.sql"), slice_arrays(run.dataset, pairs))
    known = {(row.appid, row.day): coverage_from_row(row[2:]) for row in rows}
    used_up = {
        appid: pair
        for (appid, _), pair in known.items()
        if rules.is_quota_used_up(pair, planned_at[appid], now)
    }
    calls_left = _calls_left(connection, work, [*planned_at])
    return Outcome(run, accounts, known, calls_left, used_up)


def _calls_left(connection: Connection, work: Work, appids: Sequence[str]) -> dict[str, float]:
    """Return how many calls of the endpoint each account has left today; a daily run has any."""
    limit = calls_limit(work)
    if limit is None:
        return dict.fromkeys(appids, inf)
    made = calls_made(connection, work, appids)
    return {appid: limit - made.get(appid, 0) for appid in appids}


def calls_limit(work: Work) -> int | None:
    """
    Return how many calls of its endpoint an account may make on a day before the run stops.

    None without a limit: a daily run asks until WeChat refuses. Other runs leave the calls that
    are reserved for daily runs.
    """
    if rules.is_daily(work.run, work.today) or not work.settings.daily_calls:
        return None
    return work.settings.daily_calls - work.settings.quota_reserve


def calls_made(connection: Connection, work: Work, appids: Sequence[str]) -> dict[str, int]:
    """Return how many calls of the endpoint all runs made today, by AppID; none if missing."""
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
    """The problem of an account with some days; cause and cure are the kind's, unless given."""
    return Problem.of_kind(
        kind,
        cause,
        cure,
        account=account.name,
        appid=account.appid,
        conn_id=account.conn_id,
        days=tuple(sorted(days)),
    )
