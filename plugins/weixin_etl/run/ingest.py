"""The verb ingest: a batch's planned pairs brought in by extract and load; why some are not."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from threading import Lock
from time import monotonic

from sqlalchemy import Engine

from weixin_etl import clock, rules
from weixin_etl.api.client import Refusal, WeixinClient
from weixin_etl.api.errors import ConfigurationError, DailyQuotaError
from weixin_etl.clock import days_as_ranges
from weixin_etl.load import Load, Outcome, answered, refused
from weixin_etl.model import (
    Account,
    Batch,
    Counts,
    Pair,
    PairState,
    PlannedAccount,
    PlannedPair,
    PlanStamp,
    Run,
)
from weixin_etl.parse import parse
from weixin_etl.problem import Problem, log_frames, log_problem, program_fault, together
from weixin_etl.run import Settings
from weixin_etl.run.extract import AccountCalls, extract
from weixin_etl.run.pairs import (
    accounts_not_in,
    not_in,
    planned_pairs,
    require_plan,
    run_keys,
)
from weixin_etl.run.plan import plan_open_days
from weixin_etl.run.quota import known_quotas
from weixin_etl.text import counted, few_names
from weixin_etl.threads import every
from weixin_etl.warehouse import WarehouseError, diagnose, require_one_time, statement
from weixin_etl.warehouse.locks import ingest_locks
from weixin_etl.warehouse.statements import arrays

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""A commit holds what came in this time, so that a kill costs no more."""
PROGRESS_SECONDS = 14
"""So long after its last line the log says how far a batch has come, also during a commit."""

_one_at_a_time = Lock()
"""Answers are parsed one at a time: parsing takes several times an answer's bytes."""

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


@dataclass(eq=False)
class IngestError(Exception):
    """Planned pairs that are not in. `str()` says of how many accounts; the log has said why."""

    problems: list[Problem]
    unknown_metrics: Collection[str]
    """Unknown metrics of the answers that are in."""
    is_retryable: bool
    """Whether something may come in by another try."""
    has_not_ready: bool
    """Whether something may come in later in the morning."""

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
    by_itself: bool,
    now: Callable[[], datetime] = clock.now,
) -> Collection[str]:
    """
    Bring the batch's pairs in; no account's trouble stops another.

    Accounts that another run ingests come last: what it brings in is not asked for again.
    `by_itself` is whether Airflow tries again without a person: then what only a person can mend is
    not asked for.

    Returns:
        The metrics of the answers that the dataset's declaration does not have.

    Raises:
        IngestError: pairs are not in.
        WarehouseError: the warehouse has another time than this machine, or not the batch's plan.
    """
    return _Try(run, warehouse, settings, open_client, by_itself, now).ingest(batch)


