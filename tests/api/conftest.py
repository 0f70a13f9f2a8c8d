"""What every test of the API client starts from."""

from collections.abc import Iterator

import pytest
from support.wire import Wire

from weixin_etl.api import client


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is remembered, as in a process that has just begun."""
    monkeypatch.setattr(client, "token_caches", {})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server whose bytes the test decides."""
    with Wire().serving() as served:
        yield served
