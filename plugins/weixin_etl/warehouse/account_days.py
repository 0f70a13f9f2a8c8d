"""
Computing the stored account days: what all articles of an account gained on a day.

A load, a replay or a new release marks from which day on an account's days are stale. The end of an
ingest, the report of a run, a replay, an import and `migrate` call `refresh_account_days`, which
computes the stale days with `account_day/refresh.sql`, the only definition of their figures. The
analysts' views read the stored days, and show stale days as incomplete.
"""

from collections.abc import Collection

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.warehouse.statements import statement

REFRESHED_ACCOUNTS = 100
"""The number of accounts whose days one transaction computes."""


def refresh_account_days(warehouse: Engine, appids: Collection[str] | None = None) -> None:
    """
    Compute the account days that loads have marked, in transactions of 100 accounts.

    Both article datasets are refreshed, because a load of one may move articles of the other.
    Accounts that another process marks or computes at the same time are left to that process.

    Args:
        warehouse: the warehouse.
        appids: the accounts; None means all.
    """
    for dataset in ARTICLE_DATASETS.values():
        while _refresh_batch(warehouse, dataset, appids) == REFRESHED_ACCOUNTS:
            pass


def _refresh_batch(warehouse: Engine, dataset: Dataset, appids: Collection[str] | None) -> int:
    """Compute the days of some marked accounts in one transaction, and return their number."""
    with warehouse.begin() as connection:
        values = {"dataset": dataset.name, "limit": REFRESHED_ACCOUNTS}
        accounts = {**values, "appids": None if appids is None else [*appids]}
        marked = connection.execute(statement("account_day/hold_stale.sql"), accounts).all()
        if marked:
            locked = {
                "dataset": dataset.name,
                "appids": [row.appid for row in marked],
                "since": min(row.stale_from for row in marked),
                "now": clock.now(),
            }
            connection.execute(statement("account_day/forget.sql"), locked)
            connection.execute(statement("account_day/refresh.sql", dataset), locked)
            connection.execute(statement("account_day/refreshed.sql"), locked)
            connection.execute(statement("account_day/ratio.sql"), locked)
        return len(marked)
