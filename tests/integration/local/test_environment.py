"""Airflow's processes work on this home, and heed what the caller set."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from weixin_local.environment import admin_password, airflow_environment
from weixin_local.home import Home
from weixin_local.postgres import Server

WAREHOUSE = "postgresql+psycopg2://me@127.0.0.1:5433/weixin"


@pytest.fixture
def home(tmp_path: Path, embedded_server: Server, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose Postgres is the tests'."""
    monkeypatch.setattr(Home, "server", embedded_server)
    home = Home(tmp_path, tmp_path / ".weixin")
    home.airflow.mkdir(parents=True)
    return home


@pytest.mark.parametrize(
    ("name", "is_the_callers"),
    [
        ("AIRFLOW_CONN_WEIXIN_DEFAULT", True),
        ("AIRFLOW_CONN_WEIXIN_WAREHOUSE", True),
        ("AIRFLOW__WEIXIN__CONCURRENCY", True),
        ("AIRFLOW_HOME", False),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", False),
    ],
)
def test_what_the_caller_set_stays_but_what_ties_the_processes_to_this_home(
    home: Home, name: str, is_the_callers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections and settings are the caller's; another Airflow of theirs is not disturbed."""
    monkeypatch.setenv(name, "the caller's")

    environment = airflow_environment(home, "weixin://", WAREHOUSE)

    assert (environment[name] == "the caller's") is is_the_callers


def test_keys_are_made_once_and_kept_private(home: Home) -> None:
    """Strong enough for Airflow, the same at the next start, readable by their owner alone."""
    first = airflow_environment(home, "weixin://", WAREHOUSE)
    second = airflow_environment(home, "weixin://", WAREHOUSE)

    assert first == second
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert Fernet(first["AIRFLOW__CORE__FERNET_KEY"])
    passwords = Path(first["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(passwords.read_text()) == {"admin": admin_password(home)}
    assert {stat.S_IMODE(file.stat().st_mode) for file in home.airflow.iterdir()} == {0o600}
