"""
Helpers that tests of several folders call.

This module holds those for Postgres: servers that live for a test, SQL against a warehouse, and
tables of cases. The other modules talk to Airflow and WeChat, or type commands as a person does.
"""

import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
import sqlalchemy
import yaml
from sqlalchemy import Engine

from weixin_etl import warehouse as warehouse_module
from weixin_etl.api.http import CallLimits
from weixin_local.machine import LOOPBACK, is_answering
from weixin_local.postgres import SUPERUSER, Server

TODAY = date(2026, 11, 24)
"""The run's day in Beijing, for tests with a fixed clock."""
NOW = "2026-11-24T10:30:00+08:00"
"""The fixed time, as `WEIXIN_NOW` takes it."""
HASTE = CallLimits(backoff_seconds=0.01, minute_quota_wait_seconds=0.01)
"""The API client's limits with hardly a wait between tries."""
PASSWORD = "of-the-test"
PORTS = range(20_000, 32_768)
"""Ports below those that the kernel gives to clients."""


def choose_port() -> int:
    """Return a port on which no server listens."""
    while is_answering(port := random.choice(PORTS)):
        pass
    return port


@dataclasses.dataclass(frozen=True)
class TcpServer(Server):
    """A Postgres server that is reached over TCP with a password, as most servers are."""

    port: int = dataclasses.field(default_factory=choose_port)

    def start(self) -> None:
        """Start the server and set the superuser's password over the Unix socket."""
        super().start()
        own = {"host": str(self._data), "port": self.port, "user": SUPERUSER}
        with closing(psycopg2.connect(**own, dbname="postgres")) as connection, connection:
            connection.cursor().execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{PASSWORD}'")

    def libpq_url(self, database: str) -> str:
        """Return the URL of a database over TCP."""
        return f"postgresql://{SUPERUSER}:{PASSWORD}@{LOOPBACK}:{self.port}/{quote(database)}"

    def _settings(self) -> dict[str, str]:
        return {**super()._settings(), "listen_addresses": LOOPBACK, "port": str(self.port)}


@contextmanager
def temporary_server(binaries: Path | None = None) -> Iterator[Server]:
    """
    Run a new server for the block.

    Args:
        binaries: The folder with Postgres' programs; by default those of the embedded Postgres.
    """
    # When root runs the tests, the server's own user can't reach pytest's folder.
    with tempfile.TemporaryDirectory(prefix="weixin-pg-") as folder:
        Path(folder).chmod(0o755)
        haste = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        server = TcpServer(Path(folder) / "server", binaries, haste)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def migrated_warehouse(server: Server, name: str) -> Iterator[Engine]:
    """Create and migrate a warehouse on a server, and yield its engine. Each test needs a name."""
    server.create_database(name)
    url = server.url(name)
    warehouse_module.migrate(url)
    engine = warehouse_module.engine(url)
    yield engine
    engine.dispose()


def empty(warehouse: Engine) -> None:
    """Delete every row except the list of applied migrations."""
    ((tables,),) = rows(
        warehouse,
        "SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables "
        "WHERE schemaname = 'weixin' AND tablename <> 'schema_migrations'",
    )
    execute(warehouse, f"TRUNCATE {tables} RESTART IDENTITY")


def rows(warehouse: Engine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(sqlalchemy.text(sql), values)]


def execute(warehouse: Engine, *statements: str) -> None:
    """Execute the statements in one transaction and commit."""
    with warehouse.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def new_user(warehouse: Engine, name: str, options: str = "", **of_engine: Any) -> Iterator[Engine]:
    """Create a database user, yield an engine of that user, and drop the user afterwards."""
    execute(warehouse, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}")
    url = warehouse.url.set(username=name, password=PASSWORD)
    engine = warehouse_module.engine(url, **of_engine)
    try:
        yield engine
    finally:
        engine.dispose()
        execute(warehouse, f"DROP OWNED BY {name}; DROP ROLE {name}")


def keep(
    config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], Any]
) -> None:
    """Keep the wanted items of a collection, and report the others to pytest as deselected."""
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


def cases(test: Callable[..., None]) -> Callable[..., None]:
    """
    Parametrize the test with its table in `tables.yaml`, which stands beside the test's file.

    The columns are the test's first parameters in the same order. A table is a text or a list. A
    text gives the test strings: its first line is the heading, each further line is a case, `|`
    separates columns, and a line that begins with `#` is a comment. In a list each entry is a case
    with values of any type: a list of them, or one value if the table has one column.
    """
    tables = yaml.safe_load(Path(test.__code__.co_filename).with_name("tables.yaml").read_text())
    table, lines = tables[test.__name__], None
    if isinstance(table, str):
        lines = [text for text in table.splitlines() if not text.startswith("#")][1:]
        table = [[cell.strip() for cell in line.split("|")] for line in lines]
    else:
        table = [case if isinstance(case, list) else [case] for case in table]
    (count,) = {len(case) for case in table}
    return pytest.mark.parametrize(test.__code__.co_varnames[:count], table, ids=lines)(test)
