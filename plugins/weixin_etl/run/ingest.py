"""The verb ingest: a batch's planned pairs brought in by extract and load; why some are not."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial

from sqlalchemy import Engine

from weixin_etl import clock, rules
from weixin_etl.api.client import Refusal, WeixinClient
from weixin_etl.api.errors import ConfigurationError, DailyQuotaError, HeldBackError
from weixin_etl.clock import days_as_ranges
from weixin_etl.load import Load, Loaded, Staged, count_calls, staged
from weixin_etl.model import Account, Batch, Counts, Pair, PlannedAccount, Run
from weixin_etl.problem import (
    Problem,
    ProblemKind,
    log_problem,
    program_fault,
)
from weixin_etl.run import Settings
from weixin_etl.run.extract import AccountCalls, FetchedChunk, chunks_of, extract
from weixin_etl.run.outcome import (
    Known,
    accounts_not_in,
    calls_allowed,
    known_of,
    why_not_in,
)
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import WarehouseError, analyse_grown, diagnose
from weixin_etl.warehouse.locks import ingest_locks

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""A commit holds what came in this time, so that a kill costs no more."""

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


@dataclass(eq=False)
class IngestError(Exception):
    """Planned pairs that are not in. `str()` says of how many accounts; the log has said why."""

    problems: list[Problem]
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

    def __str__(self) -> str:
        """`3 accounts are not in: see the lines above`."""
        return accounts_not_in(self.problems)


def ingest(
    run: Run,
    warehouse: Engine,
    settings: Settings,
    batch: Batch,
    open_client: OpenClient,
    *,
    now: Callable[[], datetime] = clock.now,
) -> set[str]:
    """
    Bring the batch's pairs in; no account's trouble stops another.

    Accounts that another run ingests come last: what it brings in is not asked for again.

    Returns:
        The metrics of the answers that the dataset's declaration does not have.

    Raises:
        IngestError: pairs are not in.
        WarehouseError: the warehouse can't be used.
    """
    return _Try(run, warehouse, settings, open_client, now).ingest(batch)


