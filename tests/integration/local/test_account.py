"""Whose figures are collected: those of a connection, of the credentials, or the sandbox's."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from weixin_local.environment import configured_connection, sandbox_connection
from weixin_local.home import Home
from weixin_local.machine import LocalError
from weixin_local.progress import Steps
from weixin_local.run import run
from weixin_local.stack import Stack, base_url_of, fingerprint, up, whose_figures


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


@pytest.mark.parametrize(
    "command", [run, lambda home, steps: up(home, 8080, steps)], ids=["make run", "make up"]
)
def test_an_env_with_a_secret_becomes_its_owners_alone(
    home: Home, command: Callable[[Home, Steps], None]
) -> None:
    """Before anything else is made of it, and it is said."""
    env_file = home.project / ".env"
    env_file.write_text("WEIXIN_SECRET=s3cret\n")
    env_file.chmod(0o644)
    steps = Steps(Console(file=StringIO(), width=200))

    with pytest.raises(LocalError, match="WEIXIN_APPID is not"), steps.console.capture() as said:
        command(home, steps)

    assert env_file.stat().st_mode & 0o777 == 0o600
    assert said.get() == f"! Others could read the secrets in {env_file}: now only its owner can.\n"


UI = "it is not in the UI's list"
SECRET = "s3cret"


@pytest.mark.parametrize(
    ("env_file", "environment", "figures", "connection"),
    [
        (
            None,
            {},
            "made up, by the sandbox at http://127.0.0.1:8077",
            "weixin_default, made for the sandbox: neither .env nor the environment has an account",
        ),
        (
            ENV_FILE,
            {},
            "from WeChat at https://api.weixin.qq.com",
            f"weixin_default, from WEIXIN_APPID and WEIXIN_SECRET in {{project}}/.env; {UI}",
        ),
        (
            ENV_FILE,
            {"WEIXIN_APPID": "wx2", "WEIXIN_SECRET": SECRET},
            "from WeChat at https://api.weixin.qq.com",
            f"weixin_default, from WEIXIN_APPID and WEIXIN_SECRET in the environment; {UI}",
        ),
        (
            ENV_FILE,
            {"AIRFLOW_CONN_WEIXIN_DEFAULT": f"weixin://wx1:{SECRET}@a.example:8443/b?name=春"},
            "from the server at https://a.example:8443",
            f"weixin_default, from the environment variable AIRFLOW_CONN_WEIXIN_DEFAULT; {UI}",
        ),
        (
            None,
            {"AIRFLOW_CONN_WEIXIN_DEFAULT": json.dumps({"conn_type": "weixin", "login": "wx1"})},
            "none: the connection can't be used, the runs say why",
            "weixin_default, from the environment variable AIRFLOW_CONN_WEIXIN_DEFAULT",
        ),
    ],
    ids=["sandbox", ".env", "credentials", "connection", "broken connection"],
)
def test_up_says_which_server_answers_and_where_the_connection_is_from(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    env_file: str | None,
    environment: dict[str, str],
    figures: str,
    connection: str,
) -> None:
    """Without the secret."""
    monkeypatch.setenv("AIRFLOW_HOME", str(home.airflow))
    if env_file is not None:
        (home.project / ".env").write_text(env_file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configured = configured_connection(home)
    used = configured or sandbox_connection("http://127.0.0.1:8077")
    stack = Stack(8080, "postgresql://", fingerprint(configured), base_url_of(home, used))

    assert whose_figures(home, stack) == (figures, connection.format(project=home.project))
