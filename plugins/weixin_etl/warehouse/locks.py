"""
What writers do one at a time: the locks are rows of `weixin.writer_lock`.

Whoever may only read can lock no row; an advisory lock is anybody's whose key he can work out.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.warehouse.statements import statement


def lock_load(connection: Connection, appids: Iterable[str]) -> None:
    """
    One commit of an account at a time, across datasets: they share the articles.

    Held until the transaction ends. Waits for the others account by account in one order, so that
    commits that share accounts never deadlock.
    """
    _take(connection, [f"load:{appid}" for appid in appids])


def lock_incidents(connection: Connection, dataset: str) -> None:
    """One transaction at a time judges a dataset's incidents: what two runs meet is opened once."""
    _take(connection, [f"incident:{dataset}"])


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
    with warehouse.begin() as connection:  # committed, so that no one waits for a new row
        _execute(connection, "add", names)
    with warehouse.connect() as connection:
        taken = _execute(connection, "take" if waits else "take_free", names)
        try:
            yield {names[name] for name in taken}
        finally:
            with suppress(DBAPIError):  # a session that was lost holds nothing any more
                connection.rollback()


def _take(connection: Connection, names: Collection[str]) -> None:
    _execute(connection, "add", names)
    _execute(connection, "take", names)


def _execute(connection: Connection, what: str, names: Collection[str]) -> list[str]:
    found = connection.execute(statement(f"writer_lock/{what}.sql"), {"lock_names": list(names)})
    return list(found.scalars()) if found.returns_rows else []
