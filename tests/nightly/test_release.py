"""What `make release` has built installs, and is what its version says."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from people import PROJECT
from sqlalchemy import make_url

import weixin_etl
from weixin_local.home import postgres_connection
from weixin_local.postgres import Server

VERSION = weixin_etl.__version__
WHEEL = PROJECT / f"dist/weixin_etl-{VERSION}-py3-none-any.whl"
UV = [sys.executable, "-m", "uv"]


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the locked requirements and the wheel."""

    folder: Path

    def says(self, program: str, *arguments: str, **variables: str) -> str:
        """What one of its programs prints."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            **variables,
        }
        done = subprocess.run(
            [self.folder / "bin" / program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Made as a user makes it, with hashes for all but the wheel itself."""
    folder = tmp_path_factory.mktemp("environment") / "it"
    into = ["--quiet", "--python", str(folder / "bin/python")]
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(folder)],
        ["pip", "install", *into, "--require-hashes", "-r", str(PROJECT / "requirements.txt")],
        ["pip", "install", *into, "--no-deps", str(WHEEL)],
    ):
        subprocess.run([*UV, *command], check=True)
    return Installed(folder)


def test_the_changelog_opens_with_this_version() -> None:
    """And with the day of the release: what is unreleased is not published."""
    newest = re.findall(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.M)[0]

    assert re.fullmatch(rf"{re.escape(VERSION)} \(\d{{4}}-\d\d-\d\d\)", newest)


def test_it_works_where_it_is_installed(installed: Installed, embedded_server: Server) -> None:
    """The command knows its version and migrates a warehouse; Airflow discovers the provider."""
    database = f"release_{installed.folder.parent.name.replace('-', '_')}"
    embedded_server.create_database(database)
    url = make_url(embedded_server.url(database))
    connection = {"AIRFLOW_CONN_WEIXIN_WAREHOUSE": postgres_connection(url)}

    assert installed.says("weixin-etl", "--version") == f"weixin-etl {VERSION}\n"
    assert "0001_warehouse.sql" in installed.says("weixin-etl", "migrate", **connection)
    assert installed.says("weixin-etl", "migrate", **connection) == "The warehouse is up to date.\n"
    providers = installed.says("airflow", "providers", "list", "--output", "plain")
    assert re.search(rf"^weixin-etl .*\b{re.escape(VERSION)}$", providers, re.M)