@dataclass(slots=True)
class _Try:
    """One try of a batch."""

    run: Run
    warehouse: Engine
    settings: Settings
    open_client: OpenClient
    now: Callable[[], datetime]
    failures: dict[str, Problem] = field(default_factory=dict)
    """Why accounts could not be loaded, by AppID."""
    rids: dict[tuple[str | None, ProblemKind], str] = field(default_factory=dict)
    """WeChat's ids of refused calls, by AppID and kind."""
    unknown_metrics: set[str] = field(default_factory=set)
    done: int = 0
    """Days that are loaded."""

    def ingest(self, batch: Batch) -> set[str]:
        """Bring the batch in, or say why it is not."""
        try:
            others = self.bring_in_locked(batch, waits=False)
            if others:
                names = few_names([account.name for account in others])
                log.info("waits for other runs that ingest these accounts: %s", names)
                self.bring_in_locked(others, waits=True)
            problems = self.why_not_in(batch)
        except WarehouseError:
            raise
        except Exception as error:
            passing = diagnose(error, self.warehouse)
            if passing is None:
                raise
            problems = [*self.failures.values(), passing.problem]
        for problem in problems:  # one per account and cause, right above the task's last line
            log_problem(log, problem)
        if problems:
            raise IngestError(problems, self.unknown_metrics)
        return self.unknown_metrics

    def bring_in_locked(self, batch: Batch, *, waits: bool) -> Batch:
        """Bring in the accounts that no other run ingests, or, when it `waits`, all; the others."""
        appids = [account.appid for account in batch]
        with ingest_locks(self.warehouse, self.run.dataset.name, appids, waits=waits) as locked:
            self.bring_in([account for account in batch if account.appid in locked])
        return [account for account in batch if account.appid not in locked]

    def bring_in(self, accounts: Batch) -> None:
        """Ask for what is not in of the accounts' days, and load what comes, chunk by chunk."""
        calls = self.calls(accounts)
        if not calls:
            return
        load = Load(self.warehouse, self.run, ready_hour=self.settings.ready_hour, now=self.now)
        day_count = sum(len(chunk) for account in calls for chunk in account.chunks)
        for fetched in extract(
            calls,
            self.ask,
            concurrency=self.settings.concurrency,
            most_bytes=self.settings.commit_bytes,
            most_seconds=COMMIT_SECONDS,
        ):
            self.take(load, fetched)
            analyse_grown(self.warehouse)
            log.info("%s of %s done", self.done, counted(day_count, "day"))
            del fetched  # else its answers stay until the next ones are all there

    def calls(self, accounts: Batch) -> list[AccountCalls]:
        """The calls of accounts with days to ask for by now: other runs may have called since."""
        now, run = self.now(), self.run
        with self.warehouse.connect() as connection:
            known = known_of(connection, run.dataset, accounts)
            allowed = calls_allowed(connection, run, self.settings, accounts, now)
        calls = []
        for planned in accounts:
            chunks = chunks_of(planned, _to_be_asked(run, planned, known))
            if chunks:
                calls.append(
                    AccountCalls(
                        run,
                        _as_account(planned),
                        chunks,
                        partial(self.client, planned),
                        now=self.now,
                        planned_at=planned.planned_at,
                        calls_allowed=allowed[planned.appid],
                        stopped=_stopped(planned, known, now),
                    )
                )
        return calls

    def client(self, planned: PlannedAccount) -> WeixinClient:
        """
        The account's client.

        Raises:
            ConfigurationError: the connection's login has changed since the plan.
        """
        client = self.open_client(planned)
        appid = client.account.appid
        if appid != planned.appid:
            raise ConfigurationError(
                account=planned.name,
                cause=f"the AppID of connection {planned.conn_id} was {planned.appid} when the run "
                f"was planned and is {appid} now",
                cure="clear the task refresh_access_token with its downstream tasks",
            )
        return client

    def ask(self, calls: AccountCalls, day: date) -> Staged:
        """Ask for a day, and write down what came for its load."""
        return staged(self.run.dataset, calls.account, day, calls.ask(day))

    def take(self, load: Load, fetched: Sequence[FetchedChunk]) -> None:
        """Load chunks; what was not asked for, and accounts that failed, are left out."""
        chunks = []
        for chunk in fetched:
            self.done += len(chunk.staged)
            if chunk.failure:
                self.fail(chunk.calls.account, chunk.failure)
                self.count_calls(chunk.staged)
            elif chunk.calls.account.appid in self.failures:
                self.count_calls(chunk.staged)
            elif asked := [one for one in chunk.staged if not isinstance(one.error, HeldBackError)]:
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
            log.warning("%s accounts are loaded one by one: %s", len(chunks), type(error).__name__)
            for chunk in chunks:
                self.commit(load, [chunk])
            return
        for chunk in chunks:
            self.unknown_metrics |= set().union(*(one.unknown_metrics for one in chunk))
            refusals = [(one.account.appid, one.error) for one in chunk if one.error]
            self.rids |= {(appid, error.kind): error.rid for appid, error in refusals if error.rid}
            _log_chunk(chunk, loaded)

    def count_calls(self, staged: Sequence[Staged]) -> None:
        """Count the calls of pairs that are not loaded: they used the quota all the same."""
        with self.warehouse.begin() as connection:
            count_calls(connection, self.run.dataset, staged)

    def require_warehouse(self, error: Exception) -> None:
        """Make sure that the error is of one statement, so that others can still be made."""
        passing = diagnose(error, self.warehouse)
        if passing and not passing.is_of_one_statement:
            raise error

    def fail(self, account: Account, error: Exception) -> None:
        """Give an account up whose answers can't be worked on or loaded."""
        self.require_warehouse(error)
        if passing := diagnose(error, self.warehouse):
            problem = passing.problem
        else:
            problem = program_fault(log, error)
        self.failures[account.appid] = replace(
            problem, account=account.name, appid=account.appid, conn_id=account.conn_id
        )

    def why_not_in(self, batch: Batch) -> list[Problem]:
        """Why pairs of the batch are not in, by what is true now: one problem a cause."""
        now = self.now()
        loadable = [account for account in batch if account.appid not in self.failures]
        with self.warehouse.connect() as connection:
            known = known_of(connection, self.run.dataset, loadable)
            allowed = calls_allowed(connection, self.run, self.settings, loadable, now)
        problems = why_not_in(self.run, loadable, known, allowed, now)
        return [*map(self.with_rid, problems), *self.failures.values()]

    def with_rid(self, problem: Problem) -> Problem:
        """The problem with WeChat's id of one of the calls that were refused so."""
        return replace(problem, rid=self.rids.get((problem.appid, problem.kind), ""))


def _to_be_asked(run: Run, planned: PlannedAccount, known: Known) -> set[date]:
    return {
        day
        for day in planned.days
        if rules.is_to_be_asked(
            known.get((planned.appid, day)),
            planned.planned_at,
            refetch=run.refetch,
            is_witness=day == planned.witness,
        )
    }


def _as_account(planned: PlannedAccount) -> Account:
    """Who the account is, without its secret."""
    return Account(planned.conn_id, planned.appid, "", planned.name)


def _stopped(planned: PlannedAccount, known: Known, now: datetime) -> Refusal | None:
    """The refusal of an account whose daily quota this run has found used up today."""
    for day in planned.days:
        pair = known.get((planned.appid, day))
        if pair and rules.is_used_up(pair, planned.planned_at, now):
            account = str(_as_account(planned))
            cause = "the calls allowed in a day are used up, so it is not asked before midnight"
            error = DailyQuotaError(account=account, errcode=pair.error_code, cause=cause)
            return Refusal(error, now, calls=0)
    return None


def _log_chunk(chunk: Sequence[Staged], loaded: Mapping[Pair, Loaded]) -> None:
    """A line per account and end of its attempts; why pairs are not in has its own."""
    alike: dict[str | None, list[Staged]] = defaultdict(list)
    for one in chunk:
        alike[loaded[one.pair].coverage.error_kind].append(one)
    for kind, those in alike.items():
        counts = sum((loaded[one.pair].counts for one in those), Counts())
        log.log(
            logging.WARNING if kind else logging.INFO,
            "%s: %s %s; %s inserted, %s updated, %s unchanged, %s rejected",
            those[0].account,
            days_as_ranges([one.day for one in those]),
            kind or "loaded",
            counts.inserted,
            counts.updated,
            counts.unchanged,
            counts.rejected,
        )
