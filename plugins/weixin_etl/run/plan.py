"""The verb plan: which days a run asks WeChat for, account by account."""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, CursorResult

from weixin_etl import clock, rules
from weixin_etl.clock import days_as_ranges
from weixin_etl.model import (
    Batch,
    ConfiguredAccount,
    Coverage,
    Due,
    PlannedAccount,
    connection_id,
)
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run import Work
from weixin_etl.run.outcome import calls_limit, calls_made
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.statements import as_json, coverage_from_row

log = logging.getLogger(__name__)

MOST_BATCHES = 32
FEWEST_ACCOUNTS = 8
"""Accounts of a batch, when there are more than batches: a task costs as much as their calls."""
MOST_ACCOUNTS = 250
"""Accounts of a batch: one that another run needs waits for its whole batch."""
MOST_DRY_RUN_ACCOUNTS = 100
"""Accounts that the answer of a dry run lists."""
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    accounts: Batch
    """Those with days to ask for."""
    left: list[Problem]
    """Accounts that have left the list of those to collect since the last plan."""
    dry_run: "DryRun | None" = None
    """What the run would ask for, if it only plans."""


@dataclass(frozen=True, slots=True)
class DryRunAccount:
    """What a dry run would ask WeChat for one account."""

    name: str
    days: list[date]
    """The publication days, one call each; newest first."""
    calls_made: int
    """Calls of the endpoint that all runs made today for the account."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a dry run would ask WeChat for."""

    account_count: int
    call_count: int
    calls_limit: int | None
    """Calls that an account may make today before the run stops; None without a limit."""
    accounts: list[DryRunAccount]
    """Those with the most calls first, at most `MOST_DRY_RUN_ACCOUNTS`."""


