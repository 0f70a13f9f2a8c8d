"""
The step ingest: fetch and load the planned slices of a batch of accounts.

`ingest` is one try of an ingest task. It requests the slices that are not satisfied yet (`extract`
makes the calls), loads the answers in commits of several chunks, and returns the problems of the
slices that are still not satisfied.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from threading import Lock
from typing import NamedTuple

from weixin_etl.api.calls import RESERVED_CALLS, AccountCalls, OpenClient
from weixin_etl.load import Load, StagedAnswer, stage_response
from weixin_etl.model import Batch, Counts, PlannedAccount
from weixin_etl.problem import Problem, ProblemKind, log_problem, program_problem
from weixin_etl.run import Work
from weixin_etl.run.extract import FetchedChunk, extract
from weixin_etl.run.outcome import Outcome, read_outcome
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import analyse_grown, diagnose, statement
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.locks import ingest_locks

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""The time after which complete chunks are committed. A kill loses little more than that."""


@dataclass(slots=True)
class Tally:
    """What one try did, in numbers for those who watch."""

    calls: Counter[str] = field(default_factory=Counter)
    """Calls by outcome: `answered`, or the kind of the problem."""
    rows: Counts = field(default_factory=Counts)
    """The rows of the committed chunks."""
    commit_times: list[timedelta] = field(default_factory=list)
    """How long each commit took that succeeded, from the first statement to the last."""

    def add_calls(self, staged: Iterator[StagedAnswer]) -> None:
        """Count the calls of answers and failed calls, whether they can be loaded or not."""
        for answer in staged:
            self.calls[answer.error.kind if answer.error else "answered"] += answer.calls

    @contextmanager
    def timed_commit(self) -> Iterator[None]:
        """Add the time that the block takes, unless it raises an error."""
        began_at = time.monotonic()
        yield
        self.commit_times.append(timedelta(seconds=time.monotonic() - began_at))


class IngestResult(NamedTuple):
    """The result of one try."""

    problems: list[Problem]
    """The reasons why planned slices are not satisfied. Empty if all of them are."""
    unknown_metrics: set[str]
    """The names of metrics in the answers that the dataset does not declare."""
    tally: Tally
    """What the try did."""

    @property
    def is_retryable(self) -> bool:
        """Whether another try may soon load more slices."""
        return any(problem.kind.is_retried for problem in self.problems)

    @property
    def has_not_ready(self) -> bool:
        """Whether an account with calls left has days that may be ready later in the morning."""
        kinds = {(problem.appid, problem.kind) for problem in self.problems}
        waiting = {appid for appid, kind in kinds if kind is ProblemKind.NOT_READY}
        return any((appid, ProblemKind.DAILY_QUOTA) not in kinds for appid in waiting)


def ingest(work: Work, batch: Batch, open_client: OpenClient) -> IngestResult:
    """
    Fetch and load the slices of a batch that are not satisfied yet, and log the problems.

    An account's problem does not stop the others. Accounts that another run ingests are processed
    last. Slices that the other run has loaded by then are not requested again.

    Args:
        work: the run with its warehouse and its settings.
        batch: the planned accounts.
        open_client: opens an account's client before its first call.

    Returns:
        The problems that remain. If the warehouse can't be used, its problem and those of the
        accounts that failed before, without the other slices.

    Raises:
        Exception: an error outside of a single account that is none of the warehouse's.
    """
    ingestion = _Ingestion(work, open_client)
    try:
        if waiting := ingestion.ingest_accounts(batch, waits=False):
            names = few_names([account.name for account in waiting])
            log.info("waits for other runs that ingest these accounts: %s", names)
            ingestion.ingest_accounts(waiting, waits=True)
        refresh_account_days(work.warehouse, [account.appid for account in batch])
        problems = ingestion.problems(batch)
    except Exception as error:
        warehouse_error = diagnose(error, work.warehouse)
        if warehouse_error is None:
            raise
        problems = [*ingestion.failures.values(), warehouse_error.problem]
    for problem in problems:  # one line per account and cause, right above the task's last line
        log_problem(log, problem)
    return IngestResult(problems, ingestion.unknown_metrics, ingestion.tally)


