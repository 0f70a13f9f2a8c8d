"""A platform with its tokens in a real warehouse, asking the sandbox over HTTP."""

from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet, MultiFernet
from platform_workers import COMPONENT, OpenPlatform, the_platform
from sqlalchemy import Engine
from support import HASTE, empty, migrated_warehouse

from weixin_etl.accounts.platform import Platform
from weixin_etl.api import client as api_client
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox


@pytest.fixture(scope="session")
def platform_warehouse(embedded_server: Server) -> Iterator[Engine]:
    """A migrated warehouse that these tests share."""
    with migrated_warehouse(embedded_server, "weixin_platform") as engine:
        yield engine


@pytest.fixture
def warehouse(platform_warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An empty, migrated warehouse; no token is remembered, as in a process that has just begun."""
    empty(platform_warehouse)
    monkeypatch.setattr(api_client, "keepers", {})
    return platform_warehouse


@pytest.fixture
def sandbox() -> Sandbox:
    """A WeChat that knows a platform, which nobody has authorised yet."""
    return Sandbox([], component=COMPONENT)


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[str], int]:
    """How often a call of the platform was made."""
    return lambda name: sum(call.path == f"/cgi-bin/component/{name}" for call in sandbox.calls)


@pytest.fixture
def key() -> str:
    """Airflow's Fernet key."""
    return Fernet.generate_key().decode()


@pytest.fixture
def open_platform(sandbox: Sandbox, sandbox_url: str, warehouse: Engine, key: str) -> OpenPlatform:
    """A platform as a new process opens it; other keys may be given."""

    def opened(*keys: str, ticket: Callable[[], str] = sandbox.component.ticket) -> Platform:
        fernet = MultiFernet([Fernet(it) for it in keys or [key]])
        return Platform(the_platform(sandbox_url), warehouse, fernet, ticket, HASTE)

    return opened
