"""The verb ingest: a batch's planned pairs brought in, and why some are not. Knows no Airflow."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.api.client import Refusal, WeixinClient
from weixin_etl.api.errors import ConfigurationError, HeldBackError, from_errcode
from weixin_etl.clock import days_as_ranges
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.load import Judged, Load, Outcome, outcome
from weixin_etl.load.quota import known_quotas
from weixin_etl.model import (
    Account,
    Batch,
    Coverage,
    PairState,
    PlannedAccount,
    PlannedPair,
    PlanStamp,
    Run,
    accounts_are,
    connection_of,
    few_names,
)
from weixin_etl.problem import (
    Problem,
    ProblemKind,
    log_frames,
    log_problem,
    program_fault,
    together,
)
from weixin_etl.run.extract import AccountCalls, Budget, extract
from weixin_etl.warehouse import WarehouseError, diagnose, require_one_time, statement
from weixin_etl.warehouse.locks import ingest_locks

log = logging.getLogger(__name__)

COMMIT_SECONDS = 60
"""A commit holds what came in this time, so that a kill costs no more."""
_NAMES_IN_LOG = 20
_NOT_ASKED = {
    True: "not asked yet",
    False: "answered before it was planned, by the clocks of two machines",
}

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the pipeline works; see `[weixin]` in Airflow's configuration."""

    concurrency: int = 4
    catch_up_days: int = 60
    ready_hour: int = 10
    commit_bytes: int = 64 << 20
    daily_calls: int = 1000
    """Calls an account may make in a day where WeChat does not say; 0 when that is not known."""
    quota_reserve: int = 100
    """Of these, the ones that only the windows of daily runs may use."""


class IngestError(Exception):
    """Planned pairs that are not in. `str()` says of how many accounts; the log has said why."""

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        is_retryable: bool,
        has_not_ready: bool = False,
        unknown_metrics: Collection[str] = (),
    ) -> None:
        super().__init__(accounts_not_in(problems))
        self.problems = list(problems)
        self.unknown_metrics = unknown_metrics
        """Those of the answers that are in."""
        self.is_retryable = is_retryable
        """Whether something may come in by another try."""
        self.has_not_ready = has_not_ready
        """Whether something may come in later in the morning."""


