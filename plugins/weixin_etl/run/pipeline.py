"""The verbs plan and ingest: what a run asks WeChat for, and bringing it in. Knows no Airflow."""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.clock import days_as_ranges
from weixin_etl.load.quota import known_quotas, save_said
from weixin_etl.model import (
    AttemptState,
    Batch,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    PlanStamp,
    Run,
    SaidQuota,
    accounts_are,
    connection_of,
    few_names,
)
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import Due, Quota
from weixin_etl.run.ingest import Ingest, OpenClient, Settings, planned_pairs, run_keys
from weixin_etl.warehouse import require_migrated, require_one_time, statement

log = logging.getLogger(__name__)

MOST_BATCHES = 32
FEWEST_ACCOUNTS = 8
"""Of a batch, when there are more accounts than batches: a task costs as much as their calls."""
MOST_ACCOUNTS = 250
"""Of a batch: an account that another run needs waits for its whole batch."""
SECONDS_A_CALL = 0.3
"""What the expected minutes are reckoned with; assumed, for an answer of some 60 articles."""
LISTED_FOR = timedelta(days=7)
"""So long after its last plan an installation's list of accounts is still in force."""
TASKS_AT_ONCE = 8
"""The same: how many ingest tasks Airflow is assumed to run at a time."""
LEFT_IS_SAID = timedelta(days=30)
"""How long people are shown that an account has left the list of those to collect."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    accounts: list[PlannedAccount]
    """Those with days to ask for."""
    stamp: PlanStamp
    held_back: list[str]
    """Days beyond the quota: a sentence per account."""
    lost: list[Problem]
    """Days that daily runs do not reach any more, one per account."""
    counts: dict[str, int]
    """
    Publication days to ask for, of these caught up and witnesses; skipped as final and as resting;
    lost; and those that a daily run holds back, which are not in its plan.
    """
    details: list["AccountPlan"]
    """Every account, also one without a day to ask for."""
    left: list[Problem]
    """Accounts that have left the list of those to collect within `LEFT_IS_SAID`."""

    @property
    def warnings(self) -> list[str]:
        """
        What `check` says as well: days that this run does not ask for.

        Days that are held back in a run that is not a daily one are still its own: `ingest` names
        them, and they make it red.
        """
        is_daily = all(account.stays_open for account in self.details)
        lost = [str(it) for it in self.lost]
        return [*self.held_back, *lost] if is_daily else lost


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What is due of an account, why earlier days are caught up, and what its quota allows."""

    conn_id: str
    appid: str
    name: str
    due: Due
    why: str
    quota: Quota
    held_back: list[date]
    """Of the days due, those beyond the quota, newest first."""
    stays_open: bool
    """Whether the next daily run asks for these; else they stay in the plan of this run."""
    is_new: bool = False
    """Whether this day's daily run is the account's first in the dataset."""

    @property
    def days(self) -> list[date]:
        """The days of the plan, newest first."""
        held_back = set(self.held_back) if self.stays_open else set()
        return [day for day in self.due.days if day not in held_back]

    @property
    def asked(self) -> list[date]:
        """Of these, the ones that the quota allows to ask for today."""
        held_back = set(self.held_back)
        return [day for day in self.due.days if day not in held_back]

    @property
    def caught_up(self) -> list[date]:
        """Of these, the ones that earlier daily runs left open."""
        held_back = set(self.held_back)
        return [day for day in self.due.caught_up if day not in held_back]


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
        planned_at = self.now()
        with self.warehouse.begin() as connection:
            left = []
            if not self.run.dry_run:
                left = self._save_accounts(connection, accounts, wanted)
            planned = self._due(connection, wanted, said=_said(wanted))
            self._leave_unwanted_out(connection, planned)
            if not self.run.dry_run:
                self._save_plan(connection, planned, planned_at, is_new=is_new)
        return self._as_plan(planned, planned_at, left)

    @property
    def _today(self) -> date:
        return clock.beijing_date(self.now())

    def _save_accounts(
        self,
        connection: Connection,
        accounts: Sequence[ConfiguredAccount],
        wanted: Sequence[ConfiguredAccount],
    ) -> list[Problem]:
        """Write down who is collected; the accounts that have left."""
        now = self.now()
        listed = {
            "accounts": _as_json(wanted),
            "listed": _as_json([account for account in accounts if account.appid]),
            "installation": self.run.installation,
            "appids": [account.appid for account in accounts if account.appid],
            "conn_ids": [account.conn_id for account in accounts if not account.appid],
            "seen_at": now,
            "listed_at": now,
            "stale_since": now - LISTED_FOR,
            "left_at": now,
            "left_since": now - LEFT_IS_SAID,
        }
        for path in (
            "dim_account/save.sql",
            "account_list/save.sql",
            "account_list/see.sql",
            "account_list/forget.sql",
        ):
            connection.execute(statement(path), listed)
        gone = connection.execute(statement("dim_account/deactivate.sql"), listed).all()
        if names := [row.name for row in gone if row.is_news]:
            log.warning("%s", _no_longer_collected(names))
        for other in connection.execute(statement("account_list/others.sql"), listed):
            log.info("%s", _another_installation(other.account_count, other.listed_at))
        save_said(connection, self.run.dataset, _said(wanted))
        if rules.is_daily(self.run, self._today):
            connection.execute(
                statement("first_daily_run/save.sql"),
                {
                    "dataset": self.run.dataset.name,
                    "appids": [account.appid for account in wanted],
                    "today": self.run.today,
                },
            )
        return self._left(
            connection,
            [row for row in gone if not row.is_withdrawn],
            {account.conn_id for account in accounts if account.appid},
        )

    def _left(
        self, connection: Connection, gone: Sequence[Row[Any]], conn_ids: Collection[str]
    ) -> list[Problem]:
        """The accounts that daily runs have collected and no longer do, with their open days."""
        if not gone:
            return []
        dataset = self.run.dataset
        rows = connection.execute(
            statement("coverage/left_behind.sql"),
            {
                "dataset": dataset.name,
                "appids": [row.appid for row in gone],
                "since": self._today - timedelta(days=dataset.window + self.settings.catch_up_days),
            },
        )
        open_days: dict[str, list[date]] = {row.appid: row.publication_dates for row in rows}
        return [
            _no_longer(row, open_days[row.appid], has_other=row.conn_id in conn_ids)
            for row in gone
            if row.appid in open_days
        ]

    def _leave_unwanted_out(self, connection: Connection, planned: list[AccountPlan]) -> None:
        """Days that daily runs do not reach and that somebody said are not wanted are not lost."""
        lost = [(it.appid, day) for it in planned for day in it.due.lost]
        if not lost:
            return
        rows = connection.execute(
            statement("unwanted_range/of_days.sql"),
            {
                "dataset": self.run.dataset.name,
                "appids": [appid for appid, _ in lost],
                "publication_dates": [day for _, day in lost],
            },
        )
        unwanted = {(row.appid, row.publication_date) for row in rows}
        for number, it in enumerate(planned):
            wanted = [day for day in it.due.lost if (it.appid, day) not in unwanted]
            planned[number] = replace(it, due=replace(it.due, lost=wanted))

    def _due(
        self,
        connection: Connection,
        wanted: Sequence[ConfiguredAccount],
        said: Mapping[str, SaidQuota],
    ) -> list[AccountPlan]:
        """Gather what is known of each account's days and calls, and ask the rules."""
        run, today, dataset = self.run, self._today, self.run.dataset
        accounts = {account.appid: account for account in wanted if account.appid}
        rows = connection.execute(
            statement("first_daily_run/of_accounts.sql"),
            {"dataset": dataset.name, "appids": list(accounts)},
        )
        first_daily: dict[str, date] = {row.appid: row.first_daily_date for row in rows}
        concerned = {a: rules.concerned(run, first_daily.get(a), today).first for a in accounts}
        known = self._known_days(connection, concerned)
        dues = {
            appid: rules.due(
                run,
                first_daily_date=first_daily.get(appid),
                today=today,
                known=known[appid],
                catch_up_days=self.settings.catch_up_days,
            )
            for appid in accounts
        }
        dues |= self._with_witness(connection, dues, known)
        quotas = self._quotas(connection, list(accounts), said)
        planned = []
        is_daily = rules.is_daily(run, today)
        for appid, account in accounts.items():
            due = dues[appid]
            held_back = rules.beyond_quota(
                run, due.days, quotas[appid], today=today, reserve=self.settings.quota_reserve
            )
            caught_up = [day for day in due.caught_up if day not in held_back]
            planned.append(
                AccountPlan(
                    account.conn_id,
                    appid,
                    account.name,
                    due,
                    _why_open(caught_up, known[appid]),
                    quotas[appid],
                    held_back,
                    stays_open=is_daily,
                    is_new=is_daily and first_daily.get(appid, today) == today,
                )
            )
        return planned

    def _with_witness(
        self,
        connection: Connection,
        dues: Mapping[str, Due],
        known: Mapping[str, Mapping[date, Coverage]],
    ) -> dict[str, Due]:
        """What is due of accounts that have a witness and none of whose days lists an article."""
        silent = {
            appid: due
            for appid, due in dues.items()
            if rules.lacks_witness(self.run, due, known[appid], self._today)
        }
        if not silent:
            return {}
        pairs = [(appid, day) for appid, due in silent.items() for day in due.days]
        rows = connection.execute(
            statement("coverage/witness.sql"),
            {
                "dataset": self.run.dataset.name,
                "appids": list(silent),
                "due_appids": [appid for appid, _ in pairs],
                "due_dates": [day for _, day in pairs],
            },
        )
        return {
            row.appid: replace(
                silent[row.appid],
                days=[*silent[row.appid].days, row.publication_date],
                witness=row.publication_date,
            )
            for row in rows
        }

    def _quotas(
        self, connection: Connection, appids: Sequence[str], said: Mapping[str, SaidQuota]
    ) -> dict[str, Quota]:
        """What is known of each account's calls; a dry run has not saved what WeChat `said`."""
        quotas = known_quotas(
            connection,
            self.run.dataset,
            appids,
            today=self._today,
            daily_calls=self.settings.daily_calls,
        )
        for appid, it in said.items():
            if self.run.dry_run and clock.beijing_date(it.asked_at) == self._today:
                quotas[appid] = Quota(quotas[appid].calls, it.limit, it.left, is_said=True)
        return quotas

    def _known_days(
        self, connection: Connection, first_dates: Mapping[str, date]
    ) -> dict[str, dict[date, Coverage]]:
        """Each account's days that decide what is due: see `rules.due`."""
        present = rules.present_window(self.run.dataset, self._today)
        rows = connection.execute(
            statement("coverage/open.sql"),
            {
                "dataset": self.run.dataset.name,
                "appids": list(first_dates),
                "first_dates": [min(first, present.first) for first in first_dates.values()],
                "last_date": present.last,
                "window_first_date": present.first,
                "is_daily": rules.is_daily(self.run, self._today),
            },
        )
        known: dict[str, dict[date, Coverage]] = defaultdict(dict)
        for row in rows:
            known[row.appid][row.publication_date] = Coverage(
                row.publication_date,
                ready_at=row.ready_at,
                is_final=row.is_final,
                is_resting=row.is_resting,
                lists_articles=row.lists_articles,
                attempt_state=row.attempt_state and AttemptState(row.attempt_state),
                error_code=row.error_code,
            )
        return known

    def _save_plan(
        self,
        connection: Connection,
        planned: Sequence[AccountPlan],
        planned_at: datetime,
        *,
        is_new: bool,
    ) -> None:
        keys = run_keys(self.run)
        if is_new:
            connection.execute(statement("run_report/forget.sql"), keys)
        connection.execute(statement("run_report/drop.sql"), keys)
        pairs = [(account.appid, day, account.due) for account in planned for day in account.days]
        self._save_pairs(connection, pairs, planned_at)

    def _save_pairs(
        self,
        connection: Connection,
        pairs: Sequence[tuple[str, date, Due]],
        planned_at: datetime,
    ) -> None:
        """Plan the pairs: appid, publication day, and what is due of the account."""
        connection.execute(
            statement("run_report/plan.sql"),
            {
                **run_keys(self.run),
                "appids": [appid for appid, _, _ in pairs],
                "publication_dates": [day for _, day, _ in pairs],
                "is_probes": [due.is_probe for *_, due in pairs],
                "are_witnesses": [day == due.witness for _, day, due in pairs],
                "planned_at": planned_at,
            },
        )

    def _as_plan(
        self, planned: Sequence[AccountPlan], planned_at: datetime, left: list[Problem]
    ) -> Plan:
        """Log a line per account and the time it all takes, and give the plan out."""
        names = ("asked", "caught_up", "witnesses", "final", "resting", "held_back", "lost")
        counts: Counter[str] = Counter(dict.fromkeys(names, 0))
        days = rules.window(self.run, self._today)
        for account in planned:
            due = account.due
            counts.update(
                asked=len(account.asked),
                caught_up=len(account.caught_up),
                witnesses=due.witness in account.asked,
                final=due.final,
                resting=due.resting,
                held_back=len(account.held_back) if account.stays_open else 0,
                lost=len(due.lost),
            )
            log.info("%s", self._plan_line(account, days))
        new = [account.name for account in planned if account.is_new]
        if new and days.first > self.run.dataset.first_day:
            log.info("%s", _lacking(new, days.first))
        reserve = self.settings.quota_reserve
        held_back = [_held_back(account, reserve) for account in planned if account.held_back]
        lost = [_lost(account) for account in planned if account.due.lost]
        for warning in [*held_back, *lost]:
            log.warning("%s", warning)
        accounts = [
            PlannedAccount(account.conn_id, account.appid, account.name, account.days, planned_at)
            for account in planned
            if account.days
        ]
        stamp = PlanStamp(planned_at, sum(len(account.days) for account in accounts))
        plan = Plan(accounts, stamp, held_back, lost, dict(counts), list(planned), left)
        log.info("%s", self.expectation(plan))
        return plan

    def expectation(self, plan: Plan) -> str:
        """How long the run is expected to take, and what that is reckoned with."""
        tasks = len(batches(plan.accounts))
        calls = plan.counts["asked"]
        minutes = self._minutes(calls, min(tasks, TASKS_AT_ONCE))
        return (
            f"{calls} calls, about {minutes} min if a call takes {SECONDS_A_CALL} s "
            f"({tasks} ingest tasks, each with {self.settings.concurrency} calls at once)"
        )

    def minutes_of(self, account: AccountPlan) -> int:
        """How long an account's calls are expected to take, rounded up."""
        return self._minutes(len(account.asked), 1)

    def _minutes(self, calls: int, tasks: int) -> int:
        return math.ceil(calls * SECONDS_A_CALL / (self.settings.concurrency * max(1, tasks)) / 60)

    def _plan_line(self, account: AccountPlan, days: rules.Days) -> str:
        """An account's part of the plan, for the log."""
        due = account.due
        said = f"{account.name}: publication days {days.first} to {days.last}"
        if due.is_probe:
            said += (
                f"; the endpoint is offline: asks for {due.days[0]} only, to find out if it is back"
            )
        else:
            said += f"; {len(account.asked)} calls"
            if account.caught_up:
                said += f", {len(account.caught_up)} of them to catch up ({account.why})"
            if due.witness in account.asked:
                said += f", {due.witness} to find out whether WeChat lists any article of it"
        said += f"; about {self.minutes_of(account)} min"
        if due.final:
            said += f"; {due.final} skipped as final"
        if due.resting:
            said += f"; {due.resting} rest until WeChat lists an article of it"
        return f"{said}; {account.quota.calls} calls made today, {left(account.quota)}"

    # ----------------------------------------------------------------------------------- ingest

    def ingest(self, batch: Batch, open_client: OpenClient, *, by_itself: bool) -> Collection[str]:
        """Bring the batch's pairs in: see `Ingest`."""
        return Ingest(
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
                (account.appid, day, account.due)
                for account in self._due(connection, wanted, said={})
                for day in account.days
                if (account.appid, day) not in known
            ]
            self._save_pairs(connection, pairs, planned[0].planned_at)
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


