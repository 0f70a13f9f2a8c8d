"""An installation of their own for the tests of each file, on base images that may be stand-ins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stand_ins
from installation import DAG, Installation, clone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Docker."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.compose)


@pytest.fixture(scope="session")
def base_images() -> None:
    """`python:3.13-slim`, `postgres:18` and `redis:8`."""
    stand_ins.make_missing()


@pytest.fixture(scope="module")
def checkout() -> Iterator[Installation]:
    """A fresh clone in which nothing was typed yet."""
    with clone() as installation:
        yield installation


@pytest.fixture(scope="module")
def installation(base_images: None, checkout: Installation) -> Installation:
    """Installed by the manual, and its DAG may run."""
    checkout.follows("With docker compose")
    checkout.rest()("PATCH", f"dags/{DAG}", {"is_paused": False})
    return checkout
