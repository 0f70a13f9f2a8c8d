"""The verb plan: which publication days a run asks WeChat for, account by account."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.clock import days_as_ranges
from weixin_etl.model import (
    AttemptState,
    Batch,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    PlanStamp,
    Run,
    connection_of,
)
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import Due, Quota
from weixin_etl.run import Settings
from weixin_etl.run.pairs import planned_pairs, problem_of, run_keys
from weixin_etl.run.quota import known_quotas, save_said
from weixin_etl.text import accounts_are, counted, few_names
from weixin_etl.warehouse import analyse_grown, require_migrated, require_one_time, statement
from weixin_etl.warehouse.statements import arrays

log = logging.getLogger(__name__)

MOST_BATCHES = 32
FEWEST_ACCOUNTS = 8
"""Accounts of a batch, when there are more than batches: a task costs as much as their calls."""
MOST_ACCOUNTS = 250
"""Accounts of a batch: one that another run needs waits for its whole batch."""
SECONDS_A_CALL = 0.3
"""Assumed for the expected time, for an answer of some 60 articles."""
TASKS_AT_ONCE = 8
"""Assumed for the expected time: how many ingest tasks Airflow runs at a time."""
SECONDS_A_START = 1
"""Until so many tasks have started, or report has: 0.6 to 1.3 by the runs of docs/benchmarks.md."""
LISTED_FOR = timedelta(days=7)
"""So long after its last plan an installation's list of accounts is still in force."""
LEFT_IS_SAID = timedelta(days=30)
"""How long people are shown that an account has left the list of those to collect."""


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What is due of an account, and what its quota allows."""

    planned: PlannedAccount
    """With the days of the run's plan: those of a daily run are without the ones held back."""
    due: Due
    """What is due, without the days that are held back."""
    known: Mapping[date, Coverage]
    """Coverage of the days that are due."""
    quota: Quota
    held_back: list[date]
    """The days that are due but beyond the quota, newest first."""
    is_new: bool
    """Whether this day's daily run is the account's first in the dataset."""

    @property
    def name(self) -> str:
        return self.planned.name

    @property
    def left(self) -> str:
        """How many calls are left today, and by whom that is known."""
        quota = self.quota
        if quota.left is None:
            return "the quota is not known"
        of_limit = "" if quota.limit is None else f" of {quota.limit}"
        return f"{quota.left}{of_limit} left ({self.known_by})"

    @property
    def known_by(self) -> str:
        """Who says how many calls are left; nobody when the quota is not known."""
        if self.quota.left is None:
            return ""
        return "WeChat" if self.quota.is_said else "the count"

    def __str__(self) -> str:
        """What is asked for and what is not, for the log."""
        due = self.due
        if due.is_probe:
            said = (
                f"the endpoint is offline: asks for {due.days[0]} only, to find out if it is back"
            )
        else:
            said = f"{len(due.days)} calls"
            if due.caught_up:
                why = _why_open(due.caught_up, self.known)
                said += f", {len(due.caught_up)} of them to catch up ({why})"
            if due.witness in due.days:
                said += f", {due.witness} to find out whether WeChat lists any article of it"
        if due.final:
            said += f"; {due.final} skipped as final"
        if due.resting:
            said += f"; {due.resting} rest until WeChat lists an article of it"
        return f"{said}; {self.quota.calls} calls made today, {self.left}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    run: Run
    settings: Settings
    planned_at: datetime
    details: list[AccountPlan]
    """Every account, also one without a day to ask for."""
    left: list[Problem]
    """Accounts that have left the list of those to collect within `LEFT_IS_SAID`."""

    @property
    def accounts(self) -> list[PlannedAccount]:
        """Accounts with days to ask for."""
        return [it.planned for it in self.details if it.planned.days]

    @property
    def stamp(self) -> PlanStamp:
        """What tells the plan from the run's others."""
        return PlanStamp(self.planned_at, sum(len(it.days) for it in self.accounts))

    @property
    def is_daily(self) -> bool:
        """Whether the next daily run asks for what this one holds back."""
        return rules.is_daily(self.run, clock.beijing_date(self.planned_at))

    @property
    def counts(self) -> dict[str, int]:
        """
        Publication days, summed over the accounts.

        Those to ask for, of these caught up and witnesses; skipped as final and as resting; those
        that a daily run holds back, which are not in its plan; and lost.
        """
        dues = [it.due for it in self.details]
        held_back = sum(len(it.held_back) for it in self.details)
        return {
            "asked": sum(len(due.days) for due in dues),
            "caught_up": sum(len(due.caught_up) for due in dues),
            "witnesses": sum(due.witness in due.days for due in dues),
            "final": sum(due.final for due in dues),
            "resting": sum(due.resting for due in dues),
            "held_back": held_back if self.is_daily else 0,
            "lost": sum(len(due.lost) for due in dues),
        }

    @property
    def held_back(self) -> list[str]:
        """Days beyond the quota, and when they are asked for: a sentence per account."""
        later = "the next daily run asks for them"
        if not self.is_daily:
            later = (
                "clear the task ingest after 00:00 Beijing time, or trigger a run with these dates "
                "then"
            )
        return [
            f"{it.name}: held back for the quota: {days_as_ranges(it.held_back)} "
            f"({len(it.held_back)} days); {later}; {it.left}, and {self.settings.quota_reserve} "
            "are kept for daily runs ([weixin] quota_reserve)"
            for it in self.details
            if it.held_back
        ]

    @property
    def further_days(self) -> int:
        """On how many later days what this run holds back can be asked for, of most accounts."""
        return max(
            (
                rules.further_days(it.quota, len(it.held_back), reserve=self.settings.quota_reserve)
                for it in self.details
            ),
            default=0,
        )

    @property
    def lost(self) -> list[Problem]:
        """Days that daily runs do not reach any more, one per account."""
        return [_lost(self.run, it) for it in self.details if it.due.lost]

    @property
    def warnings(self) -> list[str]:
        """
        What `check` says as well: days that this run does not ask for.

        Days that are held back in a run that is not a daily one are still its own: `ingest` names
        them, and they make it red.
        """
        return [*(self.held_back if self.is_daily else []), *map(str, self.lost)]

    @property
    def expected(self) -> timedelta:
        """How long the run is expected to take from here to its report, in steps of ten seconds."""
        tasks = len(batches(self.accounts))
        in_flight = self.settings.concurrency * max(1, min(tasks, TASKS_AT_ONCE))
        starts = math.ceil(tasks / TASKS_AT_ONCE) + 1
        seconds = starts * SECONDS_A_START + self.counts["asked"] * SECONDS_A_CALL / in_flight
        return timedelta(seconds=math.ceil(seconds / 10) * 10)

    @property
    def expectation(self) -> str:
        """How long the run is expected to take, reckoned with what, and what quota it lacks."""
        days = self.further_days
        more = f"; what is held back takes the quota of {counted(days, 'more day')}"
        return (
            f"{self.counts['asked']} calls, about {clock.elapsed(self.expected)} if a call takes "
            f"{SECONDS_A_CALL} s ({counted(len(batches(self.accounts)), 'ingest task')}, each with "
            f"{self.settings.concurrency} calls at once){more if days else ''}"
        )

    def log(self) -> None:
        """Log a line per account, what to know about them, and the time it all takes."""
        days = rules.window(self.run, clock.beijing_date(self.planned_at))
        for it in self.details:
            kind = self.run.dataset.day.value
            log.info("%s: %ss %s to %s; %s", it.name, kind, days.first, days.last, it)
        new = [it.name for it in self.details if it.is_new]
        if new and days.first > self.run.dataset.first_day:
            log.info(
                "%s new: %s; days before %s are asked for only by a run with begin_date and "
                "end_date",
                *(accounts_are(len(new)), few_names(new), days.first),
            )
        for warning in [*self.held_back, *self.lost]:
            log.warning("%s", warning)
        log.info("%s", self.expectation)