@dataclass(slots=True)
class _Ingestion:
    """The state of one try of a batch."""

    work: Work
    open_client: OpenClient
    failures: dict[str, Problem] = field(default_factory=dict)
    """The problems of accounts that could not be loaded, by AppID."""
    unknown_metrics: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    count_lock: Lock = field(default_factory=Lock)
    """The lock for counting calls. Threads wait for it instead of opening more connections."""

    def outcome(self, accounts: Batch) -> Outcome:
        """
        Read the outcome of the accounts' planned slices, on a connection of its own.

        It is read anew each time, because other runs may have loaded some slices.
        """
        with self.work.warehouse.connect() as connection:
            return read_outcome(connection, self.work, accounts)

    def problems(self, batch: Batch) -> list[Problem]:
        """
        Return the reasons why slices of the batch fail the run: one problem per account and cause.

        Accounts in `failures` have that problem only. The coverage of the others is read again.
        """
        loadable = [account for account in batch if account.appid not in self.failures]
        return [*self.outcome(loadable).problems(), *self.failures.values()]

    def ingest_accounts(self, batch: Batch, *, waits: bool) -> Batch:
        """
        Fetch and load the accounts whose locks are free, and hold the locks meanwhile.

        Args:
            batch: the accounts.
            waits: whether to wait until all locks are free, so that no account is left out.

        Returns:
            The accounts that were left out because another run ingests them.
        """
        appids, dataset = [account.appid for account in batch], self.work.run.dataset
        with ingest_locks(self.work.warehouse, dataset.name, appids, waits=waits) as locked:
            self.fetch_and_load([account for account in batch if account.appid in locked])
        return [account for account in batch if account.appid not in locked]

    def fetch_and_load(self, accounts: Batch) -> None:
        """
        Request the accounts' slices that are not satisfied, load the answers, and log progress.

        Each commit holds the chunks that `extract` yields together. Reserved calls that were not
        made are subtracted from the stored counts at the end.
        """
        work, outcome = self.work, self.outcome(accounts)
        calls = [self.calls(outcome, account) for account in accounts]
        self.reserve(calls)
        done, day_count = 0, sum(len(chunk) for account in calls for chunk in account.chunks)
        load = Load(work.warehouse, work.run, ready_hour=work.settings.ready_hour, now=work.now)
        for fetched in extract(calls, self.fetch_and_stage, work.settings, COMMIT_SECONDS):
            counts = self.load(load, fetched)
            self.tally.rows += counts
            self.tally.add_calls(chain.from_iterable(chunk.staged for chunk in fetched))
            analyse_grown(work.warehouse)
            done += sum(len(chunk.staged) for chunk in fetched)
            log.info("%s of %s gone through: %s", done, counted(day_count, "day"), counts)
            del fetched  # release the answers before the next ones are complete
        self.count({account: -account.reserved for account in calls})

    def calls(self, outcome: Outcome, account: PlannedAccount) -> AccountCalls:
        """Return the calls of an account for the slices of `Outcome.chunks`; none is made yet."""
        return AccountCalls(
            self.work.run.dataset,
            account,
            outcome.chunks(account),
            self.open_client,
            outcome.calls_left[account.appid],
            now=self.work.now,
            count=lambda calls, number: self.count({calls: number}),
        )

    def reserve(self, accounts: Sequence[AccountCalls]) -> None:
        """
        Store, in one transaction, that each account makes its first calls, before they are made.

        These are at most `RESERVED_CALLS`, the planned days, and the calls left. `AccountCalls`
        stores the further calls.
        """
        for account in accounts:
            planned = sum(map(len, account.chunks))
            account.reserved = int(max(0, min(RESERVED_CALLS, planned, account.calls_left)))
        self.count({account: account.reserved for account in accounts})

    def count(self, numbers: Mapping[AccountCalls, int]) -> None:
        """
        Add numbers of calls to the accounts' stored counts, in a transaction of its own.

        Each number may be negative and counts for the day `reserved_on` of its account, in the
        table `weixin.api_call`. Zeros are not written.
        """
        changed = {calls: number for calls, number in numbers.items() if number}
        if not changed:
            return
        with self.count_lock, self.work.warehouse.begin() as connection:
            values = {
                "endpoint": self.work.run.dataset.path,
                "appids": [calls.account.appid for calls in changed],
                "beijing_dates": [calls.reserved_on for calls in changed],
                "calls": [*changed.values()],
            }
            connection.execute(statement("api_call/add.sql"), values)

    def fetch_and_stage(self, calls: AccountCalls, day: date) -> StagedAnswer | None:
        """Fetch a day and stage its answer or its error. Return None if no call is left."""
        dataset, response = self.work.run.dataset, calls.fetch(day)
        return stage_response(dataset, calls.account, day, response) if response else None

    def load(self, load: Load, fetched: Sequence[FetchedChunk]) -> Counts:
        """
        Load chunks in one transaction or, if that fails, each chunk in its own.

        Accounts whose calls failed unexpectedly, and accounts whose chunk can't be loaded, are
        marked as failed for this try. Of them only the calls made are recorded.

        Returns:
            The counts of all chunks that were loaded.

        Raises:
            Exception: the warehouse refuses all statements.
        """
        for chunk in fetched:
            if chunk.failure:
                self.fail(chunk.calls, chunk.failure)
        try:
            return self.commit(load, fetched)
        except Exception as error:
            self.require_one_statement(error)
            log.warning("loads chunk by chunk after a failed commit: %s", type(error).__name__)
            return sum((self.load_or_fail_account(load, chunk) for chunk in fetched), Counts())

    def load_or_fail_account(self, load: Load, chunk: FetchedChunk) -> Counts:
        """
        Load one chunk in its own transaction and return the counts.

        If that fails, mark the account as failed for this try, record only the calls made, and
        return zeros.

        Raises:
            Exception: the warehouse refuses all statements, or the calls can't be recorded.
        """
        try:
            return self.commit(load, [chunk])
        except Exception as error:
            self.fail(chunk.calls, error)
            return self.commit(load, [chunk])

    def commit(self, load: Load, fetched: Sequence[FetchedChunk]) -> Counts:
        """
        Load chunks in one transaction, and return the counts of calls and rows.

        Chunks without a result are skipped. The unknown metrics of the answers are noted. For the
        chunks of accounts in `failures`, only the calls made are recorded in the run's report. They
        are not in the returned counts.

        Raises:
            Exception: a statement failed. Nothing is written, so the chunks can be loaded again.
        """
        chunks = [chunk.staged for chunk in fetched if chunk.staged]
        failed = [chunk for chunk in chunks if chunk[0].account.appid in self.failures]
        loadable = [chunk for chunk in chunks if chunk[0].account.appid not in self.failures]
        if not chunks:
            return Counts()
        with self.tally.timed_commit():
            counts = load.commit(loadable, chain.from_iterable(failed))
        answers = chain.from_iterable(loadable)
        self.unknown_metrics.update(*(answer.unknown_metrics for answer in answers))
        return counts

    def require_one_statement(self, error: Exception) -> Problem | None:
        """
        Raise the error again if it shows that the warehouse refuses all statements.

        Return the warehouse's problem with this one statement. Return None if the error is none of
        the warehouse's.
        """
        warehouse_error = diagnose(error, self.work.warehouse)
        if warehouse_error and not warehouse_error.kind.is_of_one_statement:
            raise error
        return warehouse_error.problem if warehouse_error else None

    def fail(self, calls: AccountCalls, error: Exception) -> None:
        """
        Mark the account as failed for this try in `failures`, and make no further call for it.

        Its problem is that of the warehouse or, for any other error, a program fault, whose
        traceback is logged.

        Raises:
            Exception: the given error, if it shows that the warehouse refuses all statements.
        """
        problem = self.require_one_statement(error) or program_problem(log, error)
        calls.stop()
        self.failures[calls.account.appid] = replace(problem, **calls.planned.problem_fields)
