"""One fixed time, and new databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """The clock stands still, in every process."""


@pytest.fixture
def fresh(server: Server) -> Iterator[Engine]:
    """A new, empty database."""
    server.create_database("fresh")
    engine = the_warehouse.engine(server.url("fresh"))
    yield engine
    engine.dispose()
    server.ask("postgres", "DROP DATABASE fresh WITH (FORCE)")
