"""
The warehouse behind the Airflow connections `weixin_warehouse` and `weixin_reader`.

Tasks and commands write by the first; the page and the command `status` read by the second.
"""

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
"""The id of the connection for reading, and the name of its user's role."""
_READS_ONLY = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "1min",
}
"""Settings of a session that a person waits for: read-only, whoever the user is, and short."""


def open_warehouse() -> Engine:
    """
    Return the engine of the Airflow connection `weixin_warehouse`.

    Raises:
        WarehouseError: there is no such connection.
    """
    loader_url = _url(CONN_ID)
    if loader_url is None:
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, code="missing")
    return engine(loader_url)


@contextmanager
def reading() -> Iterator[Connection]:
    """
    Yield a read-only database connection by `weixin_reader`, or else by `weixin_warehouse`.

    Raises:
        WarehouseError: neither connection exists, the warehouse does not answer, or a migration is
            missing. The problem names the connection that was used.
        DBAPIError: a statement of the block is invalid.
    """
    reader_url = _url(READER)
    used_url = reader_url or _url(CONN_ID)
    if used_url is None:
        absence = sentence(
            "Airflow's API server finds neither {reader} nor {loader}",
            reader=READER,
            loader=CONN_ID,
        )
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, absence, code="missing", to_change=READER)
    warehouse = _reading_engine(used_url)
    try:
        require_migrated(warehouse)
        with diagnosed(warehouse), warehouse.connect() as connection:
            yield connection
    except WarehouseError as error:
        conn_id, cause = READER if reader_url else CONN_ID, error.problem.cause
        cure = fill_places(error.problem.row.cure, conn_id, cause)
        raise WarehouseError(error.kind, cause=cause, cure=cure, to_change=conn_id) from None


@lru_cache(maxsize=4)
def _reading_engine(url: URL) -> Engine:
    """Return the engine for reading; its pool serves all requests with the same credentials."""
    return engine(url, _READS_ONLY, idle_connections=5)


def _url(conn_id: str) -> URL | None:
    """Return the database URL of an Airflow connection; None if there is no such connection."""
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    fields = found.host, found.port, found.login, found.password, found.schema
    return url(*fields, found.extra_dejson)
