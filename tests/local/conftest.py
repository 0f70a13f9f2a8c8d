"""A fixture that gives the tests of each file their own state folder, apart from a developer's."""

from collections.abc import Iterator

import pytest
from support.people import Person, somebody


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    """Yield a person without credentials, the same for all tests of a file."""
    with somebody() as person:
        yield person
