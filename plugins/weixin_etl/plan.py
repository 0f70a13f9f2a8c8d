"""Which pairs (account, publication day) a run asks for, in batches of accounts."""

import logging
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl import clock, coverage, window
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration.accounts import CheckedAccount, configured_conn_ids
from weixin_etl.warehouse import require_migrated, statement
from weixin_etl.window import DateRange, DateRangeError

log = logging.getLogger(__name__)

MOST_BATCHES = 32
ASK_RETIRED_AFTER = timedelta(days=7)


class PlannedAccount(msgspec.Struct, frozen=True):
    """An account and the publication days to ask for."""

    conn_id: str
    appid: str | None
    """None when its connection can't be used: then it has no days, and its batch says why."""
    name: str
    days: list[date]


Batch = list[PlannedAccount]
"""Accounts one ingest task sees to."""


def plan(
    run: Run, accounts: Sequence[CheckedAccount], warehouse: Engine, *, is_first_try: bool
) -> list[Batch]:
    """
    Write down what the run asks for, and give it out.

    Raises:
        ParameterError: the dates of the form can't be asked for.
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    days = _days(run)
    require_migrated(warehouse)
    with warehouse.begin() as connection:
        retired = _retired(connection, run, accounts)
        planned = _due(connection, run, accounts, days, retired)
        if not run.dry_run:
            _save(connection, run, planned, is_first_try=is_first_try)
    _log(run, planned, days, retired)
    return batches([account for account in planned if account.days or account.appid is None])


def batches(accounts: Sequence[PlannedAccount]) -> list[Batch]:
    """
    One account a batch up to 32 accounts; more are spread evenly over 32 batches.

    So the cost of scheduling does not grow with the accounts.
    """
    count = min(len(accounts), MOST_BATCHES)
    return [list(accounts[start::MOST_BATCHES]) for start in range(count)]


def _days(run: Run) -> DateRange:
    yesterday = clock.yesterday()
    try:
        requested = window.requested_range(run.dataset, run.begin_date, run.end_date, yesterday)
    except DateRangeError as error:
        raise ParameterError(str(error)) from None
    days = requested or window.look_back_window(run.dataset, run.today, yesterday)
    if not days.days():
        raise ParameterError(
            f"nothing can be asked for on {run.today}: WeChat knows publication days from "
            f"{run.dataset.first_day} to yesterday in Beijing, {yesterday}"
        )
    return days


def _due(
    connection: Connection,
    run: Run,
    accounts: Sequence[CheckedAccount],
    days: DateRange,
    retired: Container[str],
) -> list[PlannedAccount]:
    appids = [account.appid for account in accounts if account.appid]
    final: dict[str, set[date]] = defaultdict(set)
    rows = connection.execute(
        statement("coverage/final.sql"),
        {
            "dataset": run.dataset.name,
            "appids": appids,
            "first_publication_date": days.first,
            "last_publication_date": days.last,
        },
    )
    for appid, publication_date in rows:
        final[appid].add(publication_date)
    return [
        PlannedAccount(
            account.conn_id,
            account.appid,
            account.name,
            [day for day in days.days() if run.refetch or day not in final[account.appid]]
            if account.appid and account.appid not in retired
            else [],
        )
        for account in accounts
    ]


def _retired(
    connection: Connection, run: Run, accounts: Sequence[CheckedAccount]
) -> dict[str, datetime]:
    """
    Accounts not to be asked because WeChat took their endpoint offline, and when it last said so.

    A scheduled run asks again after a week, a manual one when told to refetch.
    """
    if run.refetch:
        return {}
    appids = [account.appid for account in accounts if account.appid]
    retired = coverage.retired(connection, run.dataset, appids)
    asked_since = clock.now() - ASK_RETIRED_AFTER
    return {
        appid: last_asked_at
        for appid, last_asked_at in retired.items()
        if not run.is_scheduled or last_asked_at > asked_since
    }


def _save(
    connection: Connection, run: Run, planned: Sequence[PlannedAccount], *, is_first_try: bool
) -> None:
    usable = [account for account in planned if account.appid]
    connection.execute(
        statement("dim_account/save.sql"),
        {
            "accounts": msgspec.json.encode(usable).decode(),
            "scheduled_date": run.today if run.is_scheduled else None,
            "seen_at": clock.now(),
        },
    )
    connection.execute(
        statement("dim_account/deactivate.sql"),
        {
            "appids": [account.appid for account in usable],
            "conn_ids": list(
                set(configured_conn_ids()).difference(account.conn_id for account in usable)
            ),
        },
    )
    if is_first_try:
        connection.execute(
            statement("run_report/forget.sql"),
            {"run_id": run.run_id, "dataset": run.dataset.name},
        )
    pairs = [(account.appid, day) for account in usable for day in account.days]
    connection.execute(
        statement("run_report/plan.sql"),
        {
            "run_id": run.run_id,
            "dataset": run.dataset.name,
            "appids": [appid for appid, _ in pairs],
            "publication_dates": [day for _, day in pairs],
        },
    )


def _log(
    run: Run, planned: Sequence[PlannedAccount], days: DateRange, retired: Mapping[str, datetime]
) -> None:
    calls = sum(len(account.days) for account in planned)
    log.info(
        "%s: publication days %s to %s, %s calls", run.dataset.name, days.first, days.last, calls
    )
    for account in planned:
        if account.appid is None:
            log.error("%s: can't be asked for, see refresh_access_token", account.name)
            continue
        if account.appid in retired:
            log.warning(
                "%s: not asked, as WeChat said at %s that it took the endpoint offline",
                account.name,
                retired[account.appid],
            )
            continue
        skipped = len(days.days()) - len(account.days)
        listed = ", ".join(map(str, account.days)) or "none"
        log.info("%s: asks for %s; skips %s final", account.name, listed, skipped)
