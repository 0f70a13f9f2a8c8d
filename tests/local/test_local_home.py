"""Whose figures are collected, what Airflow's programs are told, and that they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import tenacity

from weixin_local import machine
from weixin_local.home import Home, Source, airflow_environment, configured_connection, find
from weixin_local.machine import LocalError

ENV_FILE = "WEIXIN_APPID=wx1\nWEIXIN_SECRET='s3 cret'\n"
WECHAT = {
    "conn_type": "weixin",
    "login": "wx1",
    "password": "s3 cret",
    "host": "https://api.weixin.qq.com",
    "extra": {"name": "wx1"},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A checkout without credentials."""
    for name in ("WEIXIN_APPID", "WEIXIN_SECRET", "AIRFLOW_CONN_WEIXIN_DEFAULT", "WEIXIN_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path, tmp_path / ".weixin")


@pytest.mark.parametrize(
    ("env_file", "environment", "expected"),
    [
        ("", {}, None),
        ("WEIXIN_APPID=\nWEIXIN_SECRET=\n", {}, None),
        (ENV_FILE, {}, WECHAT),
        (ENV_FILE, {"WEIXIN_APPID": "", "WEIXIN_SECRET": ""}, None),
        (ENV_FILE, {"AIRFLOW_CONN_WEIXIN_DEFAULT": '{"a": 1}'}, {"a": 1}),
        ("WEIXIN_APPID=x\n", {}, LocalError),
        ("WEIXIN_SECRET=x\n", {}, LocalError),
    ],
    ids=["none", "the example", ".env", "the environment first", "a connection", "half", "half"],
)
def test_whose_figures_are_collected(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    env_file: str,
    environment: dict[str, str],
    expected: Any,
) -> None:
    """Those of the caller's connection, of WeChat by two lines of .env, or the sandbox's."""
    (home.project / ".env").write_text(env_file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    if expected is LocalError:
        with pytest.raises(LocalError, match="both WEIXIN_APPID and WEIXIN_SECRET"):
            configured_connection(home)
    else:
        assert json.loads(configured_connection(home) or "null") == expected


def test_what_a_home_keeps_is_its_owners_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `.env` with its secret too, however it was made."""
    monkeypatch.setattr("weixin_etl.__file__", str(home.project / "plugins/weixin_etl/x.py"))
    (home.project / ".env").write_text(ENV_FILE)

    assert find() == home
    assert (home.project / ".env").stat().st_mode & 0o777 == 0o600
    assert home.airflow.stat().st_mode & 0o777 == 0o700
    assert home.state.stat().st_mode & 0o067 == 0


@pytest.mark.parametrize(
    ("name", "is_the_callers"),
    [
        ("AIRFLOW_CONN_WEIXIN_DEFAULT", True),
        ("AIRFLOW_CONN_WEIXIN_WAREHOUSE", False),
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
    home = Home(Path(__file__).parents[2], Path("/nowhere"))

    environment = airflow_environment(home, Source("weixin://", "postgresql+psycopg2://h/weixin"))

    assert (environment[name] == "the caller's") is is_the_callers
    assert environment["AIRFLOW__API__DEFAULT_WRAP"] == "True"  # of docker/airflow.env


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"
COMMAND = """
import os, sys, time
from weixin_local import machine
process = machine.start([sys.executable, "-c", sys.argv[1]], os.environ)
process.stdout.readline()
print(process.pid, flush=True)
time.sleep(60)
"""


@tenacity.retry(stop=tenacity.stop_after_delay(10), wait=tenacity.wait_fixed(0.02))
def ended(number: int) -> None:
    """It has; a zombie only waits for its parent to look."""
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_a_command_that_is_killed_takes_its_programs_with_it() -> None:
    """Even by a signal that it can't notice."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, SLEEP], stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout
        program = int(command.stdout.readline())
        assert psutil.Process(program).is_running()

        command.kill()

    ended(program)


def test_what_ignores_sigterm_is_killed_with_all_of_its_session() -> None:
    """Patience has an end, for children of a program that has ended as well."""
    process = machine.start([sys.executable, "-c", PARENT], os.environ)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    (child,) = psutil.Process(process.pid).children()

    machine.end([process], patience_seconds=0.5)

    assert process.returncode == -signal.SIGTERM
    ended(child.pid)
