"""The verbs plan and ingest: what a run asks WeChat for, and bringing it in. Knows no Airflow."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    UnreadableError,
    WeixinError,
    from_errcode,
)
from weixin_etl.extract import extract
from weixin_etl.load import PAIRS_A_COMMIT, Judged, Load, Outcome
from weixin_etl.model import (
    Account,
    AttemptState,
    Batch,
    ConfiguredAccount,
    Coverage,
    PairState,
    PlannedAccount,
    PlannedPair,
    Run,
    days_as_ranges,
)
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.rules import Due
from weixin_etl.warehouse import WarehouseError, require_migrated, statement, trouble

log = logging.getLogger(__name__)

MOST_BATCHES = 32
_NAMES_IN_LOG = 20
_NOT_ASKED = {
    True: "not asked yet; clear the task ingest",
    False: "answered before it was planned, by the clocks of two machines; clear the task ingest",
}
_RID = re.compile(r" rid: \S+$")
_LOCK = sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:key, 0))")
_NOW = sqlalchemy.text("SELECT clock_timestamp()")

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the pipeline works; see `[weixin]` in Airflow's configuration."""

    concurrency: int = 4
    catch_up_days: int = 60
    ready_hour: int = 10
    commit_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    accounts: list[PlannedAccount]
    """Those with days to ask for."""
    warnings: list[str]
    """Days that daily runs do not reach any more, a sentence per account."""
    counts: dict[str, int]
    """Publication days to ask for, of these caught up, skipped as final, and lost."""


@dataclass(frozen=True, slots=True)
class _AccountPlan:
    """What is due of an account, and why earlier days are caught up."""

    conn_id: str
    appid: str
    name: str
    due: Due
    why: str


