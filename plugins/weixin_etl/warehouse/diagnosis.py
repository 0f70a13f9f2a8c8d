"""
The diagnosis of database errors: does an error concern the state of the warehouse?

Such an error becomes a `WarehouseError` with the sentences of the error table, for instance if the
server is down, full or read-only. Other errors are faults of a statement or its data.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.problem import ROWS, ProblemRow, WarehouseError
from weixin_etl.sentences import Quoted
from weixin_etl.text import one_line

CONN_ID = "weixin_warehouse"
_STATE_ERRORS = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
    InsufficientPrivilege,
)
_FULL_MESSAGES = ("too many clients", "connection slots", "too many connections")
_TO_SERVER = re.compile(r"^connection to server .*? failed: (?:FATAL: +)?")


def diagnose(error: Exception, warehouse: Engine) -> WarehouseError | None:
    """
    Return the problem of the warehouse that caused an error; None if another cause did.

    An error of Postgres or psycopg2 becomes a `WarehouseError` if its type and SQLSTATE concern the
    server, its locks or the user's rights. A message without an SQLSTATE is taken as a lost or
    refused connection. A `WarehouseError` is returned itself if it is retried; otherwise None.

    Args:
        error: The error, perhaps wrapped by SQLAlchemy.
        warehouse: The engine. The error's text names its host and database; it is not used.
    """
    if isinstance(error, WarehouseError):
        return error if error.kind.is_retried else None
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg2.Error):
        return None
    # an error of the base class itself is a lost session, for which libpq has no message
    if not isinstance(cause, _STATE_ERRORS) and type(cause) is not psycopg2.DatabaseError:
        return None
    message = one_line(cause.diag.message_primary or str(cause))
    # the error of a refused connection has no SQLSTATE
    is_full = any(words in message for words in _FULL_MESSAGES)
    if not (row := _row(cause.pgcode or ("53300" if is_full else "08"))):
        return None
    reason = _TO_SERVER.sub("", message).split(" Is the server running")[0]
    return WarehouseError(
        row.kind, Quoted(f"{reason} ({_place(warehouse.url)})"), code=row.codes[0]
    )


@contextmanager
def diagnosed(warehouse: Engine) -> Iterator[None]:
    """
    Raise the block's error as a `WarehouseError` if the state of the warehouse caused it.

    `diagnose` decides by the error's type and SQLSTATE. No statement is sent to the warehouse: the
    engine only gives the names of its host and database. Faults of a statement, such as a missing
    table, and errors of other kinds pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if warehouse_error := diagnose(error, warehouse):
            raise warehouse_error from None
        raise


def _row(sqlstate: str) -> ProblemRow | None:
    """Return the error table's row for a SQLSTATE; None if the statement itself is at fault."""
    rows = (row for row in ROWS if row.kind.is_of_warehouse)
    return next((row for row in rows if sqlstate.startswith(tuple(row.codes))), None)


def _place(url: URL) -> str:
    """Return `host:port/database`. The host is `localhost` without one; the port may be missing."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database}"