class Ingest:
    """One try of a batch."""

    def __init__(
        self,
        run: Run,
        warehouse: Engine,
        settings: Settings,
        now: Callable[[], datetime],
        *,
        open_client: OpenClient,
        plan_more: Callable[[Sequence[PlannedAccount]], Mapping[str, Sequence[date]]],
        by_itself: bool,
    ) -> None:
        """
        Do nothing yet.

        Args:
            run: the run.
            warehouse: where its plan is.
            settings: how much at once.
            now: the clock.
            open_client: gives an account's client.
            plan_more: adds what is due of accounts whose endpoint is back to the plan; the days
                that it did not have before, by AppID.
            by_itself: whether Airflow tries again without a person: then what only a person can
                mend is not asked for.

        """
        self._run = run
        self._warehouse = warehouse
        self._settings = settings
        self._now = now
        self._open_client = open_client
        self._plan_more = plan_more
        self._by_itself = by_itself
        self._judged: list[Judged] = []
        self._failures: dict[str, Problem] = {}
        """Why accounts could not be loaded, by AppID."""
        self._unknown_metrics: set[str] = set()

    def ingest(self, batch: Batch) -> Collection[str]:
        """
        Bring the batch's pairs in; no account's trouble stops another.

        Accounts that another run ingests come last: what it brings in is not asked for again.

        Returns:
            The metrics of the answers that the dataset's declaration does not have.

        Raises:
            IngestError: pairs are not in.
            WarehouseError: the warehouse has another time than this machine, or not the batch's
                plan.

        """
        try:
            self._require_plan(batch)
            with self._alone(batch, waits=False) as accounts:
                self._ingest(accounts)
            if others := [account for account in batch if account not in accounts]:
                with self._alone(others, waits=True) as accounts:
                    self._ingest(accounts)
            pairs = self._planned_pairs(batch)
        except WarehouseError:
            raise
        except Exception as error:
            passing = diagnose(error, self._warehouse)
            if passing is None:
                raise
            problems = [*_problems(self._judged), *self._failures.values(), passing.problem]
            raise self._not_in(problems, is_retryable=True) from None
        self._require_all_in(pairs)
        return self._unknown_metrics

    def _require_plan(self, batch: Batch) -> None:
        stamps = {it.planned_at for it in batch}
        with self._warehouse.connect() as connection:
            for planned_at in stamps:
                own = [it for it in batch if it.planned_at == planned_at]
                stamp = PlanStamp(planned_at, sum(len(it.days) for it in own))
                require_plan(connection, self._run, stamp, [it.appid for it in own])

    def _require_all_in(self, pairs: Sequence[PlannedPair]) -> None:
        open_pairs = [
            pair
            for pair in pairs
            if rules.holds_back(pair, self._run) and pair.appid not in self._failures
        ]
        if not open_pairs and not self._failures:
            return
        with self._warehouse.connect() as connection:
            problems = [*not_in(connection, self._run, open_pairs), *self._failures.values()]
        not_ready = [pair for pair in open_pairs if pair.state is PairState.NOT_READY]
        others = [pair for pair in open_pairs if pair.state is not PairState.NOT_READY]
        raise self._not_in(
            problems,
            is_retryable=bool(self._failures) or any(pair.is_retryable for pair in others),
            has_not_ready=bool(not_ready),
        )

    def _not_in(
        self, problems: Sequence[Problem], *, is_retryable: bool, has_not_ready: bool = False
    ) -> IngestError:
        """The error that ends the try, after a line per account and cause, above its last one."""
        for problem in problems:
            log_problem(log, problem)
        return IngestError(
            problems,
            is_retryable=is_retryable,
            has_not_ready=has_not_ready,
            unknown_metrics=self._unknown_metrics,
        )

    @contextmanager
    def _alone(
        self, batch: Sequence[PlannedAccount], *, waits: bool
    ) -> Iterator[list[PlannedAccount]]:
        """The accounts that no other run ingests; when it `waits`, all, once the others ended."""
        if waits:
            names = few_names([account.name for account in batch])
            log.info("waits for other runs that ingest these accounts: %s", names)
        appids = [account.appid for account in batch]
        locks = ingest_locks(self._warehouse, self._run.dataset.name, appids, waits=waits)
        with locks as locked:
            yield [account for account in batch if account.appid in locked]

    def _ingest(self, accounts: Sequence[PlannedAccount]) -> None:
        """
        Ask for the accounts' pairs, newest days first, and load them.

        When a probe is answered the endpoint is back, and the account's open days are due.
        """
        if not accounts:
            return
        require_one_time(self._warehouse)
        self._bring_in(accounts, self._to_ask(accounts))
        answered = {pair.appid for pair in self._planned_pairs(accounts) if rules.is_back(pair)}
        if back := [account for account in accounts if account.appid in answered]:
            self._bring_in(back, self._plan_more(back))

    def _planned_pairs(self, accounts: Sequence[PlannedAccount]) -> list[PlannedPair]:
        with self._warehouse.connect() as connection:
            return planned_pairs(connection, self._run, [account.appid for account in accounts])

    def _to_ask(self, accounts: Sequence[PlannedAccount]) -> dict[str, list[date]]:
        days: dict[str, list[date]] = defaultdict(list)
        for pair in self._planned_pairs(accounts):
            if rules.is_to_be_asked(pair, refetch=self._run.refetch, by_itself=self._by_itself):
                days[pair.appid].append(pair.publication_date)
        return days

    def _bring_in(
        self, accounts: Sequence[PlannedAccount], days: Mapping[str, Sequence[date]]
    ) -> None:
        """Ask for days of the accounts, by AppID, and load what comes in commits."""
        refusals = self._refusals_at_rest(accounts)
        budgets = self._budgets(accounts)
        calls = [
            self._calls(
                account,
                days[account.appid],
                budgets[account.appid],
                refusals.get(account.appid),
            )
            for account in accounts
            if days.get(account.appid)
        ]
        awaited = Counter({appid: len(dates) for appid, dates in days.items()})
        load = Load(self._warehouse, self._run, ready_hour=self._settings.ready_hour, now=self._now)
        for outcomes in extract(
            calls,
            self._outcome,
            concurrency=self._settings.concurrency,
            most_bytes=self._settings.commit_bytes,
            most_seconds=COMMIT_SECONDS,
        ):
            awaited.subtract(it.account.appid for it in outcomes)
            complete = {appid for appid, count in awaited.items() if not count}
            for appid in complete:
                del awaited[appid]
            given_up = [it for it in outcomes if it.account.appid in self._failures]
            loadable = [it for it in outcomes if it.account.appid not in self._failures]
            if given_up:
                load.count_calls(given_up)
            if loadable:
                self._commit(load, loadable, complete - self._failures.keys())
            del outcomes, given_up, loadable  # else they stay until the next ones are all there
        for account in calls:
            if account.failure:
                self._fail(account.account, account.failure)

    def _refusals_at_rest(self, accounts: Sequence[PlannedAccount]) -> dict[str, Refusal]:
        """Those of the accounts whose daily quota is used up."""
        if self._run.refetch:
            return {}  # somebody had the quota raised
        now = self._now()
        with self._warehouse.connect() as connection:
            rows = connection.execute(
                statement("coverage/resting.sql"),
                {
                    "dataset": self._run.dataset.name,
                    "appids": [account.appid for account in accounts],
                    "now": now,
                },
            ).all()
        known: dict[str, list[Coverage]] = defaultdict(list)
        for row in rows:
            coverage = Coverage(
                row.publication_date,
                error_code=row.error_code,
                next_attempt_at=row.next_attempt_at,
            )
            known[row.appid].append(coverage)
        refusals = {}
        for account in accounts:
            if held := rules.resting(known[account.appid], now):
                error = from_errcode(
                    held.error_code or 0,
                    "not asked again until then",
                    account=str(_as_account(account)),
                )
                refusals[account.appid] = Refusal(error, now, calls=0)
        return refusals

    def _budgets(self, accounts: Sequence[PlannedAccount]) -> dict[str, Budget]:
        """
        What each account may spend, by AppID.

        As of now, not of the plan: other runs may have called since, and none does while this one
        has the account.
        """
        run, today = self._run, clock.beijing_date(self._now())
        with self._warehouse.connect() as connection:
            quotas = known_quotas(
                connection,
                run.dataset,
                [account.appid for account in accounts],
                today=today,
                daily_calls=self._settings.daily_calls,
            )
        return {
            appid: Budget(
                has_priority=lambda day: rules.has_priority(run, day, today),
                left=rules.calls_to_spend(
                    quota, refetch=run.refetch, reserve=self._settings.quota_reserve
                ),
            )
            for appid, quota in quotas.items()
        }

    def _calls(
        self,
        planned: PlannedAccount,
        days: Sequence[date],
        budget: Budget,
        stopped: Refusal | None,
    ) -> AccountCalls:
        def open_client() -> WeixinClient:
            client = self._open_client(planned)
            _require_same_account(planned, client)
            return client

        return AccountCalls(
            _as_account(planned),
            days,
            open_client,
            self._run.dataset,
            present=rules.present_window(self._run.dataset, clock.beijing_date(self._now())),
            now=self._now,
            budget=budget,
            stopped=stopped,
        )

    def _outcome(self, calls: AccountCalls, day: date) -> Outcome:
        """Ask for a day, and take the answer apart."""
        return outcome(self._run.dataset, calls.account, day, calls.ask(day))

    def _commit(self, load: Load, outcomes: Sequence[Outcome], complete: Collection[str]) -> None:
        """Load the outcomes; when that fails, account by account."""
        of_account = [
            list(own)
            for _, own in groupby(
                sorted(outcomes, key=lambda it: it.account.appid), lambda it: it.account.appid
            )
        ]
        try:
            judged = load.commit(outcomes, complete=complete)
        except Exception as error:
            if len(of_account) == 1:
                self._fail(outcomes[0].account, error)
                load.count_calls(outcomes)
                return
            self._require_warehouse(error)
            log.warning(
                "%s accounts are loaded one by one: %s", len(of_account), type(error).__name__
            )
            for own in of_account:
                self._commit(load, own, {own[0].account.appid} & set(complete))
        else:
            self._judged += judged
            for own in of_account:
                self._unknown_metrics |= _log_notes(own)
            _log_judged(judged)

    def _require_warehouse(self, error: Exception) -> None:
        """Make sure that the error is of one statement, so that others can still be made."""
        passing = diagnose(error, self._warehouse)
        if passing and not passing.is_of_one_statement:
            raise error

    def _fail(self, account: Account, error: Exception) -> None:
        """Give an account up whose answers can't be worked on or loaded."""
        self._require_warehouse(error)
        if passing := diagnose(error, self._warehouse):
            problem = passing.problem
        else:
            log_frames(log, error)
            problem = program_fault(error)
        self._failures[account.appid] = replace(
            problem, account=account.name, appid=account.appid, conn_id=account.conn_id
        )


