"""An Apache Superset on loopback, set up by its README, on a warehouse of the sandbox's figures."""

import subprocess
from collections.abc import Iterator

import pytest
import requests
import sandbox_days
from people import PROJECT, blocks, own_environment
from rest import until
from sqlalchemy import Engine
from support import choose_port, migrated_warehouse

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
    home, port = tmp_path_factory.mktemp("superset"), str(choose_port())
    url = warehouse.url.render_as_string(hide_password=False)
    setting_up, serving = blocks(README, "Try it")
    typed = [setting_up, *blocks(README, "Import it"), *blocks(README, "Bring it up to date")]
    typed.append(f"exec {serving.replace('8088', port)}")
    log = home / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["bash", "-ec", "\n".join(typed)],
            cwd=PROJECT,
            env=own_environment(HOME=str(home), WAREHOUSE_URL=url),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return requests.get(f"{address}/health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        until(answers, log.read_text)
        yield address
    finally:
        process.terminate()
        process.wait(120)
