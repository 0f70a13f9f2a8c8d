"""Compare the stored account days with those that a complete computation gives."""

from datetime import date
from typing import Any

from sqlalchemy import Engine

from support import rows
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.statements import statement

DAYS = "SELECT dataset, appid, calendar_date, stored::text FROM weixin.account_day AS stored"
PERIODS = (
    "SELECT dataset, appid, date '9000-01-01', "
    "concat_ws(' ', first_date, last_date, readers_ratio) FROM weixin.account_day_state"
)
STALE = (
    "SELECT dataset, appid, stale_from FROM weixin.account_day_state WHERE stale_from IS NOT NULL"
)


def wrong_account_days(warehouse: Engine) -> set[tuple[Any, ...]]:
    """
    Return the stored account days and periods that differ from those of a complete computation.

    Days that are marked as stale are not compared. All account days are computed anew: none is
    stale afterwards.
    """
    stale = {(dataset, appid): since for dataset, appid, since in stale_accounts(warehouse)}
    stored = {*rows(warehouse, DAYS), *rows(warehouse, PERIODS)}
    with warehouse.begin() as connection:
        connection.execute(statement("account_day/mark_all.sql"))
    refresh_account_days(warehouse)
    computed = {*rows(warehouse, DAYS), *rows(warehouse, PERIODS)}
    return {row for row in stored ^ computed if row[2] < stale.get(row[:2], date.max)}


def stale_accounts(warehouse: Engine) -> list[tuple[Any, ...]]:
    """Return dataset, AppID and first day of the accounts whose days must be computed."""
    return sorted(rows(warehouse, STALE))