class IngestError(Exception):
    """Planned pairs that are not in. `str()` names the accounts and days, and says why."""

    def __init__(
        self, problems: Sequence[str], *, is_retryable: bool, has_not_ready: bool = False
    ) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)
        self.is_retryable = is_retryable
        """Whether something may come in by another try."""
        self.has_not_ready = has_not_ready
        """Whether something may come in later in the morning."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A run's verbs, with what they need."""

    run: Run
    warehouse: Engine
    settings: Settings = field(default_factory=Settings)
    now: Callable[[], datetime] = clock.now

    # ------------------------------------------------------------------------------------- plan

    def plan(self, accounts: Sequence[ConfiguredAccount], *, is_new: bool) -> Plan:
        """
        Decide which days of the accounts to ask for, and write that down; a dry run only decides.

        Args:
            accounts: every configured account, those the run is limited to marked `is_wanted`.
            is_new: whether nothing of the run was tried before.

        Raises:
            ParameterError: the dates of the form can't be asked for.
            WarehouseError: the warehouse does not answer, is not migrated, or has another time.

        """
        rules.window(self.run, self._today)
        require_migrated(self.warehouse)
        self._require_one_time()
        wanted = [account for account in accounts if account.appid and account.is_wanted]
        with self.warehouse.begin() as connection:
            if not self.run.dry_run:
                self._save_accounts(connection, accounts, wanted)
            planned = self._due(connection, wanted)
            if not self.run.dry_run:
                self._save_plan(connection, planned, is_new=is_new)
        return self._as_plan(planned)

    @property
    def _today(self) -> date:
        return clock.beijing_date(self.now())

    def _require_one_time(self) -> None:
        """Make sure that this machine and the warehouse agree about what time it is."""
        with self.warehouse.connect() as connection:
            warehouse_now = connection.execute(_NOW).scalar_one()
        if off := clock.disagreement(warehouse_now):
            said = clock.comparison("the warehouse's", warehouse_now, off)
            raise WarehouseError(
                f"{said}; correct the wrong one, then clear this task: until then nothing is asked"
            )

    def _save_accounts(
        self,
        connection: Connection,
        accounts: Sequence[ConfiguredAccount],
        wanted: Sequence[ConfiguredAccount],
    ) -> None:
        connection.execute(
            statement("dim_account/save.sql"),
            {
                "accounts": msgspec.json.encode([asdict(account) for account in wanted]).decode(),
                "seen_at": self.now(),
            },
        )
        connection.execute(
            statement("dim_account/deactivate.sql"),
            {
                "appids": [account.appid for account in accounts if account.appid],
                "conn_ids": [account.conn_id for account in accounts if not account.appid],
            },
        )
        if rules.is_daily(self.run, self._today):
            connection.execute(
                statement("first_daily_run/save.sql"),
                {
                    "dataset": self.run.dataset.name,
                    "appids": [account.appid for account in wanted],
                    "today": self.run.today,
                },
            )

    def _due(
        self, connection: Connection, wanted: Sequence[ConfiguredAccount]
    ) -> list[_AccountPlan]:
        """Gather what is known of each account's days, and ask the rules."""
        run, today, dataset = self.run, self._today, self.run.dataset
        accounts = {account.appid: account for account in wanted if account.appid}
        rows = connection.execute(
            statement("first_daily_run/of_accounts.sql"),
            {"dataset": dataset.name, "appids": list(accounts)},
        )
        first_daily: dict[str, date] = {row.appid: row.first_daily_date for row in rows}
        concerned = {a: rules.concerned(run, first_daily.get(a), today).first for a in accounts}
        known = self._known_days(connection, concerned)
        planned = []
        for appid, account in accounts.items():
            days = known[appid]
            due = rules.due(
                run,
                first_daily_date=first_daily.get(appid),
                today=today,
                open_days={day for day, coverage in days.items() if not coverage.is_final},
                is_retired=rules.is_retired(dataset, days, today),
                catch_up_days=self.settings.catch_up_days,
            )
            why = _why_open(due.caught_up, days)
            planned.append(_AccountPlan(account.conn_id, appid, account.name, due, why))
        return planned

    def _known_days(
        self, connection: Connection, first_dates: Mapping[str, date]
    ) -> dict[str, dict[date, Coverage]]:
        """Each account's days that are not final, asked for or not, and its present window."""
        present = rules.present_window(self.run.dataset, self._today)
        rows = connection.execute(
            statement("coverage/open.sql"),
            {
                "dataset": self.run.dataset.name,
                "appids": list(first_dates),
                "first_dates": [min(first, present.first) for first in first_dates.values()],
                "last_date": present.last,
                "window_first_date": present.first,
            },
        )
        known: dict[str, dict[date, Coverage]] = defaultdict(dict)
        for row in rows:
            known[row.appid][row.publication_date] = Coverage(
                row.publication_date,
                is_final=row.is_final,
                attempt_state=row.attempt_state and AttemptState(row.attempt_state),
                error_code=row.error_code,
                error=row.error,
            )
        return known

    def _save_plan(
        self,
        connection: Connection,
        planned: Sequence[_AccountPlan],
        *,
        is_new: bool,
    ) -> None:
        keys = {"run_id": self.run.run_id, "dataset": self.run.dataset.name}
        if is_new:
            connection.execute(statement("run_report/forget.sql"), keys)
        pairs = [
            (account.appid, day, account.due.is_probe)
            for account in planned
            for day in account.due.days
        ]
        connection.execute(statement("run_report/drop.sql"), keys)
        self._save_pairs(connection, pairs)

    def _save_pairs(self, connection: Connection, pairs: Sequence[tuple[str, date, bool]]) -> None:
        """Plan the pairs: appid, publication day, whether it is a probe."""
        connection.execute(
            statement("run_report/plan.sql"),
            {
                "run_id": self.run.run_id,
                "dataset": self.run.dataset.name,
                "appids": [appid for appid, _, _ in pairs],
                "publication_dates": [day for _, day, _ in pairs],
                "is_probes": [is_probe for *_, is_probe in pairs],
                "planned_at": self.now(),
            },
        )

    def _as_plan(self, planned: Sequence[_AccountPlan]) -> Plan:
        """Log a line per account, and give the plan out."""
        counts: Counter[str] = Counter(asked=0, caught_up=0, final=0, lost=0)
        days = rules.window(self.run, self._today)
        for account in planned:
            due = account.due
            counts.update(
                asked=len(due.days),
                caught_up=len(due.caught_up),
                final=due.final,
                lost=len(due.lost),
            )
            log.info("%s", _plan_line(account, days))
        warnings = [_warning(account) for account in planned if account.due.lost]
        for warning in warnings:
            log.warning("%s", warning)
        accounts = [
            PlannedAccount(account.conn_id, account.appid, account.name, account.due.days)
            for account in planned
            if account.due.days
        ]
        return Plan(accounts, warnings, dict(counts))

    # ----------------------------------------------------------------------------------- ingest

    def ingest(self, batch: Batch, open_client: OpenClient, *, by_itself: bool) -> None:
        """
        Bring the batch's pairs in, account by account; no account's trouble stops another.

        Args:
            batch: the accounts.
            open_client: gives an account's client.
            by_itself: whether Airflow tries again without a person: then what only a person can
                mend is not asked for.

        Raises:
            IngestError: pairs are not in.
            WarehouseError: the warehouse has another time than this machine.

        """
        problems: list[str] = []
        is_retryable = False
        has_not_ready = False
        for planned in batch:
            try:
                open_pairs = self._ingest_account(planned, open_client, by_itself=by_itself)
            except WarehouseError:
                raise
            except Exception as error:
                is_retryable = True
                if passing := trouble(error, self.warehouse):
                    if passing.is_of_one_statement:
                        problems.append(f"{planned.name}: {passing}")
                        continue
                    problems.append(str(passing))
                    break  # WeChat would be asked in vain for the other accounts
                log.exception("%s could not be ingested", planned.name)
                problems.append(f"{planned.name}: {type(error).__name__}, see the log")
            else:
                problems += not_in(open_pairs)
                is_retryable |= any(
                    pair.is_retryable and pair.state is not PairState.NOT_READY
                    for pair in open_pairs
                )
                has_not_ready |= any(pair.state is PairState.NOT_READY for pair in open_pairs)
        if problems:
            raise IngestError(problems, is_retryable=is_retryable, has_not_ready=has_not_ready)

    def _ingest_account(
        self, planned: PlannedAccount, open_client: OpenClient, *, by_itself: bool
    ) -> list[PlannedPair]:
        """
        Bring an account's pairs in, newest days first; those that are not in afterwards.

        When a probe is answered the endpoint is back, and the account's open days are due.
        """
        with self._alone(planned.appid):
            self._require_one_time()
            pairs = self._ask(planned, open_client, by_itself=by_itself)
            is_back = any(rules.is_back(pair) for pair in pairs)
            if is_back and self._plan_more(planned, [pair.publication_date for pair in pairs]):
                pairs = self._ask(planned, open_client, by_itself=by_itself)
        return [pair for pair in pairs if rules.holds_back(pair, refetch=self.run.refetch)]

    def _ask(
        self, planned: PlannedAccount, open_client: OpenClient, *, by_itself: bool
    ) -> list[PlannedPair]:
        """Ask for what is to be asked of the account and load it; its pairs as they are then."""
        days = [
            pair.publication_date
            for pair in self._planned_pairs(planned.appid)
            if rules.is_to_be_asked(pair, refetch=self.run.refetch, by_itself=by_itself)
        ]
        if days:
            account, outcomes = self._outcomes(planned, open_client, days)
            self._load(account, outcomes)
        return self._planned_pairs(planned.appid)

    def _plan_more(self, planned: PlannedAccount, known: Sequence[date]) -> bool:
        """Add what is due of the account now to the plan, if that is more than it has."""
        account = ConfiguredAccount(planned.conn_id, planned.appid, planned.name)
        with self.warehouse.begin() as connection:
            (found,) = self._due(connection, [account])
            days = [day for day in found.due.days if day not in known]
            self._save_pairs(connection, [(planned.appid, day, False) for day in days])
        if days:
            log.info("%s: the endpoint is back: asks for %s", planned.name, days_as_ranges(days))
        return bool(days)

    def _planned_pairs(self, appid: str) -> list[PlannedPair]:
        with self.warehouse.connect() as connection:
            return planned_pairs(connection, self.run, appid)

    def _load(self, account: Account, outcomes: Iterable[Outcome]) -> None:
        """Load in commits bounded by bytes, the last of which judges all."""
        load = Load(
            self.warehouse,
            self.run,
            account,
            ready_hour=self.settings.ready_hour,
            now=self.now,
        )
        for outcomes_of_commit, is_last in _commits(outcomes, self.settings.commit_bytes):
            _log_notes(account, outcomes_of_commit)
            _log_judged(account, load.commit(outcomes_of_commit, is_last=is_last))
            del outcomes_of_commit  # else they stay until the next ones are all there

    @contextmanager
    def _alone(self, appid: str) -> Iterator[None]:
        """Wait for other runs that ingest the account: what they bring in is not asked again."""
        key = f"ingest:{self.run.dataset.name}:{appid}"
        warehouse = self.warehouse.execution_options(isolation_level="AUTOCOMMIT")
        with warehouse.connect() as connection:
            connection.detach()  # so that leaving ends the session, and with it the lock
            connection.execute(_LOCK, {"key": key})
            yield

    def _outcomes(
        self, planned: PlannedAccount, open_client: OpenClient, days: Sequence[date]
    ) -> tuple[Account, Iterator[Outcome]]:
        """Ask WeChat, unless the account can't be asked: then that is each day's outcome."""
        account = Account(planned.conn_id, planned.appid, "", planned.name)
        try:
            client = open_client(planned)
            self._require_same_account(planned, client)
        except WeixinError as error:
            # a list: the error's name is gone when a generator would use it
            return account, iter([Outcome(day, 0, self.now(), error=error) for day in days])
        if held := self._resting(planned.appid):
            rest = from_errcode(
                held.error_code or 0, "not asked again until then", account=str(client.account)
            )
            until = held.next_attempt_at
            refused = [Outcome(d, 0, self.now(), error=rest, rests_until=until) for d in days]
            return client.account, iter(refused)
        answers = extract(
            client,
            self.run.dataset,
            days,
            present=rules.present_window(self.run.dataset, self._today),
            concurrency=self.settings.concurrency,
            now=self.now,
        )
        return client.account, (self._outcome(client.account, day, came) for day, came in answers)

    def _require_same_account(self, planned: PlannedAccount, client: WeixinClient) -> None:
        """
        Make sure that the client speaks for the planned account.

        Raises:
            ConfigurationError: the connection's login has changed since the plan.

        """
        appid = client.account.appid
        if appid != planned.appid:
            raise ConfigurationError(
                f"the AppID of connection {planned.conn_id} was {planned.appid} when the run was "
                f"planned and is {appid} now; clear the task refresh_access_token with its "
                "downstream tasks",
                account=planned.name,
            )

    def _resting(self, appid: str) -> Coverage | None:
        """The pair whose refusal keeps the account from being asked now, if any."""
        if self.run.refetch:
            return None  # somebody had the quota raised
        with self.warehouse.connect() as connection:
            rows = connection.execute(
                statement("coverage/resting.sql"),
                {"dataset": self.run.dataset.name, "appid": appid, "now": self.now()},
            )
            return rules.resting([Coverage(**row) for row in rows.mappings()], self.now())

    def _outcome(self, account: Account, day: date, came: Answer | Refusal) -> Outcome:
        if isinstance(came, Refusal):
            is_quota = isinstance(came.error, DailyQuotaError)
            return Outcome(
                day,
                came.calls,
                came.refused_at,
                error=came.error,
                rests_until=rules.rests_until(came.refused_at) if is_quota else None,
            )
        try:
            parsed = parse(self.run.dataset, came.body, day, came.fetched_at)
        except UnreadableAnswerError as error:
            unreadable = UnreadableError(str(error), account=str(account))
            return Outcome(day, came.calls, came.fetched_at, came, Parsed(), unreadable)
        return Outcome(day, came.calls, came.fetched_at, came, parsed)


