"""
The step plan: decide which days a run requests of each account.

`plan` reads the coverage of the accounts, applies the rules of `weixin_etl.rules`, and stores the
planned slices in the run's report. `split_batches` divides the accounts among the ingest tasks.
"""

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
from weixin_etl.model import Batch, ConfiguredAccount, Coverage, Due, PlannedAccount, connection_id
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run import Work
from weixin_etl.run.outcome import calls_limit, calls_made
from weixin_etl.text import counted, few_names
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.statements import as_json, coverage_from_row, slice_arrays

log = logging.getLogger(__name__)

MOST_BATCHES = 32
"""The largest number of batches, unless batches would exceed `MOST_ACCOUNTS`."""
FEWEST_ACCOUNTS = 8
"""
The fewest accounts of a batch, if there are more accounts than batches.

Starting a task costs as much as the calls of so many accounts.
"""
MOST_ACCOUNTS = 250
"""
The most accounts of a batch.

A run that needs one account of another run's batch waits for the whole batch.
"""
MOST_DRY_RUN_ACCOUNTS = 100
"""The most accounts that the result of a dry run lists."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of the step plan."""

    accounts: Batch
    """The accounts that have days to request."""
    removed: list[Problem]
    """A problem for each account that is no longer collected since the last plan."""
    dry_run: "DryRun | None" = None
    """The requests that a dry run would make. None for other runs."""


@dataclass(frozen=True, slots=True)
class DryRunAccount:
    """The requests that a dry run would make for one account."""

    name: str
    days: list[date]
    """The days that would be requested, one call each, newest first."""
    calls_made: int
    """The calls of the endpoint that all runs made today for the account."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """The requests that a dry run would make."""

    account_count: int
    call_count: int
    calls_limit: int | None
    """The calls an account may make today before the run stops. None if there is no limit."""
    accounts: list[DryRunAccount]
    """The accounts with the most calls, at most `MOST_DRY_RUN_ACCOUNTS`, sorted by calls."""


def plan(work: Work, accounts: Sequence[ConfiguredAccount]) -> Plan:
    """
    Decide which days of each account to request, and store the planned slices.

    In one transaction, the accounts are saved in `dim_account`, those that are no longer configured
    are marked there, and the planned slices replace those of an earlier plan in the run's report. A
    dry run stores nothing. Each account's days and the number of calls are logged.

    Args:
        work: the run with its warehouse. The form's dates or the present window become its dates.
        accounts: all configured accounts. The run collects those with `is_wanted` and an AppID.

    Returns:
        The accounts with days to request. Accounts of which no day is due are left out.

    Raises:
        ParameterError: WeChat can't be asked for the dates of the form.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    now = work.now()
    run = work.run.dated(clock.beijing_date(now))
    require_migrated(work.warehouse)
    with diagnosed(work.warehouse), work.warehouse.connect() as connection:
        planning = _Planning(connection, replace(work, run=run, now=lambda: now), accounts)
        if run.dry_run:
            planned = planning.due()
            return Plan(planned, removed=[], dry_run=planning.dry_run(planned))
        removed = planning.save_accounts()
        planned = planning.due()
        planning.save_slices(planned)
        connection.commit()
    analyse_grown(work.warehouse)
    return Plan(planned, removed)


def split_batches(accounts: Batch) -> list[Batch]:
    """
    Divide the accounts into batches, one for each ingest task. Return no batch without accounts.

    Up to 32 accounts get a batch each, so that Airflow shows each account. More accounts are spread
    evenly over batches of 8 to 250, so that Airflow's cost does not grow with the accounts.
    """
    count = len(accounts)
    if count > MOST_BATCHES:
        usual_count = min(MOST_BATCHES, math.ceil(count / FEWEST_ACCOUNTS))
        count = max(usual_count, math.ceil(count / MOST_ACCOUNTS))
    return [list(accounts[start::count]) for start in range(count)]


