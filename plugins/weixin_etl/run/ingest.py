"""The verb ingest: a batch's planned pairs brought in by extract and load; why some are not."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from msgspec.structs import asdict

from weixin_etl import rules
from weixin_etl.api.calls import AccountCalls, OpenClient
from weixin_etl.api.client import Refusal
from weixin_etl.api.errors import DailyQuotaError, HeldBackError
from weixin_etl.clock import days_as_ranges
from weixin_etl.load import Load, Loaded, Staged, count_calls, staged
from weixin_etl.model import Account, Batch, Counts, Pair, PlannedAccount
from weixin_etl.problem import Problem, ProblemKind, log_problem, program_fault
from weixin_etl.run import Work
from weixin_etl.run.extract import FetchedChunk, extract
from weixin_etl.run.outcome import NotInError, Outcome, outcome_of
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import analyse_grown, diagnose
from weixin_etl.warehouse.locks import ingest_locks

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""A commit holds what came in this time, so that a kill costs no more."""


@dataclass(eq=False)
class IngestError(NotInError):
    """Planned pairs that are not in after a try."""

    unknown_metrics: set[str]
    """Unknown metrics of the answers that are in."""

    @property
    def is_retryable(self) -> bool:
        """Whether something may come in by another try, soon."""
        return any(problem.kind.is_retried for problem in self.problems)

    @property
    def has_not_ready(self) -> bool:
        """Whether something may come in later in the morning."""
        return any(problem.kind is ProblemKind.NOT_READY for problem in self.problems)


def ingest(work: Work, batch: Batch, open_client: OpenClient) -> set[str]:
    """
    Bring the batch's pairs in; no account's trouble stops another.

    Accounts that another run ingests come last: what it brings in is not asked for again.

    Returns:
        The metrics of the answers that the dataset's declaration does not have.

    Raises:
        IngestError: pairs are not in.
        WarehouseError: the warehouse can't be used.
    """
    this = _Try(work, open_client)
    try:
        if others := this.bring_in(batch, waits=False):
            names = few_names([account.name for account in others])
            log.info("waits for other runs that ingest these accounts: %s", names)
            this.bring_in(others, waits=True)
        problems = this.problems(batch)
    except Exception as error:
        passing = diagnose(error, work.warehouse)
        if passing is None:
            raise
        problems = [*this.failures.values(), passing.problem]
    for problem in problems:  # one per account and cause, right above the task's last line
        log_problem(log, problem)
    if problems:
        raise IngestError(problems, this.unknown_metrics)
    return this.unknown_metrics