def batches(accounts: Sequence[PlannedAccount]) -> list[Batch]:
    """
    One account a batch up to 32 accounts; more are spread evenly over 32 batches.

    So the cost of scheduling does not grow with the accounts.
    """
    count = min(len(accounts), MOST_BATCHES)
    return [list(accounts[start::MOST_BATCHES]) for start in range(count)]


def planned_pairs(connection: Connection, run: Run, appid: str | None = None) -> list[PlannedPair]:
    """The pairs of the run's newest plan, newest first; of one account or of all."""
    rows = connection.execute(
        statement("run_report/of_run.sql"),
        {"run_id": run.run_id, "dataset": run.dataset.name, "appid": appid},
    )
    return [
        PlannedPair(
            row.appid,
            row.name or row.appid,
            row.publication_date,
            row.planned_at,
            row.is_probe,
            PairState(row.state),
            row.is_retryable,
            Coverage(
                row.publication_date,
                row.data_state,
                row.fetched_at,
                row.ready_at,
                row.is_final,
                row.attempt_state,
                row.error_code,
                row.error,
                row.next_attempt_at,
            ),
        )
        for row in rows
    ]


def not_in(pairs: Sequence[PlannedPair]) -> list[str]:
    """A sentence per account and reason why these pairs are not in, with the days."""
    days: dict[tuple[str, str], list[date]] = defaultdict(list)
    shown: dict[tuple[str, str], str] = {}
    for pair in pairs:
        why = pair.coverage.error or f"{pair.name}: {_NOT_ASKED[pair.state is PairState.PLANNED]}"
        # WeChat marks each call with another rid: one is enough to ask WeChat about
        key = pair.name, _RID.sub("", why)
        days[key].append(pair.publication_date)
        shown.setdefault(key, why)
    return [f"{shown[key]} [{days_as_ranges(dates)}]" for key, dates in days.items()]


