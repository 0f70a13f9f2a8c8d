"""Fixtures: a fixed clock for all tests of the folder, and a new database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from weixin_etl import warehouse as warehouse_module
from weixin_local.postgres import Server


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """Stop the clock in this process and in its subprocesses."""


@pytest.fixture
def fresh(server: Server) -> Iterator[Engine]:
    """Create a new, empty database, and drop it afterwards."""
    server.create_database("fresh")
    engine = warehouse_module.engine(server.url("fresh"))
    yield engine
    engine.dispose()
    server.ask("postgres", "DROP DATABASE fresh WITH (FORCE)")