@dataclass(slots=True)
class _Try:
    """One try of a batch."""

    run: Run
    warehouse: Engine
    settings: Settings
    open_client: OpenClient
    by_itself: bool
    now: Callable[[], datetime]
    refused: list[Problem] = field(default_factory=list)
    """Why pairs are not in that were asked for."""
    failures: dict[str, Problem] = field(default_factory=dict)
    """Why accounts could not be loaded, by AppID."""
    unknown_metrics: set[str] = field(default_factory=set)

    def ingest(self, batch: Batch) -> Collection[str]:
        """Bring the batch in, or say why it is not."""
        try:
            stamp = PlanStamp(batch[0].planned_at, sum(len(it.days) for it in batch))
            with self.warehouse.connect() as connection:
                require_plan(connection, self.run, stamp, [it.appid for it in batch])
            others = self.bring_in_locked(batch, waits=False)
            if others:
                names = few_names([account.name for account in others])
                log.info("waits for other runs that ingest these accounts: %s", names)
                self.bring_in_locked(others, waits=True)
            pairs = [
                pair
                for pair in self.planned_pairs(batch)
                if rules.makes_red(pair, self.run) and pair.appid not in self.failures
            ]
            with self.warehouse.connect() as connection:
                problems = [
                    *not_in(connection, self.run, pairs, self.now()),
                    *self.failures.values(),
                ]
            waiting = [pair for pair in pairs if pair.state is PairState.NOT_READY]
            is_retryable = bool(self.failures) or any(
                pair.is_retryable for pair in pairs if pair.state is not PairState.NOT_READY
            )
        except WarehouseError:
            raise
        except Exception as error:
            passing = diagnose(error, self.warehouse)
            if passing is None:
                raise
            problems = [*together(self.refused), *self.failures.values(), passing.problem]
            is_retryable, waiting = True, []
        for problem in problems:  # one per account and cause, right above the task's last line
            log_problem(log, problem)
        if problems:
            raise IngestError(problems, self.unknown_metrics, is_retryable, bool(waiting))
        return self.unknown_metrics

    def bring_in_locked(self, batch: Batch, *, waits: bool) -> Batch:
        """Bring in the accounts that no other run ingests, or, when it `waits`, all; the others."""
        appids = [account.appid for account in batch]
        with ingest_locks(self.warehouse, self.run.dataset.name, appids, waits=waits) as locked:
            self.bring_in([account for account in batch if account.appid in locked])
        return [account for account in batch if account.appid not in locked]

    def planned_pairs(self, accounts: Batch) -> list[PlannedPair]:
        """The pairs of the run's newest plan."""
        with self.warehouse.connect() as connection:
            return planned_pairs(connection, self.run, [account.appid for account in accounts])

    def bring_in(self, accounts: Batch) -> None:
        """
        Ask for the accounts' pairs, newest days first, and load them.

        When a probe is answered the endpoint is back, and the account's open days are due.
        """
        if not accounts:
            return
        require_one_time(self.warehouse)
        days: dict[str, list[date]] = defaultdict(list)
        again: list[Pair] = []
        for pair in self.planned_pairs(accounts):
            if rules.is_to_be_asked(pair, refetch=self.run.refetch, by_itself=self.by_itself):
                days[pair.appid].append(pair.publication_date)
                if pair.state is not PairState.PLANNED:
                    again.append((pair.appid, pair.publication_date))
        if again:
            values = {**arrays(self.run.dataset, again), **run_keys(self.run)}
            with self.warehouse.begin() as connection:
                connection.execute(statement("run_report/ask_again.sql"), values)
        self.ask(accounts, days)
        answered = {pair.appid for pair in self.planned_pairs(accounts) if rules.is_back(pair)}
        if back := [account for account in accounts if account.appid in answered]:
            more = plan_open_days(self.run, self.warehouse, self.settings, back, self.now())
            self.ask(back, more)

    def ask(self, accounts: Batch, days: Mapping[str, Sequence[date]]) -> None:
        """Ask for days of the accounts, by AppID, and load what comes in commits."""
        calls = self.calls([it for it in accounts if days.get(it.appid)], days)
        progress = BatchProgress(Counter({appid: len(dates) for appid, dates in days.items()}))
        began = monotonic()
        load = Load(self.warehouse, self.run, ready_hour=self.settings.ready_hour, now=self.now)
        awaited = progress.left.copy()
        with every(PROGRESS_SECONDS, lambda: log.info("%s", progress.after(monotonic() - began))):
            for outcomes in extract(
                calls,
                partial(self.outcome, progress),
                concurrency=self.settings.concurrency,
                most_bytes=self.settings.commit_bytes,
                most_seconds=COMMIT_SECONDS,
            ):
                before = set(awaited)
                awaited -= Counter(it.account.appid for it in outcomes)
                given_up = [it for it in outcomes if it.account.appid in self.failures]
                loadable = [it for it in outcomes if it.account.appid not in self.failures]
                if given_up:
                    load.count_calls(given_up)
                if loadable:
                    complete = before - awaited.keys() - self.failures.keys()
                    self.commit(load, loadable, complete)
                del outcomes, given_up, loadable  # else they stay until the next are all there
        for account in calls:
            if account.failure:
                self.fail(account.account, account.failure)

    def calls(self, accounts: Batch, days: Mapping[str, Sequence[date]]) -> list[AccountCalls]:
        """
        The accounts' calls, with what their quotas allow.

        As of now, not of the plan: other runs may have called since, and none does while this one
        has the accounts.
        """
        now, run = self.now(), self.run
        today = clock.beijing_date(now)
        appids = [account.appid for account in accounts]
        with self.warehouse.connect() as connection:
            quotas = known_quotas(
                connection, run.dataset, appids, today=today, daily_calls=self.settings.daily_calls
            )
            # a refetch: somebody may have had the quota raised
            asked = [] if run.refetch else appids
            rows = connection.execute(
                statement("coverage/stopped.sql"),
                {"dataset": run.dataset.name, "appids": asked, "now": now},
            )
            errcodes = {row.appid: row.error_code for row in rows}
        reserve = self.settings.quota_reserve
        return [
            AccountCalls(
                run,
                _as_account(it),
                days[it.appid],
                partial(self.client, it),
                today=today,
                now=self.now,
                spare=rules.spare_calls(quotas[it.appid], refetch=run.refetch, reserve=reserve),
                stopped=_stopped(it, errcodes[it.appid], now) if it.appid in errcodes else None,
            )
            for it in accounts
        ]

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

    def outcome(self, progress: "BatchProgress", calls: AccountCalls, day: date) -> Outcome:
        """Ask for a day, take the answer apart, and write it down for its load."""
        came = calls.ask(day)
        if isinstance(came, Refusal):
            outcome = refused(calls.account, day, came)
        else:
            dataset = self.run.dataset
            with _one_at_a_time:
                parsed = parse(dataset, came.body, day, came.fetched_at)
                outcome = answered(dataset, calls.account, day, came, parsed)
        progress.note(outcome)
        return outcome

    def commit(self, load: Load, outcomes: Sequence[Outcome], complete: Collection[str]) -> None:
        """Load the outcomes; when that fails, account by account."""
        of_account: dict[str, list[Outcome]] = defaultdict(list)
        for it in outcomes:
            of_account[it.account.appid].append(it)
        try:
            judged = load.commit(outcomes, complete=complete)
        except Exception as error:
            if len(of_account) == 1:
                self.fail(outcomes[0].account, error)
                load.count_calls(outcomes)
                return
            self.require_warehouse(error)
            log.warning(
                "%s accounts are loaded one by one: %s", len(of_account), type(error).__name__
            )
            for appid, own in of_account.items():
                self.commit(load, own, {appid} & set(complete))
        else:
            self.refused += [
                it.error.problem(it.account, it.publication_date) for it in judged if it.error
            ]
            for own in of_account.values():
                self.unknown_metrics |= _log_notes(own)
            _log_judged(judged)

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
            log_frames(log, error)
            problem = program_fault(error)
        self.failures[account.appid] = replace(
            problem, account=account.name, appid=account.appid, conn_id=account.conn_id
        )