def _as_account(planned: PlannedAccount) -> Account:
    """Who the account is, without its secret."""
    return Account(planned.conn_id, planned.appid, "", planned.name)


def _require_same_account(planned: PlannedAccount, client: WeixinClient) -> None:
    """
    Make sure that the client speaks for the planned account.

    Raises:
        ConfigurationError: the connection's login has changed since the plan.

    """
    appid = client.account.appid
    if appid != planned.appid:
        raise ConfigurationError(
            account=planned.name,
            cause=f"the AppID of connection {planned.conn_id} was {planned.appid} when the run was "
            f"planned and is {appid} now",
            cure="clear the task refresh_access_token with its downstream tasks",
        )


def planned_pairs(
    connection: Connection, run: Run, appids: Sequence[str] | None = None
) -> list[PlannedPair]:
    """The pairs of the run's newest plan, newest first; of some accounts or of all."""
    rows = connection.execute(
        statement("run_report/of_run.sql"), {**run_keys(run), "appids": appids}
    )
    return [planned_pair(row) for row in rows]


def run_keys(run: Run) -> dict[str, str]:
    """What tells a run's rows of `weixin.run_report` from others."""
    return {
        "run_id": run.run_id,
        "dataset": run.dataset.name,
        "installation": run.installation,
    }