def _lacking(new: Sequence[str], first_day: date) -> str:
    """What history accounts lack that daily runs begin with: one line, there may be thousands."""
    return (
        f"{accounts_are(len(new))} new: {few_names(new)}; days before {first_day} are asked for "
        "only by a run with begin_date and end_date"
    )


def _as_json(accounts: Sequence[ConfiguredAccount]) -> str:
    return msgspec.json.encode([asdict(account) for account in accounts]).decode()


def _no_longer_collected(names: Sequence[str]) -> str:
    """Said once. The Variable may be lost, too: then Airflow gives its default."""
    return (
        f"{accounts_are(len(names))} no longer collected, by the Airflow Variable weixin_accounts "
        f"or by what WeChat says of their platform: {few_names(names)}"
    )


def _another_installation(account_count: int, listed_at: datetime) -> str:
    """That two Airflows share the warehouse, which may be meant or not."""
    return (
        f"another Airflow loads into this warehouse as well: {accounts_are(account_count)} in its "
        f"list, last planned {clock.beijing_text(listed_at)}; accounts of either are collected"
    )


def _no_longer(account: Row[Any], open_days: Sequence[date], *, has_other: bool) -> Problem:
    """An account that has left, and what is given up with it."""
    why = "WeChat's list of its platform, or weixin_accounts, no longer names it"
    cure = "put it back into weixin_accounts, or leave it"
    if has_other:
        why, cure = f"{account.conn_id} has another AppID now", "give it a connection, or leave it"
    elif connection_of(account.conn_id) == account.conn_id:
        why = "weixin_accounts no longer names it"
    count = len(open_days)
    return Problem(
        ProblemKind.NOT_COLLECTED,
        cause=f"no longer collected, {count} {'day' if count == 1 else 'days'} open: {why}",
        cure=cure,
        account=account.name,
        appid=account.appid,
        conn_id=account.conn_id,
        days=tuple(sorted(open_days)),
    )