def _plan_line(account: _AccountPlan, days: rules.Days) -> str:
    """An account's part of the plan, for the log."""
    due = account.due
    said = f"{account.name}: publication days {days.first} to {days.last}"
    if due.is_probe:
        said += f"; the endpoint is offline: asks for {due.days[0]} only, to find out if it is back"
    else:
        said += f"; {len(due.days)} calls"
        if due.caught_up:
            said += f", {len(due.caught_up)} of them to catch up ({account.why})"
    return f"{said}; {due.final} skipped as final" if due.final else said


def _warning(account: _AccountPlan) -> str:
    """What to enter into the form for days that daily runs do not reach any more."""
    lost = account.due.lost
    if account.due.is_probe:
        return (
            f"{account.name}: daily runs do not reach {len(lost)} open days any more, and the "
            f"endpoint is offline ({days_as_ranges(lost)})"
        )
    return (
        f"{account.name}: trigger a run with begin_date {min(lost)} and end_date {max(lost)}: "
        f"daily runs do not reach {len(lost)} open days any more ({days_as_ranges(lost)})"
    )


def _why_open(days: Sequence[date], known: Mapping[date, Coverage]) -> str:
    """The days with why earlier runs left them open, days with the same reason together."""
    reasons: dict[str, list[date]] = defaultdict(list)
    for day in days:
        coverage = known[day]
        match coverage.attempt_state:
            case None:
                reasons["never asked"].append(day)
            case AttemptState.OK:
                reasons["not final yet"].append(day)
            case AttemptState.NOT_READY:
                reasons["was not ready"].append(day)
            case AttemptState.FAILED:
                code = f" (errcode {coverage.error_code})" if coverage.error_code else ""
                reasons[f"failed{code}"].append(day)
    return "; ".join(f"{days_as_ranges(days)}: {reason}" for reason, days in reasons.items())


