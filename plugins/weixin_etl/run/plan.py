"""The verb plan: which days a run asks WeChat for, account by account."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.clock import days_as_ranges
from weixin_etl.model import (
    Batch,
    ConfiguredAccount,
    Coverage,
    PlannedAccount,
    Run,
    connection_of,
)
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import Due
from weixin_etl.run import Settings
from weixin_etl.run.outcome import problem_of
from weixin_etl.text import accounts_are, counted, few_names
from weixin_etl.warehouse import analyse_grown, require_migrated, statement
from weixin_etl.warehouse.statements import as_json, coverage_of

log = logging.getLogger(__name__)

MOST_BATCHES = 32
FEWEST_ACCOUNTS = 8
"""Accounts of a batch, when there are more than batches: a task costs as much as their calls."""
MOST_ACCOUNTS = 250
"""Accounts of a batch: one that another run needs waits for its whole batch."""
_SETTLED = Coverage("final")
"""What is known of a settled day of which no more is needed: an account has thousands."""
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    accounts: Batch
    """Those with days to ask for."""
    lost: list[Problem]
    """Days that daily runs do not reach any more, told on the day they leave the reach."""
    left: list[Problem]
    """Accounts that have left the list of those to collect since the last plan."""

    @property
    def day_count(self) -> int:
        """Calls that the run makes, if each is answered."""
        return sum(len(account.days) for account in self.accounts)


def plan(
    run: Run,
    warehouse: Engine,
    settings: Settings,
    accounts: Sequence[ConfiguredAccount],
    *,
    now: Callable[[], datetime] = clock.now,
) -> Plan:
    """
    Decide which days of the accounts to ask for, and write that down; a dry run only decides.

    `accounts` are all that are configured, those the run is limited to marked `is_wanted`.

    Raises:
        ParameterError: the dates of the form can't be asked for.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    planned_at = now()
    run = run.dated(clock.beijing_date(planned_at))
    require_migrated(warehouse)
    wanted = [account for account in accounts if account.appid and account.is_wanted]
    left: list[Problem] = []
    with warehouse.connect() as connection:
        if not run.dry_run:
            left = _save_accounts(connection, run, settings, accounts, wanted, planned_at)
        made = _plan(connection, run, settings, wanted, planned_at, left)
        if not run.dry_run:
            _save_pairs(connection, run, made)
            connection.commit()
    if not run.dry_run:
        analyse_grown(warehouse)
    return made


def batches(accounts: Batch) -> list[Batch]:
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
    connection.execute(
        statement("dim_account/save.sql"),
        {
            "accounts": as_json([asdict(account) for account in wanted]),
            "seen_at": now,
        },
    )
    if rules.is_daily(run, clock.beijing_date(now)):
        since = run.today - rules.DAY * run.dataset.window
        connection.execute(
            statement("collected_since/save.sql"),
            {
                "dataset": run.dataset.name,
                "appids": [account.appid for account in wanted],
                "since_date": max(since, run.dataset.first_day),
                "catch_up_days": settings.catch_up_days,
            },
        )
    gone = connection.execute(
        statement("dim_account/deactivate.sql"),
        {
            "appids": [account.appid for account in listed],
            "conn_ids": [account.conn_id for account in accounts if not account.appid],
        },
    ).all()
    if names := sorted(row.name for row in gone):
        log.warning("%s no longer collected: %s", accounts_are(len(names)), few_names(names))
    conn_ids = {account.conn_id for account in listed}
    return [
        _no_longer_collected(row, has_other=row.conn_id in conn_ids)
        for row in gone
        if not row.is_withdrawn
    ]


def _no_longer_collected(row: Row[Any], *, has_other: bool) -> Problem:
    """An account that has left, whose open days are given up with it."""
    why = "WeChat's list of its platform, or weixin_accounts, no longer names it"
    cure = "put it back into weixin_accounts if you want its figures"
    if has_other:
        why = f"{row.conn_id} has another AppID now"
        cure = "give it a connection of its own if you want its figures"
    elif connection_of(row.conn_id) == row.conn_id:
        why = "weixin_accounts no longer names it"
    gone = ConfiguredAccount(row.conn_id, row.appid, row.name)
    return problem_of(gone, ProblemKind.NOT_COLLECTED, f"no longer collected: {why}", cure)


# ------------------------------------------------------------------------------------- what is due