@dataclass(frozen=True, slots=True)
class _Planning:
    """The making of one plan, in one transaction."""

    connection: Connection
    work: Work
    """The work with a dated run and a clock that always returns the time of the plan."""
    accounts: Sequence[ConfiguredAccount]

    @property
    def window_first(self) -> date:
        """The first day of the present window, or the dataset's first day if that is later."""
        dataset = self.work.run.dataset
        return max(self.work.today - rules.DAY * dataset.window, dataset.first_day)

    @property
    def wanted(self) -> dict[str, ConfiguredAccount]:
        """The accounts that the run collects and that have an AppID, by AppID."""
        return {entry.appid: entry for entry in self.accounts if entry.appid and entry.is_wanted}

    def execute(self, path: str, **values: object) -> CursorResult[Any]:
        """Execute the statement `sql/<path>` with the values and the name of the dataset."""
        values |= {"dataset": self.work.run.dataset.name}
        return self.connection.execute(statement(path), values)

    def save_accounts(self) -> list[Problem]:
        """
        Store which accounts are collected, and since which day daily runs collect them.

        Only the daily run of today stores the day: the first of the window, unless an earlier one
        is stored. Accounts that no connection and no entry of a platform names any more are marked
        as not collected, and their names are logged. Accounts of unusable connections stay.

        Returns:
            A problem for each account that is no longer collected since this plan.
        """
        accounts = as_json([asdict(account) for account in self.wanted.values()])
        self.execute("dim_account/save.sql", accounts=accounts, seen_at=self.work.now())
        if rules.is_daily(self.work.run, self.work.today):
            self.execute(
                "collected_since/save.sql",
                appids=[*self.wanted],
                since_date=self.window_first,
                catch_up_days=self.work.settings.catch_up_days,
            )
        removed = self.execute(
            "dim_account/deactivate.sql",
            appids=[account.appid for account in self.accounts if account.appid],
            conn_ids=[account.conn_id for account in self.accounts if not account.appid],
        ).all()
        if names := sorted(row.name for row in removed):
            log.warning("no longer collected: %s", few_names(names))
        return [self.removal_problem(row.conn_id, row.appid, row.name) for row in removed]

    def removal_problem(self, conn_id: str, appid: str, name: str) -> Problem:
        """
        Return the problem of an account that is no longer collected.

        Its code is empty if no entry has its connection any more, `replaced` if its connection has
        another AppID now, and `withdrawn` if its connection stands for several accounts and no
        longer for this one.
        """
        connection = connection_id(conn_id)
        is_listed = connection in {connection_id(account.conn_id) for account in self.accounts}
        code = "" if not is_listed else "replaced" if conn_id == connection else "withdrawn"
        account = {"account": name, "appid": appid, "conn_id": conn_id}
        case = {"code": code, "subject": name, "to_change": connection}
        return Problem.of_kind(ProblemKind.NOT_COLLECTED, **account, **case)

    def due(self) -> Batch:
        """
        Return the wanted accounts that have days to request, by the rules, and log the days.

        The log has a line for each wanted account and one with the number of calls. An account that
        no daily run has collected is taken as collected since the present window.
        """
        rows = self.execute("collected_since/of_accounts.sql", appids=[*self.wanted])
        collected_since = {row.appid: row.since_date for row in rows}
        known = self.known_days()
        planned_at = _after_attempts(known.values(), self.work.now())
        catch_up_days = self.work.settings.catch_up_days
        planned = []
        for appid, account in self.wanted.items():
            coverage, since = known[appid], collected_since.get(appid, self.window_first)
            due = rules.due_days(self.work.run, self.work.today, coverage, since, catch_up_days)
            log.info("%s: %s", account.name, _due_text(due, coverage))
            if due.days:
                identity = account.conn_id, appid, account.name
                planned.append(PlannedAccount(*identity, planned_at, due))
        log.info("%s", counted(_call_count(planned), "call"))
        return planned

    def dry_run(self, planned: Batch) -> DryRun:
        """
        Return the requests that the run would make, with the calls that were made today.

        At most `MOST_DRY_RUN_ACCOUNTS` accounts are listed: those with the most days.
        """
        most_first = sorted(planned, key=lambda account: -len(account.due.days))
        listed = most_first[:MOST_DRY_RUN_ACCOUNTS]
        made = calls_made(self.connection, self.work, [account.appid for account in listed])
        accounts = [DryRunAccount(row.name, row.due.days, made.get(row.appid, 0)) for row in listed]
        return DryRun(len(planned), _call_count(planned), calls_limit(self.work), accounts)

    def known_days(self) -> dict[str, dict[date, Coverage]]:
        """
        Return the coverage that `rules.due_days` needs, by AppID and day.

        Settled days are included as far back as the run may request days; most of them say no more
        than that they are settled. The dictionary is empty for an account without coverage.
        """
        run, appids = self.work.run, [*self.wanted]
        catch_up_start = rules.catch_up_start(
            run.dataset, self.work.today, None, self.work.settings.catch_up_days
        )
        since = min(run.days[-1], catch_up_start)
        known: dict[str, dict[date, Coverage]] = defaultdict(dict)
        for row in self.execute("coverage/settled.sql", appids=appids, since=since):
            known[row.appid] = dict.fromkeys(row.days, Coverage("final"))
        rows = self.execute(
            "coverage/known.sql",
            datasets=[run.dataset.name] * len(appids),
            appids=appids,
            window_first_date=self.window_first,
        )
        for row in rows:
            known[row.appid][row.day] = coverage_from_row(row[2:])
        return known

    def save_slices(self, planned: Batch) -> None:
        """
        Store the planned slices in the run's report.

        Slices of an earlier plan of the run are deleted, except those whose rows the run changed.
        """
        self.execute("run_report/forget.sql", run_id=self.work.run.run_id)
        slices = [(account.appid, day) for account in planned for day in account.due.days]
        if slices:
            values = {"run_id": self.work.run.run_id, "planned_at": planned[0].planned_at}
            values |= slice_arrays(self.work.run.dataset, slices)
            self.execute("run_report/plan.sql", **values)


