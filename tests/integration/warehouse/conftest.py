"""One fixed time, new databases, and the warehouse as each role sees it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, make_url

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


def _logged_in(warehouse: Engine, role: str) -> Iterator[Engine]:
    """The warehouse as the role sees it, which may log in meanwhile."""
    password = "of-the-test"

    def alter(options: str) -> None:
        with warehouse.begin() as connection:
            connection.exec_driver_sql(f"ALTER ROLE {role} {options}")

    alter(f"LOGIN PASSWORD '{password}'")
    engine = the_warehouse.engine(make_url(warehouse.url).set(username=role, password=password))
    yield engine
    engine.dispose()
    alter("NOLOGIN PASSWORD NULL")


@pytest.fixture
def loader(warehouse: Engine) -> Iterator[Engine]:
    """The empty warehouse as the pipeline sees it."""
    yield from _logged_in(warehouse, "weixin_loader")


@pytest.fixture
def reader(warehouse: Engine) -> Iterator[Engine]:
    """The empty warehouse as an analyst sees it."""
    yield from _logged_in(warehouse, "weixin_reader")


@pytest.fixture
def connected(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the command line leads to the empty warehouse."""
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", url)
    monkeypatch.setenv("COLUMNS", "120")
