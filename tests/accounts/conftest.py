"""A platform with its tokens in a real warehouse, asking the sandbox over HTTP."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet, MultiFernet
from platform_workers import COMPONENT, OpenPlatform, the_platform
from sqlalchemy import Engine
from support import HASTE

from weixin_etl import warehouse as the_warehouse
from weixin_etl.accounts.platform import Platform
from weixin_sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """A WeChat that knows a platform, which nobody has authorised yet."""
    return Sandbox([], component=COMPONENT)


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[str], int]:
    """How often a call of the platform was made."""
    return lambda name: sum(call.path.endswith(f"/api_{name}") for call in sandbox.calls)


@pytest.fixture
def key() -> str:
    """Airflow's Fernet key."""
    return Fernet.generate_key().decode()


@pytest.fixture
def open_platform(sandbox: Sandbox, sandbox_url: str, warehouse: Engine, key: str) -> OpenPlatform:
    """A platform as a new process opens it; it may have little patience with Postgres."""

    def opened(
        *keys: str, ticket: Callable[[], str] = sandbox.component.ticket, is_patient: bool = True
    ) -> Platform:
        fernet = MultiFernet([Fernet(it) for it in keys or [key]])
        options = {} if is_patient else {"options": "-c statement_timeout=500"}
        engine = the_warehouse.engine(warehouse.url.update_query_dict(options))
        return Platform(the_platform(sandbox_url), engine, fernet, ticket, HASTE)

    return opened
