"""Whose figures are collected, and what Airflow's programs are told on this machine."""

import json
from pathlib import Path

import pytest

from weixin_local.home import (
    Home,
    Source,
    airflow_environment,
    configured_connection,
    keep_private,
    opened,
)
from weixin_local.machine import LocalError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A checkout without credentials."""
    for name in ("WEIXIN_APPID", "WEIXIN_SECRET", "AIRFLOW_CONN_WEIXIN_DEFAULT"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path, tmp_path / ".weixin")


ENV_FILE = "WEIXIN_APPID=wx1\nWEIXIN_SECRET='s3 cret'\n"
WECHAT = {
    "conn_type": "weixin",
    "login": "wx1",
    "password": "s3 cret",
    "host": "https://api.weixin.qq.com",
    "extra": {"name": "wx1"},
}


@pytest.mark.parametrize(
    ("env_file", "environment", "expected"),
    [
        (None, {}, None),
        ("WEIXIN_APPID=\nWEIXIN_SECRET=\n", {}, None),
        (ENV_FILE, {}, WECHAT),
        (ENV_FILE, {"WEIXIN_APPID": "", "WEIXIN_SECRET": ""}, None),
        (ENV_FILE, {"AIRFLOW_CONN_WEIXIN_DEFAULT": '{"a": 1}'}, {"a": 1}),
    ],
    ids=["no .env", ".env.example as it is", ".env", "the environment first", "a connection"],
)
def test_whose_figures_are_collected(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    env_file: str | None,
    environment: dict[str, str],
    expected: dict[str, object] | None,
) -> None:
    """Those of the caller's connection, of WeChat by two lines of .env, or the sandbox's."""
    if env_file is not None:
        (home.project / ".env").write_text(env_file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    found = configured_connection(home)

    assert (found and json.loads(found)) == expected


@pytest.mark.parametrize(
    ("given", "missing"),
    [("WEIXIN_APPID", "WEIXIN_SECRET"), ("WEIXIN_SECRET", "WEIXIN_APPID")],
)
def test_half_the_credentials_are_refused_with_the_other_halfs_name(
    home: Home, given: str, missing: str
) -> None:
    """One without the other is a mistake, not a wish for the sandbox."""
    (home.project / ".env").write_text(f"{given}=x\n")

    with pytest.raises(LocalError, match=f"{given} is set and {missing} is not: add it to .env"):
        configured_connection(home)


def test_a_scenario_does_not_go_to_wechat(home: Home) -> None:
    """It is the sandbox's."""
    (home.project / ".env").write_text(ENV_FILE)
    with pytest.raises(LocalError, match="an account is configured"), opened(home, "busy"):
        pass


def test_an_env_with_a_secret_becomes_its_owners_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is said, once."""
    env_file = tmp_path / ".env"
    env_file.write_text("WEIXIN_SECRET=s3cret\n")
    env_file.chmod(0o644)

    keep_private(env_file)
    keep_private(env_file)

    assert env_file.stat().st_mode & 0o777 == 0o600
    said = f"! Others could read the secrets in {env_file}: now only its owner can.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("name", "is_the_callers"),
    [
        ("AIRFLOW_CONN_WEIXIN_DEFAULT", True),
        ("AIRFLOW_CONN_WEIXIN_WAREHOUSE", False),
        ("AIRFLOW__WEIXIN__CONCURRENCY", True),
        ("AIRFLOW__CORE__PARALLELISM", True),
        ("AIRFLOW_HOME", False),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", False),
    ],
)
def test_what_the_caller_set_stays_but_what_ties_the_programs_to_this_home(
    name: str, is_the_callers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections and settings are the caller's; another Airflow of theirs is not disturbed."""
    monkeypatch.setenv(name, "the caller's")
    home = Home(Path(__file__).parents[3], Path("/nowhere"))
    source = Source("weixin://", "postgresql+psycopg2://me@127.0.0.1:5433/weixin", True, "made up")

    environment = airflow_environment(home, source, "sqlite://", home.airflow)

    assert (environment[name] == "the caller's") is is_the_callers
    assert environment["AIRFLOW__API__DEFAULT_WRAP"] == "True"  # of docker/airflow.env
