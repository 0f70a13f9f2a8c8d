"""Fixtures for all tests of this folder: an own state folder, and signals as in a terminal."""

import signal
from collections.abc import Iterator

import pytest
from support.people import Person, somebody


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    """Yield a person without credentials, the same for all tests of a file."""
    with somebody() as person:
        yield person


@pytest.fixture(autouse=True)
def interruptible() -> None:
    """Let Ctrl-C interrupt the tests, also where a shell began them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
