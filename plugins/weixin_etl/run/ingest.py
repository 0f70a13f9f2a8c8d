"""The verb ingest: a batch's planned pairs brought in by extract and load; why some are not."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from threading import Lock
from typing import NamedTuple

from weixin_etl.api.calls import RESERVED_CALLS, AccountCalls, OpenClient
from weixin_etl.load import Load, StagedAnswer, record_attempts, stage_response
from weixin_etl.model import Batch, Counts, PlannedAccount
from weixin_etl.problem import Problem, ProblemKind, log_problem, program_problem
from weixin_etl.run import Work
from weixin_etl.run.extract import FetchedChunk, extract
from weixin_etl.run.outcome import Outcome, read_outcome
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import analyse_grown, diagnose, statement
from weixin_etl.warehouse.locks import ingest_locks

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""A commit holds what was complete after this time: a kill costs little more."""


class IngestResult(NamedTuple):
    """What a try has met."""

    problems: list[Problem]
    """Why planned pairs are not in; none if they all are."""
    unknown_metrics: set[str]
    """The metrics of the answers that the dataset's declaration does not have."""

    @property
    def is_retryable(self) -> bool:
        """Whether something may come in by another try, soon."""
        return any(problem.kind.is_retried for problem in self.problems)

    @property
    def has_not_ready(self) -> bool:
        """Whether something may come in later in the morning: not of an account without calls."""
        kinds = {(problem.appid, problem.kind) for problem in self.problems}
        waiting = {appid for appid, kind in kinds if kind is ProblemKind.NOT_READY}
        return any((appid, ProblemKind.DAILY_QUOTA) not in kinds for appid in waiting)


def ingest(work: Work, batch: Batch, open_client: OpenClient) -> IngestResult:
    """
    Bring the batch's pairs in; no account's trouble stops another.

    Accounts that another run ingests come last: what it brings in is not asked for again.

    Raises:
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
    return IngestResult(problems, this.unknown_metrics)


@dataclass(slots=True)
class _Try:
    """One try of a batch."""

    work: Work
    open_client: OpenClient
    failures: dict[str, Problem] = field(default_factory=dict)
    """Why accounts could not be loaded, by AppID."""
    unknown_metrics: set[str] = field(default_factory=set)
    counting: Lock = field(default_factory=Lock)
    """Held while calls are counted: threads wait for it, not for further sessions of Postgres."""

    def outcome(self, accounts: Batch) -> Outcome:
        """What is true of the accounts' pairs now: other runs may have called since the plan."""
        with self.work.warehouse.connect() as connection:
            return read_outcome(connection, self.work, accounts)

    def problems(self, batch: Batch) -> list[Problem]:
        """Why pairs of the batch are not in: one problem per account and cause."""
        loadable = [account for account in batch if account.appid not in self.failures]
        return [*self.outcome(loadable).problems(), *self.failures.values()]

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
        self.reserve(calls)
        done, day_count = 0, sum(len(chunk) for account in calls for chunk in account.chunks)
        load = Load(work.warehouse, work.run, ready_hour=work.settings.ready_hour, now=work.now)
        for fetched in extract(
            calls,
            self.ask,
            concurrency=work.settings.concurrency,
            most_bytes=work.settings.commit_bytes,
            most_seconds=COMMIT_SECONDS,
        ):
            counts = self.take(load, fetched)
            analyse_grown(work.warehouse)
            done += sum(len(chunk.staged) for chunk in fetched)
            log.info("%s of %s gone through: %s", done, counted(day_count, "day"), counts)
            del fetched  # else its answers stay until the next ones are all there
        self.count({account: -account.reserved for account in calls})

    def calls(self, outcome: Outcome, account: PlannedAccount) -> AccountCalls:
        """The calls of an account."""
        dataset, left = self.work.run.dataset, outcome.calls_left[account.appid]
        chunks, now = outcome.chunks(account), self.work.now
        return AccountCalls(
            dataset,
            account,
            chunks,
            self.open_client,
            left,
            now=now,
            count=lambda calls, number: self.count({calls: number}),
        )

    def reserve(self, accounts: Sequence[AccountCalls]) -> None:
        """Count the first calls of all accounts in one transaction; `AccountCalls` counts more."""
        for account in accounts:
            planned = sum(map(len, account.chunks))
            account.reserved = int(max(0, min(RESERVED_CALLS, planned, account.calls_left)))
        self.count({account: account.reserved for account in accounts})

    def count(self, numbers: Mapping[AccountCalls, int]) -> None:
        """Count so many calls of each account for its day's quota, in a transaction of its own."""
        changed = {calls: number for calls, number in numbers.items() if number}
        if not changed:
            return
        with self.counting, self.work.warehouse.begin() as connection:
            values = {
                "endpoint": self.work.run.dataset.path,
                "appids": [calls.account.appid for calls in changed],
                "beijing_dates": [calls.reserved_on for calls in changed],
                "calls": [*changed.values()],
            }
            connection.execute(statement("api_call/add.sql"), values)

    def ask(self, calls: AccountCalls, day: date) -> StagedAnswer | None:
        """Ask for a day, and write down what came for its load."""
        came = calls.fetch(day)
        return stage_response(self.work.run.dataset, calls.account, day, came) if came else None

    def take(self, load: Load, fetched: Sequence[FetchedChunk]) -> Counts:
        """Load chunks in one commit; when that fails, each in its own."""
        for chunk in fetched:
            if chunk.failure:
                self.fail(chunk.calls, chunk.failure)
        try:
            return self.commit(load, fetched)
        except Exception as error:
            self.require_one_statement(error)
            log.warning("loads chunk by chunk after a failed commit: %s", type(error).__name__)
            return sum((self.commit_alone(load, chunk) for chunk in fetched), Counts())

    def commit_alone(self, load: Load, chunk: FetchedChunk) -> Counts:
        """Load a chunk; when that fails, give its account up."""
        try:
            return self.commit(load, [chunk])
        except Exception as error:
            self.fail(chunk.calls, error)
            return self.commit(load, [chunk])

    def commit(self, load: Load, fetched: Sequence[FetchedChunk]) -> Counts:
        """Load chunks; of failed accounts, only record the attempts."""
        chunks = [it.staged for it in fetched if it.staged]
        lost = [chunk for chunk in chunks if chunk[0].account.appid in self.failures]
        loadable = [chunk for chunk in chunks if chunk[0].account.appid not in self.failures]
        counts = load.commit(loadable) if loadable else Counts()
        self.unknown_metrics.update(*(one.unknown_metrics for chunk in loadable for one in chunk))
        for chunk in lost:
            with self.work.warehouse.begin() as connection:
                record_attempts(connection, self.work.run, chunk, {})
        return counts

    def require_one_statement(self, error: Exception) -> Problem | None:
        """Raise what keeps the warehouse from all statements; else what it has against this one."""
        passing = diagnose(error, self.work.warehouse)
        if passing and not passing.kind.is_of_one_statement:
            raise error
        return passing.problem if passing else None

    def fail(self, calls: AccountCalls, error: Exception) -> None:
        """Give an account up whose answers can't be worked on or loaded: ask no more of it."""
        problem = self.require_one_statement(error) or program_problem(log, error)
        account = calls.account
        calls.stop()
        self.failures[account.appid] = replace(
            problem, account=account.name, appid=account.appid, conn_id=account.conn_id
        )