def plan(
    run: Run,
    warehouse: Engine,
    settings: Settings,
    accounts: Sequence[ConfiguredAccount],
    *,
    is_new: bool,
    now: Callable[[], datetime] = clock.now,
) -> Plan:
    """
    Decide which days of the accounts to ask for, and write that down; a dry run only decides.

    `accounts` are all that are configured, those the run is limited to marked `is_wanted`; `is_new`
    is whether nothing of the run was tried before.

    Raises:
        ParameterError: the dates of the form can't be asked for.
        WarehouseError: the warehouse does not answer, is not migrated, or has another time.
    """
    rules.window(run, clock.beijing_date(now()))
    require_migrated(warehouse)
    require_one_time(warehouse)
    wanted = [account for account in accounts if account.appid and account.is_wanted]
    planned_at = now()
    left: list[Problem] = []
    with warehouse.connect() as connection:
        said = {it.appid: it.quota for it in wanted if it.appid and it.quota}
        save_said(connection, run.dataset, said)
        if not run.dry_run:
            left = _save_accounts(connection, run, settings, accounts, wanted, planned_at)
        details = _due(connection, run, settings, wanted, planned_at)
        if not run.dry_run:
            if is_new:
                connection.execute(statement("run_report/forget.sql"), run_keys(run))
            connection.execute(statement("run_report/drop.sql"), run_keys(run))
            _save_pairs(connection, run, details)
            connection.commit()
    if not run.dry_run:
        analyse_grown(warehouse)
    made = Plan(run, settings, planned_at, details, left)
    made.log()
    return made


