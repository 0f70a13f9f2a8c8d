"""Processes that outlive their starter are found again, and ended with all their children."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from weixin_local import processes
from weixin_local.processes import Process

SLEEP = "import time; time.sleep(60)"
PARENT = (
    "import subprocess, sys;"
    f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}]);"
    "print('ready', flush=True);" + SLEEP
)
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True);"
    + SLEEP
)
PATIENCE_SECONDS = 1


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start Python code as a recorded process; whatever is left of it is killed after the test."""
    started: list[psutil.Process] = []

    def _start(name: str, code: str) -> Process:
        log = tmp_path / f"{name}.log"
        process = processes.start(name, [sys.executable, "-c", code], os.environ, log, tmp_path)
        if "ready" in code:
            wait_until(lambda: "ready" in log.read_text())
        started.extend(process.members())
        return process

    yield _start
    for process in started:
        if process.is_running():
            process.kill()


def wait_until(is_true: Callable[[], bool]) -> None:
    """Poll for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    """At work: a zombie only waits for its parent to look."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("is_dead", [False, True], ids=["at work", "dead"])
def test_children_end_with_their_parent(start: Callable[..., Process], is_dead: bool) -> None:
    """A parent that leaves its children alone, or has died before them, leaves them to us."""
    process = start("parent", PARENT)
    members = process.members()
    assert len(members) == 2
    if is_dead:
        psutil.Process(process.session).kill()
        wait_until(lambda: not process.is_alive())

    assert processes.stop([process], PATIENCE_SECONDS) == ["parent"]
    assert [member for member in members if is_alive(member)] == []


def test_what_ignores_sigterm_is_killed(start: Callable[..., Process]) -> None:
    """Patience has an end."""
    process = start("stubborn", STUBBORN)

    processes.stop([process], PATIENCE_SECONDS)

    assert not process.is_alive()


def test_a_later_process_under_a_recorded_number_is_left_alone(
    tmp_path: Path, start: Callable[..., Process]
) -> None:
    """The number of a dead process is given to others; they are not ours to end."""
    other = start("other", SLEEP)
    mistaken = Process("ours", other.session, other.born_at - 3600, tmp_path / "ours.json")

    assert not mistaken.is_alive()
    assert processes.stop([mistaken], PATIENCE_SECONDS) == []
    assert other.is_alive()
