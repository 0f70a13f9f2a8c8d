"""Tests of `weixin_local`: the account it collects, Airflow's environment, and ended processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.people import PROJECT

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
    """Return the home of a checkout without credentials."""
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
    ],
    ids=["none", "the example", ".env", "the environment first", "a connection"],
)
def test_the_account_comes_from_the_environment_or_from_the_env_file(
    home: Home, monkeypatch: pytest.MonkeyPatch, env_file: str, environment: Any, expected: Any
) -> None:
    """Without an account the sandbox's is collected."""
    (home.project / ".env").write_text(env_file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert json.loads(configured_connection(home) or "null") == expected


def test_an_appid_without_a_secret_is_refused(home: Home) -> None:
    (home.project / ".env").write_text("WEIXIN_APPID=x\n")

    with pytest.raises(LocalError, match="both WEIXIN_APPID and WEIXIN_SECRET"):
        configured_connection(home)


def test_only_the_owner_can_read_the_files_of_a_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `.env` file with its secret becomes private as well."""
    monkeypatch.setattr("weixin_etl.__file__", str(home.project / "plugins/weixin_etl/x.py"))
    (home.project / ".env").write_text(ENV_FILE)

    assert find() == home
    assert (home.project / ".env").stat().st_mode & 0o777 == 0o600
    assert home.airflow.stat().st_mode & 0o777 == 0o700
    assert home.state.stat().st_mode & 0o067 == 0


def test_the_callers_environment_stays_except_for_the_home_and_its_databases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another Airflow of the caller is not disturbed."""
    kept = {"AIRFLOW_CONN_WEIXIN_DEFAULT", "AIRFLOW__CORE__PARALLELISM"}
    replaced = {"AIRFLOW_HOME", "AIRFLOW_CONN_WEIXIN_WAREHOUSE"}
    for name in {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"} | replaced | kept:
        monkeypatch.setenv(name, "the caller's")
    home = Home(PROJECT, Path("/nowhere"))

    environment = airflow_environment(home, Source("weixin://", "postgresql+psycopg2://h/weixin"))

    assert {name for name, value in environment.items() if value == "the caller's"} == kept
    assert environment["AIRFLOW__API__DEFAULT_WRAP"] == "True"  # of docker/airflow.env


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).wait()"
COMMAND = f"""
import os, sys
from weixin_local import machine
program = machine.start([sys.executable, '-c', {STUBBORN!r}], os.environ)
program.stdout.readline()
print(program.pid, machine._guard().pid, flush=True)
"""


def is_at_work(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_program_that_ignores_sigterm_is_killed_with_its_whole_session() -> None:
    """
    All programs share one deadline, even if Ctrl-C interrupts the wait.

    The child of a program that has already ended is killed as well.
    """
    programs = (PARENT, *3 * [STUBBORN])
    processes = [machine.start([sys.executable, "-c", text], os.environ) for text in programs]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    (child,) = psutil.Process(processes[0].pid).children()
    patience_seconds = 3
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    begin = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        machine.end(processes, patience_seconds)

    took_seconds = time.monotonic() - begin
    exit_codes = [process.returncode for process in processes]
    assert exit_codes == [-signal.SIGTERM, *3 * [-signal.SIGKILL]]
    assert not is_at_work(child.pid)
    assert took_seconds < 2 * patience_seconds


def test_a_command_that_exits_without_ending_its_programs_leaves_no_process() -> None:
    """The guard process ends the programs and itself."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE) as command:
        assert command.stdout
        pids = [int(pid) for pid in command.stdout.readline().split()]
        command.wait()

        assert [is_at_work(pid) for pid in pids] == [False, False]


@machine.interrupted_later()
def start_while_interrupted(started: list[subprocess.Popen[bytes]]) -> None:
    signal.raise_signal(signal.SIGTERM)
    started.append(subprocess.Popen(["sleep", "60"]))
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_waits_until_a_program_is_started() -> None:
    """The guard process then knows the program. The program itself still receives signals."""
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(KeyboardInterrupt):
        start_while_interrupted(started)

    (sleeper,) = started
    sleeper.send_signal(signal.SIGINT)
    assert sleeper.wait(10) == -signal.SIGINT
