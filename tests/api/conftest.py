"""What every test of the API client starts from."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from wire import LIMITS, Wire

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account
from weixin_sandbox import Sandbox


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is remembered, as in a process that has just begun."""
    monkeypatch.setattr(api_client, "keepers", {})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server whose bytes the test decides."""
    with Wire().serving() as served:
        yield served


@pytest.fixture
def start_wire() -> Iterator[Callable[[Wire], Wire]]:
    """Serve a prepared wire for as long as the test lasts."""
    with ExitStack() as served:
        yield lambda wire: served.enter_context(wire.serving())


@pytest.fixture
def client(account: Account) -> WeixinClient:
    """A client of the sandbox with three tries and hardly a wait."""
    return WeixinClient(account, LIMITS)


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[str], int]:
    """How often a path of the sandbox was called."""
    return lambda path: sum(call.path == path for call in sandbox.calls)