def _said(accounts: Sequence[ConfiguredAccount]) -> dict[str, SaidQuota]:
    """What WeChat said of the accounts' quotas, by AppID."""
    return {it.appid: it.quota for it in accounts if it.appid and it.quota}


def left(quota: Quota) -> str:
    """What an account has left today, and where the figure is from."""
    if quota.left is None:
        return "the quota is not known"
    of_limit = "" if quota.limit is None else f" of {quota.limit}"
    return f"{quota.left}{of_limit} left ({source(quota)})"


def source(quota: Quota) -> str:
    """Where the figure is from."""
    if quota.left is None:
        return ""
    return "WeChat" if quota.is_said else "the count"


def _held_back(account: AccountPlan, reserve: int) -> str:
    """Which days are not asked for today, and who asks for them."""
    days = account.held_back
    said = f"{account.name}: held back for the quota: {days_as_ranges(days)} ({len(days)} days); "
    if account.stays_open:
        said += "the next daily run asks for them"
    else:
        said += (
            "clear the task ingest after 00:00 Beijing time, or trigger a run with begin_date "
            f"{min(days)} and end_date {max(days)} then"
        )
    return (
        f"{said}; {left(account.quota)}, and {reserve} are kept for daily runs ([weixin] "
        "quota_reserve)"
    )


