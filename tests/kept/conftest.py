"""One fixed time, and a warehouse that the command line finds."""

import pytest
from sqlalchemy import Engine

from weixin_local.home import postgres_connection


@pytest.fixture(autouse=True)
def _today(now: None) -> None:
    """The clock stands still, in every process."""


@pytest.fixture
def connected(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the command line leads to the empty warehouse."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", postgres_connection(warehouse.url))
