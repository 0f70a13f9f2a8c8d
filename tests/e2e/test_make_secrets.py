"""`make secrets` fills in what `.env` lacks, and touches nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from dotenv import dotenv_values
from people import PROJECT

MADE = {
    "AIRFLOW_ADMIN_PASSWORD": 24,
    "AIRFLOW_FERNET_KEY": 44,
    "AIRFLOW_SECRET_KEY": 64,
    "AIRFLOW_JWT_SECRET": 64,
    "POSTGRES_PASSWORD": 64,
    "AIRFLOW_DATABASE_PASSWORD": 64,
    "WEIXIN_OWNER_PASSWORD": 64,
    "WEIXIN_LOADER_PASSWORD": 64,
    "WEIXIN_PAGE_PASSWORD": 64,
    "REDIS_PASSWORD": 64,
}
"""Each secret of docker compose, and how long it is; Airflow wants 64 for the JWT's."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout as far as `make secrets` knows it."""
    for name in ("Makefile", ".env.example", "docker/secrets.sh", "docker/databases.sql"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    """Type it."""
    return subprocess.run(
        ["make", "secrets"], cwd=folder, capture_output=True, text=True, check=True
    )


def values(folder: Path) -> dict[str, str | None]:
    """What `.env` says."""
    return dotenv_values(folder / ".env")


def test_a_new_env_has_every_secret_and_is_private(folder: Path) -> None:
    """Long, different, plain, made once and never printed; the account is left to its owner."""
    said = make_secrets(folder)
    first = (folder / ".env").read_bytes()
    make_secrets(folder)

    made = values(folder)
    assert (folder / ".env").read_bytes() == first
    assert "AIRFLOW_JWT_SECRET: generated" in said.stdout + said.stderr
    assert [value for value in made.values() if value and value in said.stdout + said.stderr] == []
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    assert made.pop("WEIXIN_APPID") == made.pop("WEIXIN_SECRET") == ""
    assert {name: len(value or "") for name, value in made.items()} == MADE
    assert len({*made.values()}) == len(MADE)
    assert Fernet(made.pop("AIRFLOW_FERNET_KEY") or "")
    assert all((value or "").replace("-", "").replace("_", "").isalnum() for value in made.values())


def test_what_is_there_stays_and_what_is_not_is_added(folder: Path) -> None:
    """Also below a last line without an end, and a file that others could read becomes private."""
    mine = "# mine\nexport POSTGRES_PASSWORD=p\nAIRFLOW_ADMIN_PASSWORD=\nWEIXIN_APPID=wx1\n"
    (folder / ".env").write_text(f"{mine}WEIXIN_SECRET=s3cret")

    make_secrets(folder)

    lines = (folder / ".env").read_text().splitlines()
    made = values(folder)
    assert lines[:2] == ["# mine", "export POSTGRES_PASSWORD=p"]
    assert lines[3:5] == ["WEIXIN_APPID=wx1", "WEIXIN_SECRET=s3cret"]
    assert made["POSTGRES_PASSWORD"] == "p"
    assert all(made[name] for name in MADE)
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


EMPTY = ['{}=""', "{}=''", "{}= ", "{}=\r", "export {}=", " {} = ", '{}=""  # later\r']
GIVEN = ["{}: abc", "\ufeff{}=abc", "export {}=abc", "{}=# abc", "{} = abc", "{}= # abc"]
ABSENT = ["# {}=old", "#{}=old", "  # export {}=old"]


@pytest.mark.parametrize("line", [*EMPTY, *GIVEN, *ABSENT])
@pytest.mark.parametrize("name", ["AIRFLOW_FERNET_KEY", "WEIXIN_LOADER_PASSWORD"])
def test_a_secret_is_made_where_docker_compose_reads_none(
    folder: Path, name: str, line: str
) -> None:
    """However a value is written it stays: a new key for old data locks everybody out."""
    mine = f"{line.format(name)}\nMY_PASSWORD=\n"
    (folder / ".env").write_text(mine)
    (folder / ".env.unfinished").touch(mode=0o644)

    make_secrets(folder)

    text = (folder / ".env").read_bytes().decode()
    assert text.startswith(mine) or line in EMPTY
    assert (len(values(folder).get(name) or "") == MADE[name]) is (line not in GIVEN)
    assert text.count(name) == (2 if line in ABSENT else 1)
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


def test_an_env_elsewhere_stays_there(folder: Path) -> None:
    """A link to where secrets are kept is followed, not replaced."""
    elsewhere = folder / "kept" / "env"
    elsewhere.parent.mkdir()
    elsewhere.write_text("WEIXIN_APPID=wx1\n")
    (folder / ".env").symlink_to("kept/env")

    make_secrets(folder)

    assert (folder / ".env").is_symlink()
    assert elsewhere.read_text().startswith("WEIXIN_APPID=wx1\n")
    assert all(values(folder)[name] for name in MADE)
    assert [path.name for path in elsewhere.parent.iterdir()] == ["env"]
