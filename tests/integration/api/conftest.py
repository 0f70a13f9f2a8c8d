"""No token outlives a test."""

import pytest

from weixin_etl.api import client


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is remembered, as in a process that has just begun."""
    monkeypatch.setattr(client, "keepers", {})