def _call_count(planned: Batch) -> int:
    """Return the number of days to request of all planned accounts: one call each."""
    return sum(len(account.due.days) for account in planned)


def _after_attempts(known: Iterable[Mapping[date, Coverage]], now: datetime) -> datetime:
    """
    Return `now`, or a microsecond after the last known attempt of the millisecond from `now` on.

    A plan counts answers from its own time on. An attempt of this very moment must not satisfy it.
    """
    attempts = (coverage.attempted_at for days in known for coverage in days.values())
    near = [at for at in attempts if at and now <= at < now + timedelta(milliseconds=1)]
    return max(near, default=now - _MICROSECOND) + _MICROSECOND


def _due_text(due: Due, known: Mapping[date, Coverage]) -> str:
    """
    Return the requested days of one account as text for the log.

    The number of calls and the days of the window come first. The older days follow, grouped by
    reason: the stored error of the last attempt, "to be confirmed" or "never asked". The control
    day is last. A retirement check has a sentence of its own.
    """
    if due.is_retirement_check:
        return f"the endpoint is offline: asks for {due.first[0]} only, to find out if it is back"
    days_by_reason: dict[str, list[date]] = defaultdict(list)
    for day in due.older:
        coverage = known.get(day)
        reason = (coverage.error_kind or "to be confirmed") if coverage else "never asked"
        days_by_reason[reason].append(day)
    parts = [
        counted(len(due.days), "call"),
        days_as_ranges([day for day in due.first if day != due.control_day]),
        *(f"{days_as_ranges(days)}: {reason}" for reason, days in days_by_reason.items()),
        f"{due.control_day} to find out whether WeChat lists any article of it"
        if due.control_day
        else "",
    ]
    return "; ".join(filter(None, parts))
