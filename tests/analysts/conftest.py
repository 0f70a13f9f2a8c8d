"""Fixtures: a warehouse filled by real runs, and the answers that filled it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from analysts.world import CollectedAnswers, filled_warehouse
from weixin_local.postgres import Server


@pytest.fixture(scope="session")
def loaded(server: Server) -> Iterator[tuple[Engine, CollectedAnswers]]:
    """Yield a warehouse filled by real runs up to the morning of `NOW`, and WeChat's answers."""
    with filled_warehouse(server, "analysts") as filled:
        yield filled


@pytest.fixture
def collected(loaded: tuple[Engine, CollectedAnswers]) -> CollectedAnswers:
    """Return the answers that WeChat gave."""
    return loaded[1]


@pytest.fixture
def connection(loaded: tuple[Engine, CollectedAnswers]) -> Iterator[Connection]:
    """Yield a connection whose changes are rolled back."""
    with loaded[0].connect() as connection:
        yield connection
        connection.rollback()
