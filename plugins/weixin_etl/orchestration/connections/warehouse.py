"""The warehouse of the Airflow connections `weixin_warehouse` and `weixin_reader`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import URL, Connection, Engine

from weixin_etl.problem import ProblemKind, WarehouseError, fill_places
from weixin_etl.sentences import sentence
from weixin_etl.warehouse import CONN_ID, diagnosed, engine, require_migrated, url

READER = "weixin_reader"
"""The connection, and the role of its user."""
_READS_ONLY = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "1min",
}
"""A person waits: a slow statement is ended, and nothing is written whoever the user is."""


def open_warehouse() -> Engine:
    """
    The engine of the Airflow connection `weixin_warehouse`.

    Raises:
        WarehouseError: there is no such connection.
    """
    found = _url(CONN_ID)
    if found is None:
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, code="missing")
    return engine(found)


@contextmanager
def reading() -> Iterator[Connection]:
    """
    A connection of those who only look: by `weixin_reader`, without one by `weixin_warehouse`.

    Raises:
        WarehouseError: there is neither, or the warehouse does not answer, or lacks a migration;
            it names the connection that was used.
        DBAPIError: it is not the warehouse: a statement of ours does not work.
    """
    of_reader = _url(READER)
    found = of_reader or _url(CONN_ID)
    if found is None:
        said = sentence(
            "Airflow's API server finds neither {reader} nor {loader}",
            reader=READER,
            loader=CONN_ID,
        )
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, said, code="missing", to_change=READER)
    warehouse = _reading_engine(found)
    try:
        require_migrated(warehouse)
        with diagnosed(warehouse), warehouse.connect() as connection:
            yield connection
    except WarehouseError as error:
        conn_id, cause = READER if of_reader else CONN_ID, error.problem.cause
        cure = fill_places(error.problem.row.cure, conn_id, cause)
        raise WarehouseError(error.kind, cause=cause, cure=cure, to_change=conn_id) from None


@lru_cache(maxsize=4)
def _reading_engine(url: URL) -> Engine:
    """One pool of connections per user and password: pages ask often, several at once."""
    return engine(url, _READS_ONLY, idle_connections=5)


def _url(conn_id: str) -> URL | None:
    """Where the connection leads; None when there is none."""
    try:
        its = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    return url(its.host, its.port, its.login, its.password, its.schema, its.extra_dejson)
