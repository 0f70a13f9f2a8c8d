"""The verbs plan and ingest: what a run asks WeChat for, and bringing it in. Knows no Airflow."""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl import clock, rules
from weixin_etl.ingest import Ingest, OpenClient, Settings, planned_pairs
from weixin_etl.model import (
    AttemptState,
    Batch,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    Run,
    days_as_ranges,
)
from weixin_etl.rules import Due
from weixin_etl.warehouse import require_migrated, require_one_time, statement

log = logging.getLogger(__name__)

MOST_BATCHES = 32
FEWEST_ACCOUNTS = 8
"""Of a batch, when there are more accounts than batches: a task costs as much as their calls."""
MOST_ACCOUNTS = 250
"""Of a batch: an ingest holds two locks an account, and Postgres has room for 6,400."""


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
        require_one_time(self.warehouse)
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
        """Bring the batch's pairs in: see `Ingest`."""
        Ingest(
            self.run,
            self.warehouse,
            self.settings,
            self.now,
            open_client=open_client,
            plan_more=self._plan_more,
            by_itself=by_itself,
        ).ingest(batch)

    def _plan_more(self, planned: Sequence[PlannedAccount]) -> dict[str, list[date]]:
        """Add what is due of the accounts now to the plan; the days it did not have, by AppID."""
        wanted = [ConfiguredAccount(it.conn_id, it.appid, it.name) for it in planned]
        with self.warehouse.begin() as connection:
            known = {
                (pair.appid, pair.publication_date)
                for pair in planned_pairs(connection, self.run, [it.appid for it in planned])
            }
            pairs = [
                (account.appid, day, False)
                for account in self._due(connection, wanted)
                for day in account.due.days
                if (account.appid, day) not in known
            ]
            self._save_pairs(connection, pairs)
        days: dict[str, list[date]] = defaultdict(list)
        for appid, day, _ in pairs:
            days[appid].append(day)
        for account in planned:
            if asked := days.get(account.appid):
                ranges = days_as_ranges(asked)
                log.info("%s: the endpoint is back: asks for %s", account.name, ranges)
        return days


def batches(accounts: Sequence[PlannedAccount]) -> list[Batch]:
    """
    One account a batch up to 32 accounts; more are spread evenly over batches of 8 to 250.

    So Airflow shows each of a few accounts, and its cost does not grow with the accounts.
    """
    count = len(accounts)
    if count > MOST_BATCHES:
        count = min(MOST_BATCHES, math.ceil(count / FEWEST_ACCOUNTS))
        count = max(count, math.ceil(len(accounts) / MOST_ACCOUNTS))
    return [list(accounts[start::count]) for start in range(count)]


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