def _plan(
    connection: Connection,
    run: Run,
    settings: Settings,
    wanted: Sequence[ConfiguredAccount],
    now: datetime,
    left: list[Problem],
) -> Plan:
    """Gather what is known of each account's days, and ask the rules; the log lists the calls."""
    today = clock.beijing_date(now)
    appids = [account.appid for account in wanted if account.appid]
    since = since_dates(connection, run, appids)
    known = known_days(connection, run, appids, today, min([run.days[-1], *since.values()]))
    planned_at = _after_attempts(known.values(), now)
    first_since = max(today - rules.DAY * run.dataset.window, run.dataset.first_day)
    planned, lost = [], []
    for account in wanted:
        assert account.appid  # noqa: S101 # only these are wanted
        pairs = known[account.appid]
        due = rules.due(
            run, today, pairs, since.get(account.appid, first_since), settings.catch_up_days
        )
        log.info("%s: %s", account.name, _in_words(due, pairs))
        days = PlannedAccount(
            account.conn_id,
            account.appid,
            account.name,
            planned_at,
            due.first,
            due.older,
            due.witness,
            due.is_probe,
        )
        if days.days:
            planned.append(days)
        if due.lost:
            problem = _lost(run, account, due)
            log.warning("%s", problem)
            if _leaving(run, settings, today) in due.lost:
                lost.append(problem)
    made = Plan(planned, lost, left)
    log.info("%s", counted(made.day_count, "call"))
    return made


def _after_attempts(known: Iterable[Mapping[date, Coverage]], now: datetime) -> datetime:
    """Now, or after the newest attempt if that is now as well: a new run asks again."""
    attempts = (pair.attempted_at for pairs in known for pair in pairs.values())
    near = [at for at in attempts if at and now <= at < now + timedelta(milliseconds=1)]
    return max(near, default=now - _MOMENT) + _MOMENT


def known_days(
    connection: Connection, run: Run, appids: Sequence[str], today: date, since: date
) -> dict[str, dict[date, Coverage]]:
    """What decides what is due of accounts, see `rules.due`; settled days count from `since` on."""
    settled = connection.execute(
        statement("coverage/settled.sql"),
        {"dataset": run.dataset.name, "appids": list(appids), "since": since},
    )
    found: dict[str, dict[date, Coverage]] = defaultdict(dict)
    found.update({row.appid: dict.fromkeys(row.days, _SETTLED) for row in settled})
    rows = connection.execute(
        statement("coverage/known.sql"),
        {
            "datasets": [run.dataset.name] * len(appids),
            "appids": list(appids),
            "window_first_date": today - rules.DAY * run.dataset.window,
        },
    )
    for row in rows:
        found[row.appid][row.day] = coverage_of(row[2:])
    return found


def since_dates(connection: Connection, run: Run, appids: Sequence[str]) -> dict[str, date]:
    """Since when daily runs collect accounts, by AppID, as far as they do."""
    rows = connection.execute(
        statement("collected_since/of_accounts.sql"),
        {"dataset": run.dataset.name, "appids": list(appids)},
    )
    return {row.appid: row.since_date for row in rows}


def _save_pairs(connection: Connection, run: Run, made: Plan) -> None:
    keys = {"run_id": run.run_id, "dataset": run.dataset.name}
    connection.execute(statement("run_report/forget.sql"), keys)
    pairs = [(account, day) for account in made.accounts for day in account.days]
    if pairs:
        connection.execute(
            statement("run_report/plan.sql"),
            {
                **keys,
                "appids": [account.appid for account, _ in pairs],
                "days": [day for _, day in pairs],
                "planned_at": pairs[0][0].planned_at,
            },
        )


# ------------------------------------------------------------------------------------------- words


def _in_words(due: Due, known: Mapping[date, Coverage]) -> str:
    """What is asked for, for the log."""
    if due.is_probe:
        return f"the endpoint is offline: asks for {due.first[0]} only, to find out if it is back"
    said = [counted(len(due.first) + len(due.older), "call")]
    window = [day for day in due.first if day != due.witness]
    if window:
        said.append(f"{days_as_ranges(window)}")
    if due.older:
        older = _why_open(due.older, known)
        said.append(f"older ones ({older})" if due.first else older)
    if due.witness:
        said.append(f"{due.witness} to find out whether WeChat lists any article of it")
    return "; ".join(said)


def _why_open(days: Sequence[date], known: Mapping[date, Coverage]) -> str:
    """The days with how earlier attempts ended, days with the same end together."""
    reasons: dict[str, list[date]] = defaultdict(list)
    for day in days:
        pair = known.get(day)
        code = f" (errcode {pair.error_code})" if pair and pair.error_code else ""
        reason = "never asked" if pair is None else pair.error_kind or "to be confirmed"
        reasons[f"{reason}{code}"].append(day)
    return "; ".join(f"{days_as_ranges(those)}: {reason}" for reason, those in reasons.items())


def _leaving(run: Run, settings: Settings, today: date) -> date:
    """The day that daily runs reach no longer since this morning: lost days are told then."""
    return today - rules.DAY * (run.dataset.window + settings.catch_up_days + 1)


def _lost(run: Run, account: ConfiguredAccount, due: Due) -> Problem:
    """What to enter into the form for days that daily runs do not reach any more."""
    first, last = min(due.lost), max(due.lost)
    cure = f"trigger {run.dataset.dag_id} with begin_date {first} and end_date {last}"
    cause = "too old for daily runs"
    return problem_of(account, ProblemKind.DAYS_LOST, cause, cure, due.lost)
