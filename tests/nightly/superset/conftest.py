"""An Apache Superset on loopback, set up by its README, on a warehouse of the sandbox's figures."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import sandbox_days
from people import FOREIGN, PROJECT
from sqlalchemy import Engine, make_url
from support import choose_port

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server

README = (PROJECT / "analytics/superset/README.md").read_text()
PATIENCE_SECONDS = 120


def blocks(section: str, language: str = "sh") -> list[str]:
    """The blocks of a section of the README."""
    text = re.split(rf"^## {section}$", README, flags=re.M)[1].split("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    assert found, section
    return found


@dataclass
class Shell:
    """Somebody at a shell in the checkout, which keeps what they export."""

    environment: dict[str, str] = field(default_factory=dict)

    def types(self, commands: str) -> str:
        """Run commands that must succeed; what they say."""
        done = subprocess.run(
            ["bash", "-ec", f"exec 3>&1 >&2\n{commands}\nenv -0 >&3"],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        self.environment = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
        return done.stderr

    def starts(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Let a command run on its own."""
        with log.open("wb") as written:
            return subprocess.Popen(
                shlex.split(command),
                cwd=PROJECT,
                env=self.environment,
                stdout=written,
                stderr=subprocess.STDOUT,
            )


@pytest.fixture(scope="session")
def warehouse(embedded_server: Server) -> Iterator[Engine]:
    """Two accounts, forty-five days, both endpoints; read as the login of the README."""
    embedded_server.create_database("superset")
    url = make_url(embedded_server.url("superset"))
    the_warehouse.migrate(embedded_server.url("superset"))
    owner = the_warehouse.engine(url)
    sandbox_days.fill(owner)
    with owner.begin() as connection:
        connection.exec_driver_sql(*blocks("Import it", "sql"))
    owner.dispose()
    reader = the_warehouse.engine(url.set(username="superset", password="choose-one"))
    yield reader
    reader.dispose()


@pytest.fixture(scope="session")
def superset(warehouse: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Superset that has the dashboard, imported twice."""
    home = tmp_path_factory.mktemp("superset")
    own = {name: it for name, it in os.environ.items() if not name.startswith(FOREIGN)}
    shell = Shell(
        own
        | {"HOME": str(home), "WAREHOUSE_URL": warehouse.url.render_as_string(hide_password=False)}
    )
    setting_up, serving = blocks("Try it")
    shell.types(setting_up)
    shell.types(*blocks("Import it"))
    shell.types(*blocks("Bring it up to date"))
    port = choose_port()
    process = shell.starts(serving.replace("8088", str(port)), home / "log")
    try:
        yield _answering(f"http://127.0.0.1:{port}", process, home / "log")
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _answering(address: str, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                return address
        except requests.RequestException:
            time.sleep(0.5)
    raise AssertionError(log.read_text())