def _commits(outcomes: Iterable[Outcome], most_bytes: int) -> Iterator[tuple[list[Outcome], bool]]:
    """The outcomes in commits of at most 31 pairs and so many bytes, and whether it is the last."""
    commit: list[Outcome] = []
    size = 0
    for outcome in outcomes:
        length = len(outcome.answer.body) if outcome.answer else 0
        if commit and (size + length > most_bytes or len(commit) == PAIRS_A_COMMIT):
            yield commit, False
            commit, size = [], 0
        commit.append(outcome)
        size += length
    yield commit, True


def _log_notes(account: Account, outcomes: Sequence[Outcome]) -> None:
    """What is unusual about the answers; no data is lost by it."""
    parsed = [outcome.parsed for outcome in outcomes]
    notes = {
        "rows that repeated a key of their answer": sum(p.merged_rows for p in parsed),
        "NUL characters removed from texts": sum(p.stripped_nuls for p in parsed),
        "empty row objects": sum(p.empty_rows for p in parsed),
        "articles without a list of rows": sum(p.articles_without_list for p in parsed),
    }
    for note, count in notes.items():
        if count:
            log.warning("%s: %s %s", account, count, note)
    unknown: set[str] = set().union(*(p.unknown_metrics for p in parsed))
    if unknown:
        names = ", ".join(f"{name!r:.60}" for name in sorted(unknown)[:_NAMES_IN_LOG])
        log.warning("%s: %s unknown metrics, kept in extra: %s", account, len(unknown), names)


def _log_judged(account: Account, judged: Sequence[Judged]) -> None:
    """A line per pair; its level tells whether it is in."""
    levels = {PairState.FAILED: logging.ERROR, PairState.NOT_READY: logging.WARNING}
    for pair in sorted(judged, key=lambda pair: pair.publication_date):
        log.log(
            levels.get(pair.state, logging.INFO),
            "%s %s: %s; %s inserted, %s updated, %s unchanged, %s rejected",
            account,
            pair.publication_date,
            pair.state,
            pair.counts.inserted,
            pair.counts.updated,
            pair.counts.unchanged,
            pair.rejected,
        )
    if kept := sum(pair.counts.kept for pair in judged):
        log.warning("%s: %s values left out of an answer keep their old value", account, kept)