def require_plan(
    connection: Connection, run: Run, stamp: PlanStamp, appids: Sequence[str] | None = None
) -> None:
    """
    Make sure that the run's plan is in the warehouse as it was made; of some accounts or of all.

    Raises:
        WarehouseError: it is not; the warehouse may have been restored from a backup.

    """
    found = connection.scalar(
        statement("run_report/planned.sql"),
        {**run_keys(run), "planned_at": stamp.planned_at, "appids": appids},
    )
    if (found or 0) < stamp.pair_count:
        raise WarehouseError(
            "the plan is gone from the warehouse: of the "
            f"{stamp.pair_count} days planned at {clock.beijing_text(stamp.planned_at)} it has "
            f"{found or 0}; it was restored from a backup, or the run was planned again",
            "clear plan with its downstream tasks",
        )


def planned_pair(row: Row[Any]) -> PlannedPair:
    """The pair of a row of `run_report/of_run.sql`, which has its counts as well."""
    return PlannedPair(
        row.appid,
        row.name or row.appid,
        row.conn_id or "",
        row.publication_date,
        row.planned_at,
        row.is_probe,
        row.is_witness,
        PairState(row.state),
        row.is_retryable,
        Coverage(
            row.publication_date,
            row.data_state,
            row.fetched_at,
            row.ready_at,
            row.is_final,
            attempt_state=row.attempt_state,
            error_kind=row.error_kind and ProblemKind(row.error_kind),
            error_code=row.error_code,
            error=row.error,
            cure=row.cure,
            rid=row.rid,
            next_attempt_at=row.next_attempt_at,
        ),
    )


def days_of(pairs: Iterable[PlannedPair]) -> dict[str, frozenset[date]]:
    """The pairs' publication days, by AppID."""
    days: dict[str, set[date]] = defaultdict(set)
    for pair in pairs:
        days[pair.appid].add(pair.publication_date)
    return {appid: frozenset(those) for appid, those in days.items()}


def not_in(connection: Connection, run: Run, pairs: Sequence[PlannedPair]) -> list[Problem]:
    """Why those of the pairs that are not in hold the run back: one per account and cause."""
    problems = together(why_not_in(pair) for pair in pairs if rules.holds_back(pair, run))
    offline = [it for it in problems if it.kind is ProblemKind.ENDPOINT_OFFLINE]
    held = held_by_successor(connection, run.dataset, offline)
    return [replace(it, cure=held[it]) if it in held else it for it in problems]


