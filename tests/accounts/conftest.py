"""Fixtures: a WeChat open platform whose tokens are in a real warehouse, and the sandbox's API."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet, MultiFernet
from platform_workers import COMPONENT, OpenPlatform, platform_account
from sqlalchemy import Engine
from support import HASTE

from weixin_etl import warehouse as warehouse_module
from weixin_etl.accounts.platform import Platform
from weixin_sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """Return a sandbox with a platform that no account has authorised yet."""
    return Sandbox([], component=COMPONENT)


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[str], int]:
    """Return a function that counts the platform's calls by name."""
    return lambda name: sum(call.path.endswith(f"/api_{name}") for call in sandbox.calls)


@pytest.fixture
def key() -> str:
    """Return a Fernet key, as Airflow has one."""
    return Fernet.generate_key().decode()


@pytest.fixture
def open_platform(sandbox: Sandbox, sandbox_url: str, warehouse: Engine, key: str) -> OpenPlatform:
    """
    Return a function that opens the platform as a new process does.

    With `is_patient=False` its statements in Postgres time out after half a second.
    """

    def opened(
        *keys: str, ticket: Callable[[], str] = sandbox.component.ticket, is_patient: bool = True
    ) -> Platform:
        fernet = MultiFernet([Fernet(text) for text in keys or [key]])
        options = {} if is_patient else {"options": "-c statement_timeout=500"}
        engine = warehouse_module.engine(warehouse.url.update_query_dict(options))
        return Platform(platform_account(sandbox_url), engine, fernet, ticket, HASTE)

    return opened
