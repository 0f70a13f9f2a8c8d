"""What tests share beside their fixtures."""

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

from weixin_etl import warehouse as the_warehouse
from weixin_etl.api.http import CallLimits
from weixin_local.machine import LOOPBACK, answers
from weixin_local.postgres import SUPERUSER, Server

TODAY = date(2026, 11, 24)
"""The run's day in Beijing, for tests that let no clock run."""
NOW = "2026-11-24T10:30:00+08:00"
HASTE = CallLimits(backoff_seconds=0.01, minute_quota_wait_seconds=0.01)
"""The API client's limits without the waits."""
PASSWORD = "of-the-test"
PORTS = range(20_000, 32_768)
"""Below what the kernel hands out to clients."""


def choose_port() -> int:
    """A port on which no server listens."""
    while answers(port := random.choice(PORTS)):
        pass
    return port


@dataclasses.dataclass(frozen=True)
class TcpServer(Server):
    """Reached over TCP with a password, as most servers are."""

    port: int = dataclasses.field(default_factory=choose_port)

    def start(self) -> None:
        """As any other; its password is given to it over the socket."""
        super().start()
        own = {"host": str(self._data), "port": self.port, "user": SUPERUSER}
        with closing(psycopg2.connect(**own, dbname="postgres")) as connection, connection:
            connection.cursor().execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{PASSWORD}'")

    def libpq_url(self, database: str) -> str:
        """The URL over TCP."""
        return f"postgresql://{SUPERUSER}:{PASSWORD}@{LOOPBACK}:{self.port}/{quote(database)}"

    def _settings(self) -> dict[str, str]:
        return {**super()._settings(), "listen_addresses": LOOPBACK, "port": str(self.port)}


@contextmanager
def temporary_server(binaries: Path | None = None) -> Iterator[Server]:
    """Run a new server for the block, by default the embedded Postgres."""
    # not tmp_path_factory: as root, the server's own user must reach the folder
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
    """A new warehouse on a server; its name is no other test's."""
    server.create_database(name)
    url = server.url(name)
    the_warehouse.migrate(url)
    engine = the_warehouse.engine(url)
    yield engine
    engine.dispose()


def empty(warehouse: Engine) -> None:
    """Delete every row but the list of migrations."""
    ((tables,),) = rows(
        warehouse,
        "SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables "
        "WHERE schemaname = 'weixin' AND tablename <> 'schema_migrations'",
    )
    execute(warehouse, f"TRUNCATE {tables} RESTART IDENTITY")


def rows(warehouse: Engine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(sqlalchemy.text(sql), values)]


def execute(warehouse: Engine, *statements: str) -> None:
    """Do it, and keep it."""
    with warehouse.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def new_user(warehouse: Engine, name: str, options: str = "", **of_engine: Any) -> Iterator[Engine]:
    """The warehouse as a user sees it whom there was not before, and is not after."""
    execute(warehouse, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}")
    url = warehouse.url.set(username=name, password=PASSWORD)
    engine = the_warehouse.engine(url, **of_engine)
    try:
        yield engine
    finally:
        engine.dispose()
        execute(warehouse, f"DROP OWNED BY {name}; DROP ROLE {name}")


def keep(
    config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], Any]
) -> None:
    """Leave the others out, and let pytest count them as such."""
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


def cases(test: Callable[..., None]) -> Callable[..., None]:
    """
    Parametrize by the test's table in `tables.yaml`: a heading, a line a case, `|` between columns.

    Its columns are the test's parameters, in their order; a line that begins with `#` is a comment.
    """
    tables = yaml.safe_load(Path(test.__code__.co_filename).with_name("tables.yaml").read_text())
    lines = [it for it in tables[test.__name__].splitlines() if not it.startswith("#")]
    heading, *found = [tuple(cell.strip() for cell in line.split("|")) for line in lines]
    assert {len(it) for it in found} == {len(heading)}
    names = test.__code__.co_varnames[: len(heading)]
    return pytest.mark.parametrize(names, found, ids=lines[1:])(test)
