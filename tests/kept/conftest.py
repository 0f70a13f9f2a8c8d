"""A fixed time, and a warehouse that the commands find."""

import pytest
from sqlalchemy import Engine

from weixin_local.home import postgres_connection


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """Stop the clock in every process."""


@pytest.fixture
def connected(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the commands' connection to the empty warehouse."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", postgres_connection(warehouse.url))
