"""Processes that outlive their starter are found again, and ended with all their children."""

import os
import signal
import subprocess
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


def test_a_recorded_process_is_found_again_and_ended(
    tmp_path: Path, start: Callable[..., Process]
) -> None:
    """A later command knows what an earlier one started, and forgets it once it is ended."""
    start("one", SLEEP)

    found = processes.recorded(tmp_path)

    assert [(process.name, process.is_alive()) for process in found] == [("one", True)]
    assert processes.stop(found, PATIENCE_SECONDS) == ["one"]
    assert not found[0].is_alive()
    assert processes.recorded(tmp_path) == []


@pytest.fixture
def interrupted_fork(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The numbers of the processes started, each followed at once by a Ctrl-C."""
    # in the background a shell has it ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    fork, numbers = subprocess._fork_exec, []

    def fork_and_interrupt(*arguments: object) -> int:
        numbers.append(fork(*arguments))
        signal.raise_signal(signal.SIGINT)
        return numbers[-1]

    monkeypatch.setattr(subprocess, "_fork_exec", fork_and_interrupt)
    yield numbers
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_right_after_the_fork_leaves_no_process(
    tmp_path: Path, interrupted_fork: list[int]
) -> None:
    """What was started then is recorded, so that it is stopped."""
    with pytest.raises(KeyboardInterrupt):
        processes.start("up", [sys.executable, "-c", SLEEP], {}, tmp_path / "log", tmp_path)

    assert processes.stop(processes.recorded(tmp_path), PATIENCE_SECONDS) == ["up"]
    assert len(interrupted_fork) == 1
    assert [number for number in interrupted_fork if _is_at_work(number)] == []


def _is_at_work(number: int) -> bool:
    return psutil.pid_exists(number) and is_alive(psutil.Process(number))


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


def test_the_log_of_the_start_before_is_kept(tmp_path: Path, start: Callable[..., Process]) -> None:
    """Whoever starts again after a crash can still read why."""
    for text in ("first", "second"):
        process = start("talker", f"print({text!r})")
        wait_until(lambda process=process: not process.is_alive())

    assert (tmp_path / "talker.log").read_text() == "second\n"
    assert (tmp_path / "talker.previous.log").read_text() == "first\n"
