"""Tests of `make setup`, which checks Python, and of `make secrets`, which completes `.env`."""

import re
import shutil
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from dotenv import dotenv_values
from support.people import PROJECT, typed

ACCOUNT = {"WEIXIN_APPID": "", "WEIXIN_SECRET": ""}
LONG = (
    *("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET", "POSTGRES_PASSWORD", "AIRFLOW_DATABASE_PASSWORD"),
    *("WEIXIN_OWNER_PASSWORD", "WEIXIN_LOADER_PASSWORD", "WEIXIN_PAGE_PASSWORD", "REDIS_PASSWORD"),
)
MADE = {"AIRFLOW_ADMIN_PASSWORD": 24, "AIRFLOW_FERNET_KEY": 44, **dict.fromkeys(LONG, 64)}
"""Each secret of docker compose with its length. Airflow requires 64 for the JWT secret."""
READ = (
    *("Makefile", "requirements-dev.txt", "pyproject.toml"),
    *(".env.example", "docker/secrets.sh", "docker/databases.sql"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the checkout that the two commands read."""
    for name in READ:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "script",
    [None, "exit 1", 'case "$2" in *ensurepip*) exit 1;; esac'],
    ids=["nothing by that name", "an old Python", "no venv"],
)
def test_setup_refuses_an_unsuitable_python_and_shows_how_to_name_another(
    folder: Path, script: str | None
) -> None:
    python = folder / "python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)

    process = typed("make", "setup", f"PYTHON={python}", folder=folder)

    complaint, *makes_own = process.stderr.splitlines()
    assert process.returncode != 0
    assert str(python) in complaint
    assert "PYTHON=python3.12 make setup" in complaint
    assert [line for line in makes_own if not line.startswith("make")] == []
    assert not (folder / ".venv").exists()


def make_secrets(folder: Path) -> tuple[str, dict[str, str]]:
    """Run `make secrets`, and return its messages and the values of `.env`, which is private."""
    process = typed("make", "secrets", folder=folder)
    assert process.returncode == 0, process.stderr
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    values = {name: value or "" for name, value in dotenv_values(folder / ".env").items()}
    output = process.stdout + process.stderr
    assert [value for value in values.values() if value and value in output] == []
    return process.stderr, values


def test_a_new_env_has_every_secret_and_is_private(folder: Path) -> None:
    """The secrets are long, different, alphanumeric and never printed. The account stays empty."""
    first_output, first = make_secrets(folder)
    second_output, second = make_secrets(folder)

    assert "AIRFLOW_JWT_SECRET: generated" in first_output
    assert "generated" not in second_output
    assert first == second
    assert {name: len(value) for name, value in first.items()} == dict.fromkeys(ACCOUNT, 0) | MADE
    assert len({*first.values()}) == len(MADE) + 1
    assert Fernet(first.pop("AIRFLOW_FERNET_KEY"))
    assert all(re.fullmatch(r"[\w-]*", value, re.ASCII) for value in first.values())


EMPTY = ['{}=""', "{}=''", "{}= ", "{}=\r", "export {}=", " {} = ", '{}=""  # later\r', "# {}=old"]
GIVEN = ["{}: abc", "\ufeff{}=abc", "export {}=abc", "{}=# abc", "{} = abc", "{}=abc=", "{}= # abc"]


@pytest.mark.parametrize("line", [*EMPTY, *GIVEN])
@pytest.mark.parametrize("name", ["AIRFLOW_FERNET_KEY", "WEIXIN_LOADER_PASSWORD"])
def test_a_secret_is_generated_only_if_docker_compose_reads_none(
    folder: Path, name: str, line: str
) -> None:
    """A value stays in every notation: with a new key, old data could not be opened."""
    lines = f"{line.format(name)}\nMY_PASSWORD="
    kept = folder / "elsewhere"
    kept.write_text(lines)
    (folder / ".env").symlink_to("elsewhere")

    _, values = make_secrets(folder)

    assert kept.read_bytes().decode().startswith(f"{lines}\n")
    assert (len(values.get(name, "")) == MADE[name]) is (line not in GIVEN)
    complete = {secret for secret in MADE if len(values.get(secret, "")) == MADE[secret]}
    assert complete | {name} == MADE.keys()