@dataclass(slots=True)
class _Try:
    """One try of a batch."""

    work: Work
    open_client: OpenClient
    failures: dict[str, Problem] = field(default_factory=dict)
    """Why accounts could not be loaded, by AppID."""
    rids: dict[tuple[str | None, ProblemKind], str] = field(default_factory=dict)
    """WeChat's ids of refused calls, by AppID and kind."""
    unknown_metrics: set[str] = field(default_factory=set)

    def outcome(self, accounts: Batch) -> Outcome:
        """What is true of the accounts' pairs now: other runs may have called since the plan."""
        with self.work.warehouse.connect() as connection:
            return outcome_of(connection, self.work, accounts)

    def problems(self, batch: Batch) -> list[Problem]:
        """Why pairs of the batch are not in: one problem per account and cause."""
        loadable = [account for account in batch if account.appid not in self.failures]
        found = self.outcome(loadable).problems()
        with_rid = (replace(it, rid=self.rids.get((it.appid, it.kind), "")) for it in found)
        return [*with_rid, *self.failures.values()]

    def bring_in(self, batch: Batch, *, waits: bool) -> Batch:
        """Bring in the accounts that no other run ingests, or, when it `waits`, all; the others."""
        appids, dataset = [account.appid for account in batch], self.work.run.dataset
        with ingest_locks(self.work.warehouse, dataset.name, appids, waits=waits) as ours:
            self.collect([account for account in batch if account.appid in ours])
        return [account for account in batch if account.appid not in ours]

    def collect(self, accounts: Batch) -> None:
        """Ask for what is not in of the accounts' days, and load what comes, chunk by chunk."""
        work, outcome = self.work, self.outcome(accounts)
        calls = [self.calls(outcome, account) for account in accounts]
        done, day_count = 0, sum(len(chunk) for account in calls for chunk in account.chunks)
        load = Load(work.warehouse, work.run, ready_hour=work.settings.ready_hour, now=work.now)
        for fetched in extract(
            calls,
            self.ask,
            concurrency=work.settings.concurrency,
            most_bytes=work.settings.commit_bytes,
            most_seconds=COMMIT_SECONDS,
        ):
            self.take(load, fetched)
            analyse_grown(work.warehouse)
            done += sum(len(chunk.staged) for chunk in fetched)
            log.info("%s of %s done", done, counted(day_count, "day"))
            del fetched  # else its answers stay until the next ones are all there

    def calls(self, outcome: Outcome, account: PlannedAccount) -> AccountCalls:
        """The calls of an account."""
        dataset, left = self.work.run.dataset, outcome.calls_left[account.appid]
        chunks, now, stopped = outcome.chunks(account), self.work.now, _stopped(outcome, account)
        return AccountCalls(
            dataset, account, chunks, self.open_client, left, now=now, stopped=stopped
        )

    def ask(self, calls: AccountCalls, day: date) -> Staged:
        """Ask for a day, and write down what came for its load."""
        return staged(self.work.run.dataset, calls.account, day, calls.ask(day))

    def take(self, load: Load, fetched: Sequence[FetchedChunk]) -> None:
        """Load chunks; those of accounts that failed, and what was not asked for, are left out."""
        for chunk in fetched:
            if chunk.failure:
                self.fail(chunk.calls.account, chunk.failure)
        chunks = []
        for chunk in fetched:
            asked = [one for one in chunk.staged if not isinstance(one.error, HeldBackError)]
            if chunk.calls.account.appid in self.failures:
                self.count_calls(asked)
            elif asked:
                chunks.append(asked)
        if chunks:
            self.commit(load, chunks)

    def commit(self, load: Load, chunks: Sequence[list[Staged]]) -> None:
        """Load chunks; when that fails, one by one."""
        try:
            loaded = load.commit(chunks)
        except Exception as error:
            if len(chunks) == 1:
                self.fail(chunks[0][0].account, error)
                self.count_calls(chunks[0])
                return
            self.require_warehouse(error)
            log.warning("%s chunks are loaded one by one: %s", len(chunks), type(error).__name__)
            for chunk in chunks:
                if chunk[0].account.appid in self.failures:
                    self.count_calls(chunk)
                else:
                    self.commit(load, [chunk])
        else:
            for chunk in chunks:
                self.note(chunk, loaded)

    def note(self, chunk: Sequence[Staged], loaded: Mapping[Pair, Loaded]) -> None:
        """Remember what a chunk's answers say; a line per account and end of its attempts."""
        alike: dict[str | None, list[Staged]] = defaultdict(list)
        for one in chunk:
            self.unknown_metrics |= one.unknown_metrics
            if one.error and one.error.rid:
                self.rids[one.account.appid, one.error.kind] = one.error.rid
            alike[loaded[one.pair].coverage.error_kind].append(one)
        for kind, those in alike.items():
            counts = asdict(sum((loaded[one.pair].counts for one in those), Counts()))
            rows = ", ".join(f"{count} {name}" for name, count in counts.items())
            days = days_as_ranges([one.day for one in those])
            level = logging.WARNING if kind else logging.INFO
            log.log(level, "%s: %s %s; %s", those[0].account, days, kind or "loaded", rows)

    def count_calls(self, staged: Sequence[Staged]) -> None:
        """Count the calls of pairs that are not loaded: they used the quota all the same."""
        with self.work.warehouse.begin() as connection:
            count_calls(connection, self.work.run.dataset, staged)

    def require_warehouse(self, error: Exception) -> None:
        """Make sure that the error is of one statement, so that others can still be made."""
        passing = diagnose(error, self.work.warehouse)
        if passing and not passing.is_of_one_statement:
            raise error

    def fail(self, account: Account, error: Exception) -> None:
        """Give an account up whose answers can't be worked on or loaded."""
        self.require_warehouse(error)
        passing = diagnose(error, self.work.warehouse)
        problem = passing.problem if passing else program_fault(log, error)
        self.failures[account.appid] = replace(
            problem, account=account.name, appid=account.appid, conn_id=account.conn_id
        )


def _stopped(outcome: Outcome, account: PlannedAccount) -> Refusal | None:
    """The refusal of an account whose daily quota this run has found used up today."""
    pairs = (outcome.known.get((account.appid, day)) for day in account.days)
    for pair in pairs:
        if pair and rules.is_used_up(pair, account.planned_at, outcome.now):
            cause = "the calls allowed in a day are used up, so it is not asked before midnight"
            error = DailyQuotaError(account=account.name, errcode=pair.error_code, cause=cause)
            return Refusal(error, outcome.now, calls=0)
    return None
