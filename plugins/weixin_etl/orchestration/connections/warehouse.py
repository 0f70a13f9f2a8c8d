"""
The warehouse behind the Airflow connections `weixin_warehouse` and `weixin_reader`.

Tasks and commands write by the first; the page and the command `status` read by the second.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.lineage import get_hook_lineage_collector
from sqlalchemy import URL, Connection, Engine

from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.sentences import sentence
from weixin_etl.warehouse import CONN_ID, diagnosed, engine, require_migrated, url

READER = "weixin_reader"
"""The id of the connection for reading, and the name of its user's role."""
_READS_ONLY = {
    "transaction_read_only": "on",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "1min",
}
"""Settings of a transaction that a person waits for: read-only for every user, and short."""


def open_warehouse() -> Engine:
    """
    Return an engine for the Airflow connection `weixin_warehouse`; it connects at its first use.

    Every call makes an engine with a pool of its own.

    Raises:
        WarehouseError: there is no such connection.
    """
    loader_url = _url(CONN_ID)
    if loader_url is None:
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, code="missing")
    return engine(loader_url)


def report_output_tables(warehouse: Engine, tables: Iterable[str]) -> None:
    """
    Tell Airflow's lineage which tables of the schema `weixin` the task writes.

    Airflow collects it only if a provider reads lineage, such as that of OpenLineage.
    """
    place = {"host": warehouse.url.host or "localhost", "port": warehouse.url.port or 5432}
    place |= {"database": warehouse.url.database, "schema": "weixin"}
    collector, hook = get_hook_lineage_collector(), BaseHook()
    for table in tables:
        collector.add_output_asset(hook, scheme="postgres", asset_kwargs={**place, "table": table})


@contextmanager
def reading() -> Iterator[Connection]:
    """
    Yield a read-only database connection by `weixin_reader`, or else by `weixin_warehouse`.

    A transaction gives up after ten seconds in a statement, or three waiting for a lock.

    Raises:
        WarehouseError: neither connection exists, the warehouse does not answer, or a migration is
            missing; also when this happens within the block. The cure names the connection that was
            used, and `to_change` is its id.
        DBAPIError: Postgres refuses a statement of the block for a fault of the statement.
    """
    reader_url = _url(READER)
    used_url = reader_url or _url(CONN_ID)
    if used_url is None:
        frame = "Airflow's API server finds neither {reader} nor {loader}"
        absence = sentence(frame, reader=READER, loader=CONN_ID)
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, absence, code="missing", to_change=READER)
    warehouse = _reading_engine(used_url)
    try:
        require_migrated(warehouse)
        with diagnosed(warehouse), warehouse.connect() as connection:
            yield connection
    except WarehouseError as error:
        conn_id = READER if reader_url else CONN_ID
        cause, code = error.problem.cause, error.problem.code
        raise WarehouseError(error.kind, cause=cause, code=code, to_change=conn_id) from None


@lru_cache(maxsize=4)
def _reading_engine(reader_url: URL) -> Engine:
    """
    Return the engine for reading by a URL; the four URLs used last keep their engines.

    Its transactions are read-only and give up early. All requests to the page share its pool.
    """
    return engine(reader_url, _READS_ONLY, idle_connections=5)


def _url(conn_id: str) -> URL | None:
    """Return the database URL of an Airflow connection; None if there is no such connection."""
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    fields = found.host, found.port, found.login, found.password, found.schema
    return url(*fields, found.extra_dejson)
