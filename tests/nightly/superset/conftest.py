"""Fixtures: an Apache Superset, set up by its README, on a warehouse with the sandbox's figures."""

from collections.abc import Iterator

import pytest
import sandbox_days
from sqlalchemy import Engine
from support import choose_port, migrated_warehouse
from support.people import PROJECT, blocks, serving

from weixin_etl import warehouse as warehouse_module
from weixin_local.postgres import Server

README = (PROJECT / "analytics/superset/README.md").read_text()


@pytest.fixture(scope="session")
def warehouse(embedded_server: Server) -> Iterator[Engine]:
    """Load 45 days of two accounts and both endpoints, and yield an engine of the README's user."""
    with migrated_warehouse(embedded_server, "superset") as owner:
        sandbox_days.fill(owner)
        with owner.begin() as connection:
            connection.exec_driver_sql(*blocks(README, "Import it", "sql"))
        reader = warehouse_module.engine(owner.url.set(username="superset", password="choose-one"))
        yield reader
        reader.dispose()


@pytest.fixture(scope="session")
def superset(warehouse: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Superset in which the dashboard was imported twice, and yield its address."""
    home, port = tmp_path_factory.mktemp("superset"), choose_port()
    url = warehouse.url.render_as_string(hide_password=False)
    setting_up, start = blocks(README, "Try it")
    typed = [setting_up, *blocks(README, "Import it"), *blocks(README, "Bring it up to date")]
    typed.append(f"exec {start.replace('8088', str(port))}")
    command = ["bash", "-ec", "\n".join(typed)]
    with serving(command, port, home / "log", HOME=str(home), WAREHOUSE_URL=url) as address:
        yield address
