"""A state folder of their own for the tests of each file: a developer's stack is not disturbed."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from people import Person, somebody

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
"""Debian's: Playwright's own would be downloaded."""


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    """Somebody without credentials, the same for all tests of a file."""
    with somebody() as person:
        yield person


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium that asks nobody but the pages it is sent to.

    Closed with its file: Playwright's event loop runs as long, and no other can in that process.
    """
    if CHROMIUM is None:
        # CI installs it: there a page that nobody looked at would pass
        assert not os.environ.get("CI"), "there is no chromium"
        pytest.skip("there is no chromium: apt install chromium")
    from playwright.sync_api import sync_playwright  # only those who ask for it load it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()