def why_not_in(pair: PlannedPair) -> Problem:
    """Why a pair is not in, by its last attempt."""
    if pair.state is PairState.HELD_BACK:
        account = Account(pair.conn_id, pair.appid, "", pair.name)
        return HeldBackError().problem(account, pair.publication_date)
    known = pair.coverage
    if known.error_kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        return Problem.of_connection(
            connection_of(pair.conn_id),
            known.error_kind,
            known.error or "",
            known.cure or "",
            (pair.publication_date,),
            known.error_code,
            known.rid or "",
        )
    return Problem(
        known.error_kind or ProblemKind.NOT_ASKED,
        cause=known.error or _NOT_ASKED[pair.state is PairState.PLANNED],
        cure=known.cure or "clear the task ingest",
        account=pair.name,
        appid=pair.appid,
        conn_id=pair.conn_id,
        days=(pair.publication_date,),
        errcode=known.error_code,
        rid=known.rid or "",
    )


def held_by_successor(
    connection: Connection, dataset: Dataset, offline: Sequence[Problem]
) -> dict[Problem, str]:
    """What to do about days of an endpoint that is offline, by what its successor has of them."""
    if dataset.successor is None or not offline:
        return {}
    successor = DATASETS[dataset.successor]
    pairs = [(it.appid, day) for it in offline for day in it.days]
    rows = connection.execute(
        statement("coverage/held_by_successor.sql"),
        {
            "successor": successor.name,
            "appids": [appid for appid, _ in pairs],
            "publication_dates": [day for _, day in pairs],
        },
    )
    held = {row.appid: row.day_count for row in rows}
    return {it: _instead(successor, held.get(it.appid, 0), len(it.days)) for it in offline}


def _instead(successor: Dataset, held: int, wanted: int) -> str:
    if held == wanted:
        return f"nothing to do: {successor.dag_id} has these days"
    return f"unpause and trigger {successor.dag_id}, which has {held} of {wanted} days"


def accounts_not_in(problems: Sequence[Problem]) -> str:
    """`3 accounts are not in: see the lines above`, a task's last line."""
    platforms = sorted({it.account for it in problems if it.kind is ProblemKind.PLATFORM})
    accounts = len({it.appid or it.account for it in problems}.difference(platforms))
    not_in = [f"{it} is" for it in platforms] + ([accounts_are(accounts)] if accounts else [])
    return f"{' not in, '.join(not_in)} not in: see the lines above"


def _problems(judged: Iterable[Judged]) -> list[Problem]:
    return together(it.error.problem(it.account, it.publication_date) for it in judged if it.error)


def _log_notes(outcomes: Sequence[Outcome]) -> set[str]:
    """What is unusual about an account's answers, no data is lost by it; its unknown metrics."""
    account = outcomes[0].account
    said = [outcome.answer.others for outcome in outcomes if outcome.answer]
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
    unknown: set[str] = set().union(*(it.unknown_metrics for it in said))
    if unknown:
        names = ", ".join(f"{name!r:.60}" for name in sorted(unknown)[:_NAMES_IN_LOG])
        log.warning("%s: %s unknown metrics, kept in extra: %s", account, len(unknown), names)
    return unknown


def _log_judged(judged: Iterable[Judged]) -> None:
    """A line per account and state; why pairs are not in has its own."""
    alike: dict[tuple[str, PairState], list[Judged]] = defaultdict(list)
    for it in judged:
        alike[str(it.account), it.state].append(it)
    for (account, state), pairs in alike.items():
        log.log(
            logging.INFO if state in (PairState.LOADED, PairState.EMPTY) else logging.WARNING,
            "%s: %s %s; %s inserted, %s updated, %s unchanged, %s rejected",
            account,
            days_as_ranges([it.publication_date for it in pairs]),
            state,
            sum(it.counts.inserted for it in pairs),
            sum(it.counts.updated for it in pairs),
            sum(it.counts.unchanged for it in pairs),
            sum(it.rejected for it in pairs),
        )
        if kept := sum(it.counts.kept for it in pairs):
            log.warning("%s: %s values left out of an answer keep their old value", account, kept)
