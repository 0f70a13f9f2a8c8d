"""One fixed time, new databases, and the warehouse as each role sees it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """The clock stands still, in every process."""


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The URL of a new, empty database."""
    server.create_database("fresh")
    yield server.url("fresh")
    connection = psycopg2.connect(server.libpq_url("postgres"))
    connection.autocommit = True
    connection.cursor().execute("DROP DATABASE fresh WITH (FORCE)")
    connection.close()


@pytest.fixture
def fresh(database: str) -> Iterator[Engine]:
    """The new database."""
    engine = the_warehouse.engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def ask(fresh: Engine) -> Callable[[str], list[tuple[Any, ...]]]:
    """Ask the new database something."""

    def _ask(sql: str) -> list[tuple[Any, ...]]:
        with fresh.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    return _ask


@pytest.fixture
def connected(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the command line leads to the empty warehouse."""
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", url)
    monkeypatch.setenv("COLUMNS", "120")
