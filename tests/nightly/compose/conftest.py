"""
Fixtures: an installation with docker compose that several files share.

The tests of backups and of workers use their own installations. The base images may be stand-ins.
"""

from collections.abc import Iterator

import pytest
from installation import Installation, clone
from nightly import stand_ins


@pytest.fixture(scope="session")
def base_images() -> None:
    """Build those base images that Docker lacks: Python, Postgres and Redis."""
    stand_ins.make_missing()


@pytest.fixture(scope="module")
def checkout() -> Iterator[Installation]:
    """Yield a fresh clone, in which no command was run yet."""
    with clone() as installation:
        yield installation


@pytest.fixture(scope="session")
def installation(base_images: None) -> Iterator[Installation]:
    """Install the project once, and yield the installation that several files share."""
    with clone() as shared:
        shared.install()
        yield shared