@dataclass(slots=True)
class BatchProgress:
    """How far the calls of a batch have come; the threads that make them note each outcome."""

    left: Counter[str]
    """Days that are not done, by AppID."""
    calls: int = 0
    rows: int = 0
    """Rows of the answers."""
    _accounts: int = field(init=False)
    _days: int = field(init=False)
    _noting: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._accounts, self._days = len(self.left), self.left.total()

    def note(self, outcome: Outcome) -> None:
        """One more day is done: answered, refused or not asked for."""
        with self._noting:
            self.left[outcome.account.appid] -= 1
            self.calls += outcome.calls
            self.rows += len(outcome.rows)

    def after(self, seconds: float) -> str:
        """`2 of 5 accounts, 21 of 35 days done: 22 calls, 380 rows; about 3 min more`."""
        left = self.left.total()
        done = self._days - left
        line = (
            f"{self._accounts - len(+self.left)} of {counted(self._accounts, 'account')}, "
            f"{done} of {counted(self._days, 'day')} done: "
            f"{counted(self.calls, 'call')}, {counted(self.rows, 'row')}"
        )
        if not left:
            return f"{line}; loading"
        if not done:
            return line
        return f"{line}; about {clock.elapsed(timedelta(seconds=seconds / done * left))} more"


def _as_account(planned: PlannedAccount) -> Account:
    """Who the account is, without its secret."""
    return Account(planned.conn_id, planned.appid, "", planned.name)


def _stopped(planned: PlannedAccount, errcode: int, now: datetime) -> Refusal:
    """The refusal of an account whose daily quota is used up."""
    account = str(_as_account(planned))
    cause = "the calls allowed in a day are used up, so it is not asked again before midnight"
    error = DailyQuotaError(account=account, errcode=errcode, cause=cause)
    return Refusal(error, now, calls=0)


def _log_notes(outcomes: Sequence[Outcome]) -> set[str]:
    """Log what is unusual about an account's answers, without loss of data; its unknown metrics."""
    account = outcomes[0].account
    said = [outcome.parsed for outcome in outcomes if outcome.parsed]
    notes = {
        "rows that repeated a key of their answer": sum(it.merged_rows for it in said),
        "numbers written as texts": sum(it.numbers_in_texts for it in said),
        "NUL characters removed from texts": sum(it.stripped_nuls for it in said),
        "empty row objects": sum(it.empty_rows for it in said),
        "articles without a list of rows": sum(it.articles_without_list for it in said),
    }
    for note, count in notes.items():
        if count:
            log.warning("%s: %s %s", account, count, note)
    return set().union(*(it.unknown_metrics for it in said))


def _log_judged(judged: Iterable[Outcome]) -> None:
    """A line per account and state; why pairs are not in has its own."""
    alike: dict[tuple[str, PairState | None], list[Outcome]] = defaultdict(list)
    for it in judged:
        alike[str(it.account), it.state].append(it)
    for (account, state), pairs in alike.items():
        counts = sum((it.counts for it in pairs), Counts())
        log.log(
            logging.INFO if state in (PairState.LOADED, PairState.EMPTY) else logging.WARNING,
            "%s: %s %s; %s inserted, %s updated, %s unchanged, %s rejected",
            account,
            days_as_ranges([it.publication_date for it in pairs]),
            state,
            counts.inserted,
            counts.updated,
            counts.unchanged,
            sum(it.rejected for it in pairs),
        )
        if kept := counts.kept:
            log.warning("%s: %s values left out of an answer keep their old value", account, kept)