def _lost(account: AccountPlan) -> Problem:
    """What to enter into the form for days that daily runs do not reach any more."""
    lost = account.due.lost
    cure = f"trigger a run with begin_date {min(lost)} and end_date {max(lost)}"
    if account.due.is_probe:
        cure = "nothing to do while the endpoint is offline"
    return Problem(
        ProblemKind.DAYS_LOST,
        cause="too old for daily runs",
        cure=cure,
        account=account.name,
        appid=account.appid,
        conn_id=account.conn_id,
        days=tuple(sorted(lost)),
    )


def _why_open(days: Sequence[date], known: Mapping[date, Coverage]) -> str:
    """The days with why earlier runs left them open, days with the same reason together."""
    reasons: dict[str, list[date]] = defaultdict(list)
    for day in days:
        coverage = known[day]
        match coverage.attempt_state:
            case None if coverage.ready_at:
                reasons["imported, to be confirmed"].append(day)
            case None:
                reasons["never asked"].append(day)
            case AttemptState.OK:
                reasons["not final yet, or to be confirmed"].append(day)
            case AttemptState.NOT_READY:
                reasons["was not ready"].append(day)
            case AttemptState.FAILED:
                code = f" (errcode {coverage.error_code})" if coverage.error_code else ""
                reasons[f"failed{code}"].append(day)
    return "; ".join(f"{days_as_ranges(days)}: {reason}" for reason, days in reasons.items())
