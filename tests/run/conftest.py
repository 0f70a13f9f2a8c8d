"""Five accounts that publish an article a day, asked over HTTP and loaded into Postgres."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from world.pipeline import Pipeline, publishing


@pytest.fixture
def morning(warehouse: Engine) -> Iterator[Pipeline]:
    """Yield a pipeline at half past ten of day 0; its accounts are `wx0` to `wx4`."""
    with publishing(warehouse, 5).serving() as engine:
        yield engine
