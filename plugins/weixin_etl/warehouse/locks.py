"""
The locks that keep writers from working at the same time.

A lock is a row of `weixin.writer_lock`, or a whole table. A user without write access can hold
neither. Advisory locks are not used: any user could hold one.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.warehouse.statements import statement

PATIENCE = "30s"
"""The time that a migration waits for readers of a table that it changes."""


def begin_load(connection: Connection, appids: Collection[str]) -> None:
    """
    Lock accounts for a load until the end of the transaction, and fix its query plans.

    The locks are rows of `weixin.writer_lock`, which are added if they are missing. A load waits
    for other loads of its accounts, also of other datasets: they share the articles. All loads lock
    accounts in the same order, so they don't deadlock. Postgres ends a wait after the session's
    `lock_timeout` of 30 minutes with an error.
    """
    names = {"lock_names": [f"load:{appid}" for appid in appids]}
    connection.execute(statement("fact/begin.sql"), names)


def take_lock(connection: Connection, lock_name: str) -> None:
    """
    Hold a lock until the end of the transaction. Wait for another transaction that holds it.

    The row of `weixin.writer_lock` is added if it is missing. Postgres ends the wait after the
    session's `lock_timeout` with an error.
    """
    connection.execute(statement("writer_lock/hold.sql"), {"lock_names": [lock_name]})


def lock_migrations(connection: Connection) -> None:
    """
    Lock the table of migrations, which must exist, so that one transaction at a time migrates.

    Later waits of the transaction for a lock fail after `PATIENCE`; this first wait does not.
    """
    connection.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN SHARE ROW EXCLUSIVE MODE")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")


@contextmanager
def ingest_locks(
    warehouse: Engine, dataset: str, appids: Collection[str], *, waits: bool
) -> Iterator[set[str]]:
    """
    Hold the locks of accounts, so that one run at a time ingests an account of a dataset.

    A separate session adds missing rows to `weixin.writer_lock`, commits, and then holds the locks
    in an open transaction. Its end frees them, so a killed process holds no lock. If the session is
    lost during the block, the locks are free, and the block is not told.

    Args:
        warehouse: The warehouse.
        dataset: The dataset's name.
        appids: The accounts to lock.
        waits: Whether to wait for the other runs, at most for the session's `lock_timeout`;
            otherwise only free locks are taken.

    Yields:
        The AppIDs whose locks this run holds: all of them if it waits, else perhaps none.

    Raises:
        DBAPIError: The warehouse can't be used, or the wait was too long.
    """
    names = {f"ingest:{dataset}:{appid}": appid for appid in appids}
    with warehouse.connect() as connection:
        try:
            yield {names[name] for name in _taken(connection, [*names], waits=waits)}
        finally:
            with suppress(DBAPIError):  # a lost session holds no lock
                connection.rollback()


def _taken(connection: Connection, names: Collection[str], *, waits: bool) -> Collection[str]:
    """
    Lock the rows of these names in a new transaction, and return the names of the locked rows.

    Missing rows are added and committed first. Locked rows are not written. Without `waits`, rows
    that another transaction holds are left out.
    """
    connection.execute(statement("writer_lock/add.sql"), {"lock_names": names})
    connection.commit()  # another run would wait for an uncommitted row
    take = statement("writer_lock/take.sql" if waits else "writer_lock/take_free.sql")
    return connection.scalars(take, {"lock_names": names}).all()
