"""Whose figures are collected: those of a connection, of the credentials, or the sandbox's."""

import json
from pathlib import Path

import pytest

from weixin_local.environment import configured_connection
from weixin_local.home import Home
from weixin_local.machine import LocalError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A checkout without credentials."""
    for name in ("WEIXIN_APPID", "WEIXIN_SECRET", "AIRFLOW_CONN_WEIXIN_DEFAULT"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path, tmp_path / ".weixin")


def test_without_credentials_there_is_no_connection(home: Home) -> None:
    """Neither an environment nor a .env: the sandbox has to answer."""
    assert configured_connection(home) is None


def test_empty_credentials_are_none(home: Home) -> None:
    """The .env.example, copied and not filled in, means the sandbox."""
    (home.project / ".env").write_text("WEIXIN_APPID=\nWEIXIN_SECRET=\n")

    assert configured_connection(home) is None


def test_credentials_in_env_file_make_a_connection_to_wechat(home: Home) -> None:
    """The two lines of .env are all a user has to give."""
    (home.project / ".env").write_text("WEIXIN_APPID=wx1\nWEIXIN_SECRET='s3 cret'\n")

    assert json.loads(configured_connection(home) or "") == {
        "conn_type": "weixin",
        "login": "wx1",
        "password": "s3 cret",
        "host": "https://api.weixin.qq.com",
        "extra": {"name": "wx1"},
    }


def test_the_environment_overrides_the_env_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty in the environment is empty, whatever .env says."""
    (home.project / ".env").write_text("WEIXIN_APPID=wx1\nWEIXIN_SECRET=one\n")
    monkeypatch.setenv("WEIXIN_APPID", "")
    monkeypatch.setenv("WEIXIN_SECRET", "")

    assert configured_connection(home) is None


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


def test_a_connection_the_caller_set_wins(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a connection knows what they do."""
    (home.project / ".env").write_text("WEIXIN_APPID=wx1\nWEIXIN_SECRET=one\n")
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_DEFAULT", "weixin://a:b@host")

    assert configured_connection(home) == "weixin://a:b@host"
