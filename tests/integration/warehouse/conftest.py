"""What every test of the warehouse starts from."""

import pytest


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """The clock stands still, in every process."""
