"""
What writers do one at a time: the locks are rows of `weixin.writer_lock`, or whole tables.

Those who may only read can take neither. An advisory lock could be taken by anybody with its key.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.warehouse.statements import statement

PATIENCE = "30s"
"""How long a migration waits for those who read what it changes."""


def begin_load(connection: Connection, appids: Collection[str]) -> None:
    """
    One transaction of an account at a time, across datasets: they share the articles.

    Waits for the others account by account in one order: no deadlock. Pins the plans of the load.
    """
    names = {"lock_names": [f"load:{appid}" for appid in appids]}
    connection.execute(statement("fact/begin.sql"), names)


def take_lock(connection: Connection, lock_name: str) -> None:
    """One transaction at a time has a lock, until it ends; others wait."""
    connection.execute(statement("writer_lock/hold.sql"), {"lock_names": [lock_name]})


def lock_migrations(connection: Connection) -> None:
    """One transaction at a time migrates; it waits half a minute for readers of what it changes."""
    connection.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN SHARE ROW EXCLUSIVE MODE")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")


@contextmanager
def ingest_locks(
    warehouse: Engine, dataset: str, appids: Collection[str], *, waits: bool
) -> Iterator[set[str]]:
    """
    One run at a time ingests an account of a dataset: those of the accounts that no other has.

    When it `waits`, all of them, once the others have ended. A session of their own holds the locks
    in an open transaction; they end with it, so a killed process holds none.
    """
    names = {f"ingest:{dataset}:{appid}": appid for appid in appids}
    with warehouse.connect() as connection:
        try:
            yield {names[name] for name in _taken(connection, [*names], waits=waits)}
        finally:
            with suppress(DBAPIError):  # a session that was lost holds nothing any more
                connection.rollback()


def _taken(connection: Connection, names: Collection[str], *, waits: bool) -> Collection[str]:
    """Rows are locked, not written: whoever adds them meanwhile does not wait."""
    connection.execute(statement("writer_lock/add.sql"), {"lock_names": names})
    connection.commit()  # so that no one waits for a new row
    take = statement("writer_lock/take.sql" if waits else "writer_lock/take_free.sql")
    return connection.scalars(take, {"lock_names": names}).all()