def plan(work: Work, accounts: Sequence[ConfiguredAccount]) -> Plan:
    """
    Decide which days of the accounts to ask for, and write that down; a dry run only decides.

    `accounts` are all that are configured, those the run is limited to marked `is_wanted`.

    Raises:
        ParameterError: the dates of the form can't be asked for.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    now = work.now()
    run = work.run.dated(clock.beijing_date(now))
    require_migrated(work.warehouse)
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        planning = _Planning(connection, replace(work, run=run, now=lambda: now), accounts)
        if run.dry_run:
            planned = planning.due()
            return Plan(planned, left=[], dry_run=planning.dry_run(planned))
        left = planning.save_accounts()
        planned = planning.due()
        planning.save_pairs(planned)
        connection.commit()
    analyse_grown(work.warehouse)
    return Plan(planned, left)


def split_batches(accounts: Batch) -> list[Batch]:
    """
    One account a batch up to 32 accounts; more are spread evenly over batches of 8 to 250.

    So Airflow shows each of a few accounts, and its cost does not grow with the accounts.
    """
    count = len(accounts)
    if count > MOST_BATCHES:
        few = min(MOST_BATCHES, math.ceil(count / FEWEST_ACCOUNTS))
        count = max(few, math.ceil(count / MOST_ACCOUNTS))
    return [list(accounts[start::count]) for start in range(count)]


@dataclass(frozen=True, slots=True)
class _Planning:
    """The making of a plan, in one transaction."""

    connection: Connection
    work: Work
    """Its run dated, its clock standing still."""
    accounts: Sequence[ConfiguredAccount]

    @property
    def window_first(self) -> date:
        """The first day of the present window that WeChat has."""
        dataset = self.work.run.dataset
        return max(self.work.today - rules.DAY * dataset.window, dataset.first_day)

    @property
    def wanted(self) -> dict[str, ConfiguredAccount]:
        """The accounts that can be asked and that the run collects, by AppID."""
        return {it.appid: it for it in self.accounts if it.appid and it.is_wanted}

    def execute(self, path: str, **values: object) -> CursorResult[Any]:
        """Execute a statement about the dataset."""
        values |= {"dataset": self.work.run.dataset.name}
        return self.connection.execute(statement(path), values)

    def save_accounts(self) -> list[Problem]:
        """Write down who is collected, and since when by daily runs; who is not any more."""
        accounts = as_json([asdict(account) for account in self.wanted.values()])
        self.execute("dim_account/save.sql", accounts=accounts, seen_at=self.work.now())
        if rules.is_daily(self.work.run, self.work.today):
            self.execute(
                "collected_since/save.sql",
                appids=[*self.wanted],
                since_date=self.window_first,
                catch_up_days=self.work.settings.catch_up_days,
            )
        gone = self.execute(
            "dim_account/deactivate.sql",
            appids=[account.appid for account in self.accounts if account.appid],
            conn_ids=[account.conn_id for account in self.accounts if not account.appid],
        ).all()
        if names := sorted(row.name for row in gone):
            log.warning("no longer collected: %s", few_names(names))
        return [self.why_gone(account.conn_id, account.appid, account.name) for account in gone]

    def why_gone(self, conn_id: str, appid: str, name: str) -> Problem:
        """Return how an account left: with its entry, or because its connection changed."""
        connection = connection_id(conn_id)
        is_listed = connection in {connection_id(account.conn_id) for account in self.accounts}
        code = "" if not is_listed else "replaced" if conn_id == connection else "withdrawn"
        account = {"account": name, "appid": appid, "conn_id": conn_id}
        case = {"code": code, "subject": name, "to_change": connection}
        return Problem.of_kind(ProblemKind.NOT_COLLECTED, **account, **case)

    def due(self) -> Batch:
        """What the rules say of each account's days; the log lists the calls."""
        rows = self.execute("collected_since/of_accounts.sql", appids=[*self.wanted])
        since = {row.appid: row.since_date for row in rows}
        known = self.known_days()
        planned_at = _after_attempts(known.values(), self.work.now())
        catch_up_days = self.work.settings.catch_up_days
        planned = []
        for appid, account in self.wanted.items():
            pairs, since_date = known[appid], since.get(appid, self.window_first)
            due = rules.due_days(self.work.run, self.work.today, pairs, since_date, catch_up_days)
            log.info("%s: %s", account.name, _in_words(due, pairs))
            if due.days:
                who = account.conn_id, appid, account.name
                planned.append(PlannedAccount(*who, planned_at, due))
        log.info("%s", counted(sum(len(account.due.days) for account in planned), "call"))
        return planned

    def dry_run(self, planned: Batch) -> DryRun:
        """Return what the run would ask for, with the calls that were made today."""
        most_first = sorted(planned, key=lambda account: -len(account.due.days))
        listed = most_first[:MOST_DRY_RUN_ACCOUNTS]
        made = calls_made(self.connection, self.work, [account.appid for account in listed])
        return DryRun(
            len(planned),
            sum(len(account.due.days) for account in planned),
            calls_limit(self.work),
            [
                DryRunAccount(account.name, account.due.days, made.get(account.appid, 0))
                for account in listed
            ],
        )

    def known_days(self) -> dict[str, dict[date, Coverage]]:
        """What decides what is due, see `rules.due`; settled days as far back as a run asks."""
        run, appids = self.work.run, [*self.wanted]
        reach = rules.catch_up_start(
            run.dataset, self.work.today, None, self.work.settings.catch_up_days
        )
        since = min(run.days[-1], reach)
        found: dict[str, dict[date, Coverage]] = defaultdict(dict)
        for row in self.execute("coverage/settled.sql", appids=appids, since=since):
            found[row.appid] = dict.fromkeys(row.days, Coverage("final"))
        rows = self.execute(
            "coverage/known.sql",
            datasets=[run.dataset.name] * len(appids),
            appids=appids,
            window_first_date=self.window_first,
        )
        for row in rows:
            found[row.appid][row.day] = coverage_from_row(row[2:])
        return found

    def save_pairs(self, planned: Batch) -> None:
        """Write down what the run is going to ask for, in place of what an earlier plan did."""
        self.execute("run_report/forget.sql", run_id=self.work.run.run_id)
        pairs = [(account, day) for account in planned for day in account.due.days]
        if pairs:
            self.execute(
                "run_report/plan.sql",
                run_id=self.work.run.run_id,
                appids=[account.appid for account, _ in pairs],
                days=[day for _, day in pairs],
                planned_at=planned[0].planned_at,
            )


def _after_attempts(known: Iterable[Mapping[date, Coverage]], now: datetime) -> datetime:
    """Now, or after the newest attempt if that is now as well: a new run asks again."""
    attempts = (pair.attempted_at for pairs in known for pair in pairs.values())
    near = [at for at in attempts if at and now <= at < now + timedelta(milliseconds=1)]
    return max(near, default=now - _MOMENT) + _MOMENT


def _in_words(due: Due, known: Mapping[date, Coverage]) -> str:
    """What is asked for, for the log."""
    if due.is_retirement_check:
        return f"the endpoint is offline: asks for {due.first[0]} only, to find out if it is back"
    ends: dict[str, list[date]] = defaultdict(list)
    for day in due.older:
        pair = known.get(day)
        ends[(pair.error_kind or "to be confirmed") if pair else "never asked"].append(day)
    said = [
        counted(len(due.days), "call"),
        days_as_ranges([day for day in due.first if day != due.control_day]),
        *(f"{days_as_ranges(days)}: {end}" for end, days in ends.items()),
        f"{due.control_day} to find out whether WeChat lists any article of it"
        if due.control_day
        else "",
    ]
    return "; ".join(filter(None, said))
