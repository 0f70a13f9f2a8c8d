"""What tests share beside their fixtures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_etl.api.http import CallLimits
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.warehouse import rollups
from weixin_local.postgres import Server

TODAY = date(2026, 11, 24)
"""The run's day in Beijing, for tests that let no clock run."""
NOW = "2026-11-24T10:30:00+08:00"
HASTE = CallLimits(backoff_seconds=0.01, minute_quota_wait_seconds=0.01)
"""The API client's limits without the waits."""


@contextmanager
def migrated_warehouse(server: Server, name: str) -> Iterator[Engine]:
    """A new warehouse on a server; its name is no other test's."""
    server.create_database(name)
    url = server.url(name)
    the_warehouse.migrate(url)
    engine = the_warehouse.engine(url)
    yield engine
    engine.dispose()


def empty(warehouse: Engine) -> None:
    """Delete every row but the lists of migrations and views."""
    with warehouse.begin() as connection:
        tables = connection.exec_driver_sql(
            "SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables "
            "WHERE schemaname = 'weixin' AND tablename NOT IN ('schema_migrations', 'view_version')"
        ).scalar_one()
        connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")


def rows(warehouse: Engine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(sqlalchemy.text(sql), values)]


def stale_rollups(warehouse: Engine, appids: Sequence[str] | None = None) -> list[str]:
    """What rollups of accounts, or of all, would not hold if worked out now; the reverse; holes."""
    stale: list[str] = []
    with warehouse.connect() as connection:
        if appids is None:
            every = connection.exec_driver_sql("SELECT appid FROM weixin.dim_account").scalars()
            appids = every.all()
        for dataset in ARTICLE_DATASETS.values():
            for table in (f"latest_{dataset.name}", f"account_day_{dataset.name}"):
                rest = f"FROM weixin.{table} AS kept WHERE appid = ANY(%s)"
                held = f"SELECT to_jsonb(kept)::text {rest}"
                delete = f"DELETE {rest}"
                kept = set(connection.exec_driver_sql(held, (appids,)).scalars())
                connection.exec_driver_sql(delete, (appids,))
                rollups.keep_whole(connection, dataset, appids)
                anew = set(connection.exec_driver_sql(held, (appids,)).scalars())
                stale += [f"{table}: {row}" for row in sorted(kept ^ anew)]
            days = f"weixin.account_day_{dataset.name}"
            holes = connection.exec_driver_sql(
                f"SELECT appid FROM {days} GROUP BY appid "  # noqa: S608 # a declared name
                "HAVING max(calendar_date) - min(calendar_date) + 1 != count(*)"
            )
            stale += [f"{days}: a day of {appid} is left out" for appid in holes.scalars()]
        connection.rollback()
    return stale


def keep(
    config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], Any]
) -> None:
    """Leave the others out, and let pytest count them as such."""
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]
