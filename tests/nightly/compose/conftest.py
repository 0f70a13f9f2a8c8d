"""
One installation for the files that leave a server as good as they found it, the upgrade last.

Backups and workers have one of their own. The base images may be stand-ins.
"""

from collections.abc import Iterator

import pytest
from installation import Installation, clone
from nightly import stand_ins


@pytest.fixture(scope="session")
def base_images() -> None:
    """`python:3.13-slim`, `postgres:18` and `redis:8`."""
    stand_ins.make_missing()


@pytest.fixture(scope="module")
def checkout() -> Iterator[Installation]:
    """A fresh clone in which nothing was typed yet."""
    with clone() as installation:
        yield installation


@pytest.fixture(scope="session")
def installation(base_images: None) -> Iterator[Installation]:
    """The one that files share."""
    with clone() as shared:
        shared.install()
        yield shared
