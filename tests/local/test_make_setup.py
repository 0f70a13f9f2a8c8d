"""`make setup` says in one sentence what a machine lacks; `make secrets` adds what `.env` lacks."""

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
"""Each secret of docker compose, and how long it is; Airflow wants 64 for the JWT's."""
READ = (
    *("Makefile", "requirements-dev.txt", "pyproject.toml"),
    *(".env.example", "docker/secrets.sh", "docker/databases.sql"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout as far as these commands know it."""
    for name in READ:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "script",
    [None, "exit 1", 'case "$2" in *ensurepip*) exit 1;; esac'],
    ids=["nothing by that name", "an old Python", "no venv"],
)
def test_an_unfit_python_is_one_sentence_with_what_to_type(
    folder: Path, script: str | None
) -> None:
    """Nothing is made in that case, and the sentence shows how to name another Python."""
    python = folder / "python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)

    said = typed("make", "setup", f"PYTHON={python}", folder=folder)

    complaint, *makes_own = said.stderr.splitlines()
    assert said.returncode != 0
    assert str(python) in complaint
    assert "PYTHON=python3.12 make setup" in complaint
    assert [line for line in makes_own if not line.startswith("make")] == []
    assert not (folder / ".venv").exists()


def make_secrets(folder: Path) -> tuple[str, dict[str, str]]:
    """Type it; what it says, and what `.env` says then, which is its owner's alone."""
    said = typed("make", "secrets", folder=folder)
    assert said.returncode == 0, said.stderr
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    values = {name: value or "" for name, value in dotenv_values(folder / ".env").items()}
    assert [it for it in values.values() if it and it in said.stdout + said.stderr] == []
    return said.stderr, values


def test_a_new_env_has_every_secret_and_is_private(folder: Path) -> None:
    """Long, different, plain, made once and never printed; the account is left to its owner."""
    said, first = make_secrets(folder)
    again, second = make_secrets(folder)

    assert "AIRFLOW_JWT_SECRET: generated" in said
    assert "generated" not in again
    assert first == second
    assert {name: len(value) for name, value in first.items()} == dict.fromkeys(ACCOUNT, 0) | MADE
    assert len({*first.values()}) == len(MADE) + 1
    assert Fernet(first.pop("AIRFLOW_FERNET_KEY"))
    assert all(it.replace("-", "").replace("_", "").isalnum() for it in first.values() if it)


EMPTY = ['{}=""', "{}=''", "{}= ", "{}=\r", "export {}=", " {} = ", '{}=""  # later\r', "# {}=old"]
GIVEN = ["{}: abc", "\ufeff{}=abc", "export {}=abc", "{}=# abc", "{} = abc", "{}=abc=", "{}= # abc"]


@pytest.mark.parametrize("line", [*EMPTY, *GIVEN])
@pytest.mark.parametrize("name", ["AIRFLOW_FERNET_KEY", "WEIXIN_LOADER_PASSWORD"])
def test_a_secret_is_made_where_docker_compose_reads_none(
    folder: Path, name: str, line: str
) -> None:
    """However a value is written it stays: a new key for old data locks everybody out."""
    mine = f"{line.format(name)}\nMY_PASSWORD="
    kept = folder / "elsewhere"
    kept.write_text(mine)
    (folder / ".env").symlink_to("elsewhere")

    _, values = make_secrets(folder)

    assert kept.read_bytes().decode().startswith(f"{mine}\n")
    assert (len(values.get(name, "")) == MADE[name]) is (line not in GIVEN)
    assert {it for it in MADE if len(values.get(it, "")) == MADE[it]} | {name} == MADE.keys()
