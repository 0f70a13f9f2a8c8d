"""A state folder of their own for the tests of each file: a developer's stack is not disturbed."""

from collections.abc import Iterator

import pytest
from support.people import Person, somebody


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    """Somebody without credentials, the same for all tests of a file."""
    with somebody() as person:
        yield person
