"""What can be wrong with the warehouse, as messages for the operator."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg2
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.problem import OperatorError, Problem, ProblemKind
from weixin_etl.text import one_line

CONN_ID = "weixin_warehouse"
_TROUBLE_ERRORS = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.InternalError,
    InsufficientPrivilege,
)


class WarehouseError(OperatorError):
    """The warehouse can't be used. `str()` says why and what to do."""

    kind = ProblemKind.WAREHOUSE_SETUP

    def __init__(self, cause: str, cure: str, to_change: str = "") -> None:
        super().__init__(f"{cause}; {cure}")
        self.cause = cause
        self.cure = cure
        self.to_change = to_change
        """The Airflow connection that its cure is about; empty if it is about none."""

    @property
    def problem(self) -> Problem:
        """The problem of the whole run."""
        return Problem(self.kind, self.cause, self.cure, to_change=self.to_change)


class PassingWarehouseError(WarehouseError):
    """The warehouse does not answer or cannot work at the moment; that may pass."""

    kind = ProblemKind.WAREHOUSE
    is_of_one_statement = False
    """Whether only this statement is affected: other accounts can still be loaded."""


class Matter(NamedTuple):
    """What is wrong with the warehouse, and what to do."""

    cause: str
    cure: str
    to_change: str = ""
    """The connection that the cure is about."""


def _by_sqlstate() -> dict[str, Matter]:
    with Path(__file__).with_name("sqlstates.csv").open(encoding="utf-8", newline="") as file:
        return {line.pop("sqlstate"): Matter(**line) for line in csv.DictReader(file)}


BY_SQLSTATE = _by_sqlstate()
"""Reactions by SQLSTATE or its beginning, the longer ones first."""
_LOCK_TIMEOUT = "55P03"
_OF_ONE_STATEMENT = ("40", _LOCK_TIMEOUT, "57014")
_WHO_HOLDS_TABLE = "SELECT * FROM pg_locks WHERE relation = '%s'::regclass"
"""As short as an operator can read it in a line of the log."""
_SAYS_NO_CONNECTION_LEFT = ("too many clients", "connection slots", "too many connections")
"""Words in the messages of refused connections, which have no SQLSTATE."""
_RELATION = re.compile(r'in relation "(\w+)"')
_NAME = re.compile(r"[\w.]+")
_TO_SERVER = re.compile(r"^connection to server .*? failed: (?:FATAL: +)?")


def diagnose(error: Exception, warehouse: Engine) -> PassingWarehouseError | None:
    """What an error says about the state of the warehouse; None when it says nothing about it."""
    if isinstance(error, PassingWarehouseError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg2.Error):
        return None
    # of the base class itself is what libpq has no message for: a session that was lost
    if not isinstance(cause, _TROUBLE_ERRORS) and type(cause) is not psycopg2.DatabaseError:
        return None
    said = one_line(cause.diag.message_primary or str(cause))
    matter = _matter(cause, said)
    if matter is None:
        return None
    cure = matter.cure
    if cause.pgcode == _LOCK_TIMEOUT and (table := _locked_table(cause)):
        cure = f"find the session that holds {table}: `{_WHO_HOLDS_TABLE % table}`"
    passing = PassingWarehouseError(
        f"{matter.cause}: {_reason(said)}, at {_place(warehouse.url)}",
        cure,
        matter.to_change,
    )
    passing.is_of_one_statement = (cause.pgcode or "").startswith(_OF_ONE_STATEMENT)
    return passing


@contextmanager
def diagnosed(warehouse: Engine) -> Iterator[None]:
    """
    Let an error that says something about the state of the warehouse end the block as that.

    Raises:
        PassingWarehouseError: instead of such an error; others pass as they are.
    """
    try:
        yield
    except Exception as error:
        if passing := diagnose(error, warehouse):
            raise passing from None
        raise


def _reason(said: str) -> str:
    """What Postgres or the way to it said, without the address and libpq's question."""
    return _TO_SERVER.sub("", said).split(" Is the server running")[0]


def _locked_table(cause: psycopg2.Error) -> str:
    """The table that, or a row of which, was waited for; empty where Postgres does not say."""
    if of_row := _RELATION.search(cause.diag.context or ""):
        return f"weixin.{of_row[1]}"
    if not (position := cause.diag.statement_position):
        return ""
    asked = cause.cursor.query.decode()
    named = _NAME.match(asked, int(position) - 1)
    return named[0] if named else ""


def _place(url: URL) -> str:
    """Host, port and database."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database}"


def _matter(cause: psycopg2.Error, said: str) -> Matter | None:
    """None when the statement is at fault, not the state of the warehouse."""
    for beginning, matter in BY_SQLSTATE.items():
        if (cause.pgcode or "").startswith(beginning):
            return matter
    if cause.pgcode:
        return None
    if any(words in said for words in _SAYS_NO_CONNECTION_LEFT):
        return BY_SQLSTATE["53300"]
    return BY_SQLSTATE["08"]
