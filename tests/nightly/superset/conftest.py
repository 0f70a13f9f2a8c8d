"""An Apache Superset on loopback, set up by its README, on a warehouse of the sandbox's figures."""

from collections.abc import Iterator

import pytest
import sandbox_days
from sqlalchemy import Engine
from support import choose_port, migrated_warehouse
from support.people import PROJECT, blocks, serving

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server

README = (PROJECT / "analytics/superset/README.md").read_text()


@pytest.fixture(scope="session")
def warehouse(embedded_server: Server) -> Iterator[Engine]:
    """Two accounts, forty-five days, both endpoints; read as the login of the README."""
    with migrated_warehouse(embedded_server, "superset") as owner:
        sandbox_days.fill(owner)
        with owner.begin() as connection:
            connection.exec_driver_sql(*blocks(README, "Import it", "sql"))
        reader = the_warehouse.engine(owner.url.set(username="superset", password="choose-one"))
        yield reader
        reader.dispose()


@pytest.fixture(scope="session")
def superset(warehouse: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Superset that has the dashboard, imported twice."""
    home, port = tmp_path_factory.mktemp("superset"), choose_port()
    url = warehouse.url.render_as_string(hide_password=False)
    setting_up, start = blocks(README, "Try it")
    typed = [setting_up, *blocks(README, "Import it"), *blocks(README, "Bring it up to date")]
    typed.append(f"exec {start.replace('8088', str(port))}")
    command = ["bash", "-ec", "\n".join(typed)]
    with serving(command, port, home / "log", HOME=str(home), WAREHOUSE_URL=url) as address:
        yield address
