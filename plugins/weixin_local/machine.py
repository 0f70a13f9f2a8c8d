"""
Processes and messages of the local commands.

The programs that a command starts always end with the command, even if it is killed: a guard
process kills their sessions.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache

import psutil

from weixin_etl.problem import OperatorError

LOOPBACK = "127.0.0.1"

KILL_SECONDS = 10
"""The wait for killed processes; one that is still there after this time waits for a disk."""
POLL_SECONDS = 0.05

Process = subprocess.Popen[str]


class LocalError(OperatorError):
    """A problem of this machine and its cure, as one sentence to print."""


def say(text: str) -> None:
    """Print a line on stderr, because stdout may hold the output of a program."""
    sys.stderr.write(f"{text}\n")


def is_answering(port: int) -> bool:
    """Return whether a server on this machine accepts a connection at the port."""
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def interrupted_later() -> Iterator[None]:
    """
    Delay Ctrl-C, SIGTERM and SIGHUP until the block has ended. Signals that are ignored stay so.

    Raises:
        KeyboardInterrupt: a signal came during the block.
    """
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # child processes inherit an ignored signal, but not a handler
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt


@interrupted_later()
def start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    """
    Start a program in a session of its own, with no input, and return its process.

    The program's stdout and stderr together are the process's `stdout`, as text. The guard kills
    the session when this process ends, however it ends. Ctrl-C and termination signals wait until
    the program is started, and then raise KeyboardInterrupt.

    Raises:
        OSError: the program can't be started.
    """
    guard = _guard()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
        start_new_session=True,
    )
    print(process.pid, file=guard.stdin, flush=True)
    return process


@cache
def _guard() -> Process:
    """
    Return the guard, a process that is started on the first call.

    It reads the ids of sessions on its stdin. When this process ends, so does the guard's stdin:
    then it kills those sessions.
    """
    command = [sys.executable, "-m", __name__]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
    atexit.register(_dismiss, guard)
    return guard


def _dismiss(guard: Process) -> None:
    """Let the guard kill the remaining processes, and wait 20 seconds at most for its end."""
    with suppress(subprocess.TimeoutExpired):
        guard.communicate(timeout=2 * KILL_SECONDS)


@interrupted_later()
def end(processes: Sequence[Process], patience_seconds: float) -> None:
    """
    End the first program, then all others together, and kill the rest of their sessions.

    Each gets SIGTERM first. Ctrl-C and termination signals wait until all have ended, and then
    raise KeyboardInterrupt.

    Args:
        processes: the programs, started by `start`.
        patience_seconds: the time that each of the two steps may take before the kill.
    """
    for group in (processes[:1], processes[1:]):
        deadline = time.monotonic() + patience_seconds
        for process in group:
            process.terminate()
        for process in group:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
    kill_sessions({process.pid for process in processes})
    for process in processes:
        process.wait()


def kill_sessions(leaders: Container[int]) -> None:
    """
    Kill all processes of the sessions, given their leaders' ids, with SIGKILL.

    Wait for their ends for `KILL_SECONDS` at most. Processes that remain are not reported.
    """
    deadline = time.monotonic() + KILL_SECONDS
    while (members := _members(leaders)) and time.monotonic() < deadline:
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        time.sleep(POLL_SECONDS)


def _members(leaders: Container[int]) -> list[psutil.Process]:
    """Return the living processes of the sessions. Zombies are left out: they have ended."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            is_ours = os.getsid(process.pid) in leaders
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def at_the_terminal(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """
    Run a program in the foreground of the terminal, and return its exit code.

    The program alone receives Ctrl-C: this process ignores it from then on. The program gets
    SIGTERM if this process is killed or terminated.
    """
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        process.terminate()


if __name__ == "__main__":
    kill_sessions([int(leader) for leader in sys.stdin])
