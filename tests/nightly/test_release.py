"""What `make release` has built installs, and is what its version says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from people import PROJECT
from sqlalchemy import make_url

from weixin_etl import __version__
from weixin_local.home import postgres_connection
from weixin_local.postgres import Server

WHEEL = PROJECT / f"dist/weixin_etl-{__version__}-py3-none-any.whl"
UV = [sys.executable, "-m", "uv"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as a user makes it, with hashes for all but the wheel itself."""
    folder = tmp_path_factory.mktemp("environment") / "it"
    into = ["--quiet", "--python", str(folder / "bin/python")]
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(folder)],
        ["pip", "install", *into, "--require-hashes", "-r", str(PROJECT / "requirements.txt")],
        ["pip", "install", *into, "--no-deps", str(WHEEL)],
    ):
        subprocess.run([*UV, *command], check=True)
    return folder


def test_the_changelog_opens_with_this_version() -> None:
    """And with the day of the release: what is unreleased is not published."""
    newest = re.findall(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.M)[0]

    assert re.fullmatch(rf"{re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)", newest)


def test_it_works_where_it_is_installed(installed: Path, embedded_server: Server) -> None:
    """The command knows its version and migrates a warehouse; Airflow discovers the provider."""
    embedded_server.create_database("release")
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(installed),
        "AIRFLOW_HOME": str(installed / "airflow"),
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE": postgres_connection(
            make_url(embedded_server.url("release"))
        ),
    }

    def says(program: str, *arguments: str) -> str:
        command = [installed / "bin" / program, *arguments]
        return subprocess.check_output(command, env=variables, text=True)

    assert says("weixin-etl", "--version") == f"weixin-etl {__version__}\n"
    assert "0001_warehouse.sql" in says("weixin-etl", "migrate")
    assert says("weixin-etl", "migrate") == "The warehouse is up to date.\n"
    providers = says("airflow", "providers", "list", "--output", "plain")
    assert re.search(rf"^weixin-etl .*\b{re.escape(__version__)}$", providers, re.M)