def preview(
    connection: Connection,
    run: Run,
    settings: Settings,
    accounts: Sequence[ConfiguredAccount],
    now: datetime,
) -> Plan:
    """
    The plan that a run of the accounts would have now; nothing is written.

    Raises:
        ParameterError: the dates of the form can't be asked for.
    """
    rules.window(run, clock.beijing_date(now))
    return Plan(run, settings, now, _due(connection, run, settings, accounts, now), left=[])


def plan_open_days(
    run: Run,
    warehouse: Engine,
    settings: Settings,
    accounts: Sequence[PlannedAccount],
    now: datetime,
) -> dict[str, list[date]]:
    """
    Add what is due by now of planned accounts to the run's plan: their endpoint is back.

    Returns:
        The days that the plan did not have before, by AppID.
    """
    appids = [it.appid for it in accounts]
    wanted = [ConfiguredAccount(it.conn_id, it.appid, it.name) for it in accounts]
    with warehouse.begin() as connection:
        before = {
            (pair.appid, pair.publication_date) for pair in planned_pairs(connection, run, appids)
        }
        more = []
        for it in _due(connection, run, settings, wanted, now):
            days = [day for day in it.planned.days if (it.planned.appid, day) not in before]
            planned = replace(it.planned, days=days, planned_at=accounts[0].planned_at)
            more.append(replace(it, planned=planned))
        _save_pairs(connection, run, more)
    found = {it.planned.appid: it.planned.days for it in more if it.planned.days}
    for account in accounts:
        if account.appid in found:
            ranges = days_as_ranges(found[account.appid])
            log.info("%s: the endpoint is back: asks for %s", account.name, ranges)
    return found


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


# -------------------------------------------------------------------------------- who is collected


