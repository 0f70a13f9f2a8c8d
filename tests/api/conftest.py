"""Fixtures of the API client's tests: no remembered token, and a server with scripted answers."""

from collections.abc import Iterator

import pytest
from support.wire import Wire

from weixin_etl.api import client


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget all tokens, as in a process that has just started."""
    monkeypatch.setattr(client, "token_caches", {})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Serve a `Wire`, whose answers the test scripts."""
    with Wire().serving() as served:
        yield served
