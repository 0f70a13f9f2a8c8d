"""One fixed time, and new databases."""

from collections.abc import Iterator

import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """The clock stands still, in every process."""


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg2.extensions.cursor]:
    """The server's superuser, outside any transaction."""
    connection = psycopg2.connect(server.libpq_url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


@pytest.fixture
def fresh(server: Server, admin: psycopg2.extensions.cursor) -> Iterator[Engine]:
    """A new, empty database."""
    server.create_database("fresh")
    engine = the_warehouse.engine(server.url("fresh"))
    yield engine
    engine.dispose()
    admin.execute("DROP DATABASE fresh WITH (FORCE)")
