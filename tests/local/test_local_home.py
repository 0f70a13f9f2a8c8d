"""Whose figures are collected, what Airflow's programs are told, and that they end."""

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
    ],
    ids=["none", "the example", ".env", "the environment first", "a connection"],
)
def test_whose_figures_are_collected(
    home: Home, monkeypatch: pytest.MonkeyPatch, env_file: str, environment: Any, expected: Any
) -> None:
    """Those of the caller's connection, of WeChat by two lines of .env, or the sandbox's."""
    (home.project / ".env").write_text(env_file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert json.loads(configured_connection(home) or "null") == expected


def test_half_an_account_is_refused(home: Home) -> None:
    """The sentence names both lines."""
    (home.project / ".env").write_text("WEIXIN_APPID=x\n")

    with pytest.raises(LocalError, match="both WEIXIN_APPID and WEIXIN_SECRET"):
        configured_connection(home)


def test_what_a_home_keeps_is_its_owners_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `.env` with its secret too, however it was made."""
    monkeypatch.setattr("weixin_etl.__file__", str(home.project / "plugins/weixin_etl/x.py"))
    (home.project / ".env").write_text(ENV_FILE)

    assert find() == home
    assert (home.project / ".env").stat().st_mode & 0o777 == 0o600
    assert home.airflow.stat().st_mode & 0o777 == 0o700
    assert home.state.stat().st_mode & 0o067 == 0


def test_what_the_caller_set_stays_but_what_ties_the_programs_to_this_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections and settings are the caller's; another Airflow of theirs is not disturbed."""
    ours = {"AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONN_WEIXIN_WAREHOUSE"}
    theirs = {"AIRFLOW_CONN_WEIXIN_DEFAULT", "AIRFLOW__CORE__PARALLELISM"}
    for name in ours | theirs:
        monkeypatch.setenv(name, "the caller's")
    home = Home(PROJECT, Path("/nowhere"))

    environment = airflow_environment(home, Source("weixin://", "postgresql+psycopg2://h/weixin"))

    assert {name for name, it in environment.items() if it == "the caller's"} == theirs
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
    """Return whether there is such a process; a zombie only waits for its parent to look."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_ignores_sigterm_is_killed_with_all_of_its_session() -> None:
    """
    Their patience is one, however many programs there are, and though Ctrl-C comes meanwhile.

    A child of a program that has ended is killed as well: nothing is left when the end is over.
    """
    stubborn = [sys.executable, "-c", STUBBORN]
    processes = [
        machine.start(it, os.environ) for it in ([sys.executable, "-c", PARENT], *3 * [stubborn])
    ]
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
    assert [it.returncode for it in processes] == [-signal.SIGTERM, *3 * [-signal.SIGKILL]]
    assert not is_at_work(child.pid)
    assert took_seconds < 2 * patience_seconds


def test_a_command_that_did_not_end_its_programs_leaves_none_nor_their_guard() -> None:
    """Nothing is left when it returns, as after Ctrl-C while a program is started."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE) as command:
        assert command.stdout
        left = [int(pid) for pid in command.stdout.readline().split()]
        command.wait()

        assert [is_at_work(pid) for pid in left] == [False, False]


@machine.interrupted_later()
def start_while_interrupted(started: list[subprocess.Popen[bytes]]) -> None:
    signal.raise_signal(signal.SIGTERM)
    started.append(subprocess.Popen(["sleep", "60"]))
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_waits_until_a_program_is_started() -> None:
    """Its guard knows of it by then; the program itself gets signals as ever."""
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(KeyboardInterrupt):
        start_while_interrupted(started)

    (sleeper,) = started
    sleeper.send_signal(signal.SIGINT)
    assert sleeper.wait(10) == -signal.SIGINT