def _save_accounts(
    connection: Connection,
    run: Run,
    settings: Settings,
    accounts: Sequence[ConfiguredAccount],
    wanted: Sequence[ConfiguredAccount],
    now: datetime,
) -> list[Problem]:
    """Write down who is collected, and since when by daily runs; the accounts that have left."""
    listed = [account for account in accounts if account.appid]
    values = {
        "accounts": _as_json(wanted),
        "listed": _as_json(listed),
        "installation": run.installation,
        "appids": [account.appid for account in listed],
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
        connection.execute(statement(path), values)
    gone = connection.execute(statement("dim_account/deactivate.sql"), values).all()
    if names := [row.name for row in gone if row.is_news]:  # the Variable may be lost, too
        log.warning(
            "%s no longer collected, by the Airflow Variable weixin_accounts or by what WeChat "
            "says of their platform: %s",
            *(accounts_are(len(names)), few_names(names)),
        )
    for other in connection.execute(statement("account_list/others.sql"), values):
        log.info(
            "another Airflow loads into this warehouse as well: %s in its list, last planned %s; "
            "accounts of either are collected",
            *(accounts_are(other.account_count), clock.beijing_text(other.listed_at)),
        )
    today = clock.beijing_date(now)
    if rules.is_daily(run, today):
        connection.execute(
            statement("first_daily_run/save.sql"),
            {
                "dataset": run.dataset.name,
                "appids": [account.appid for account in wanted],
                "today": run.today,
            },
        )
    left = {row.appid: row for row in gone if not row.is_withdrawn}
    rows = connection.execute(
        statement("coverage/left_behind.sql"),
        {
            "dataset": run.dataset.name,
            "appids": [*left],
            "since": rules.reach(run.dataset, today, None, catch_up_days=settings.catch_up_days),
        },
    )
    open_days: dict[str, list[date]] = {row.appid: row.publication_dates for row in rows}
    conn_ids = {account.conn_id for account in listed}
    return [
        _no_longer_collected(row, open_days[appid], has_other=row.conn_id in conn_ids)
        for appid, row in left.items()
        if appid in open_days
    ]


def _as_json(accounts: Sequence[ConfiguredAccount]) -> str:
    return msgspec.json.encode([asdict(account) for account in accounts]).decode()


def _no_longer_collected(account: Row[Any], days: Sequence[date], *, has_other: bool) -> Problem:
    """An account that has left, and its open days, which are given up with it."""
    why = "WeChat's list of its platform, or weixin_accounts, no longer names it"
    cure = "put it back into weixin_accounts if you want its figures"
    if has_other:
        why = f"{account.conn_id} has another AppID now"
        cure = "give it a connection of its own if you want its figures"
    elif connection_of(account.conn_id) == account.conn_id:
        why = "weixin_accounts no longer names it"
    cause = f"no longer collected, {counted(len(days), 'day')} open: {why}"
    gone = ConfiguredAccount(account.conn_id, account.appid, account.name)
    return problem_of(gone, ProblemKind.NOT_COLLECTED, cause, cure, days)


# ------------------------------------------------------------------------------------- what is due


def _due(
    connection: Connection,
    run: Run,
    settings: Settings,
    wanted: Sequence[ConfiguredAccount],
    now: datetime,
) -> list[AccountPlan]:
    """Gather what is known of each account's days and calls, and ask the rules."""
    today, dataset = clock.beijing_date(now), run.dataset
    accounts = {account.appid: account for account in wanted if account.appid}
    rows = connection.execute(
        statement("first_daily_run/of_accounts.sql", dataset),
        {"dataset": dataset.name, "appids": list(accounts)},
    ).all()
    first_daily = {row.appid: row.first_daily_date or today for row in rows}
    last_errcodes = {row.appid: row.last_errcodes for row in rows}
    concerned = {a: rules.concerned(run, first_daily[a], today).first for a in accounts}
    known = _known_days(connection, run, concerned, today)
    dues = {
        appid: rules.due(
            run,
            first_daily_date=first_daily[appid],
            today=today,
            known=known[appid],
            last_errcodes=last_errcodes[appid],
            catch_up_days=settings.catch_up_days,
        )
        for appid in accounts
    }
    dues |= _with_witness(connection, run, dues, known, today)
    dues |= _without_unwanted(connection, run, dues)
    quotas = known_quotas(
        connection, dataset, list(accounts), today=today, daily_calls=settings.daily_calls
    )
    planned = []
    is_daily = rules.is_daily(run, today)
    for appid, account in accounts.items():
        due, quota = dues[appid], quotas[appid]
        spare = rules.spare_calls(quota, refetch=run.refetch, reserve=settings.quota_reserve)
        held_back = [
            day
            for number, day in enumerate(due.days)  # each takes a call
            if rules.is_held_back(run, day, spare - number, today)
        ]
        asked = replace(
            due, days=_less(due.days, held_back), caught_up=_less(due.caught_up, held_back)
        )
        days = asked.days if is_daily else due.days
        is_new = is_daily and first_daily[appid] == today
        account_of_plan = PlannedAccount(account.conn_id, appid, account.name, days, now)
        planned.append(AccountPlan(account_of_plan, asked, known[appid], quota, held_back, is_new))
    return planned


def _less(days: Sequence[date], others: Sequence[date]) -> list[date]:
    without = set(others)
    return [day for day in days if day not in without]


def _known_days(
    connection: Connection, run: Run, first_dates: Mapping[str, date], today: date
) -> Mapping[str, Mapping[date, Coverage]]:
    """Each account's days that decide what is due: see `rules.due`."""
    present = rules.present_window(run.dataset, today)
    rows = connection.execute(
        statement("coverage/open.sql"),
        {
            "dataset": run.dataset.name,
            "appids": list(first_dates),
            "first_dates": [min(first, present.first) for first in first_dates.values()],
            "last_date": present.last,
            "window_first_date": present.first,
            "is_daily": rules.is_daily(run, today),
        },
    )
    return Coverage.by_account(rows.mappings())


def _with_witness(
    connection: Connection,
    run: Run,
    dues: Mapping[str, Due],
    known: Mapping[str, Mapping[date, Coverage]],
    today: date,
) -> dict[str, Due]:
    """What is due of accounts that have a witness and none of whose days lists an article."""
    silent = {
        appid: due
        for appid, due in dues.items()
        if rules.lacks_witness(run, due, known[appid], today)
    }
    if not silent:
        return {}
    pairs = [(appid, day) for appid, due in silent.items() for day in due.days]
    rows = connection.execute(
        statement("coverage/witness.sql"),
        {
            "dataset": run.dataset.name,
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


def _without_unwanted(connection: Connection, run: Run, dues: Mapping[str, Due]) -> dict[str, Due]:
    """What is due of accounts with lost days: those that somebody said are not wanted are not."""
    lost = [(appid, day) for appid, due in dues.items() for day in due.lost]
    if not lost:
        return {}
    rows = connection.execute(
        statement("unwanted_range/of_days.sql"),
        {"dataset": run.dataset.name, **arrays(run.dataset, lost)},
    )
    unwanted: dict[str, list[date]] = defaultdict(list)
    for row in rows:
        unwanted[row.appid].append(row.publication_date)
    return {
        appid: replace(dues[appid], lost=_less(dues[appid].lost, days))
        for appid, days in unwanted.items()
    }


def _save_pairs(connection: Connection, run: Run, planned: Sequence[AccountPlan]) -> None:
    pairs = [(it, day) for it in planned for day in it.planned.days]
    if not pairs:
        return
    connection.execute(
        statement("run_report/plan.sql"),
        {
            **run_keys(run),
            **arrays(run.dataset, [(it.planned.appid, day) for it, day in pairs]),
            "is_probes": [it.due.is_probe for it, _ in pairs],
            "are_witnesses": [day == it.due.witness for it, day in pairs],
            "planned_at": planned[0].planned.planned_at,
        },
    )


def _lost(run: Run, account: AccountPlan) -> Problem:
    """What to enter into the form for days that daily runs do not reach any more."""
    lost = account.due.lost
    cure = f"trigger {run.dataset.dag_id} with begin_date {min(lost)} and end_date {max(lost)}"
    if account.due.is_probe:
        cure = "nothing to do while the endpoint is offline"
    return problem_of(account.planned, ProblemKind.DAYS_LOST, "too old for daily runs", cure, lost)


def _why_open(days: Sequence[date], known: Mapping[date, Coverage]) -> str:
    """The days with why earlier runs left them open, days with the same reason together."""
    reasons: dict[str, list[date]] = defaultdict(list)
    for day in days:
        coverage = known[day]
        match coverage.attempt_state:
            case None:
                reason = "imported, to be confirmed" if coverage.ready_at else "never asked"
            case AttemptState.OK:
                reason = "not final yet, or to be confirmed"
            case AttemptState.NOT_READY:
                reason = "was not ready"
            case AttemptState.FAILED:
                code = f" (errcode {coverage.error_code})" if coverage.error_code else ""
                reason = f"failed{code}"
        reasons[reason].append(day)
    return "; ".join(f"{days_as_ranges(days)}: {reason}" for reason, days in reasons.items())
