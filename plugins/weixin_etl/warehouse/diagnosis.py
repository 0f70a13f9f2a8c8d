"""What an error of Postgres, or of the way to it, says about the state of the warehouse."""

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
_TROUBLE_ERRORS = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
    InsufficientPrivilege,
)
_SAYS_NO_CONNECTION_LEFT = ("too many clients", "connection slots", "too many connections")
_TO_SERVER = re.compile(r"^connection to server .*? failed: (?:FATAL: +)?")


def diagnose(error: Exception, warehouse: Engine) -> WarehouseError | None:
    """What an error says about the state of the warehouse; None when it says nothing about it."""
    if isinstance(error, WarehouseError):
        return error if error.kind.is_retried else None
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg2.Error):
        return None
    # of the base class itself is what libpq has no message for: a session that was lost
    if not isinstance(cause, _TROUBLE_ERRORS) and type(cause) is not psycopg2.DatabaseError:
        return None
    said = one_line(cause.diag.message_primary or str(cause))
    # the message of a refused connection has no SQLSTATE
    is_full = any(words in said for words in _SAYS_NO_CONNECTION_LEFT)
    if not (row := _row(cause.pgcode or ("53300" if is_full else "08"))):
        return None
    reason = _TO_SERVER.sub("", said).split(" Is the server running")[0]
    return WarehouseError(
        row.kind, Quoted(f"{reason} ({_place(warehouse.url)})"), code=row.codes[0]
    )


@contextmanager
def diagnosed(warehouse: Engine) -> Iterator[None]:
    """Let an error that says something about the state of the warehouse end the block as that."""
    try:
        yield
    except Exception as error:
        if passing := diagnose(error, warehouse):
            raise passing from None
        raise


def _row(sqlstate: str) -> ProblemRow | None:
    """None when the statement is at fault, not the state of the warehouse."""
    rows = (row for row in ROWS if row.kind.is_of_warehouse)
    return next((it for it in rows if sqlstate.startswith(tuple(it.codes))), None)


def _place(url: URL) -> str:
    """Host, port and database."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database}"
