"""What the local commands say, and their programs, which end with them, whatever ends them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain

import psutil

from weixin_etl.problem import OperatorError

LOOPBACK = "127.0.0.1"

Process = subprocess.Popen[str]


class LocalError(OperatorError):
    """What is wrong on this machine and what to do about it, as one sentence to print."""


def say(text: str) -> None:
    """Tell the person; not on standard output, which may be the answer of a program."""
    sys.stderr.write(f"{text}\n")


def answers(port: int) -> bool:
    """Whether a server listens on the port."""
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


def start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Start a program in a session of its own; what it says is its `stdout`."""
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
    """It outlives us, reads which sessions are ours, and kills them once we are gone."""
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)


def end(processes: Sequence[Process], patience_seconds: float) -> None:
    """End one after the other; what is left of their sessions after a while is killed."""
    for process in processes:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_seconds)
    kill_sessions({process.pid for process in processes})
    for process in processes:
        process.wait()


def kill_sessions(leaders: Container[int]) -> None:
    """Kill all processes of the sessions, also those that are forked meanwhile."""
    for member in chain.from_iterable(psutil.process_iter() for _ in range(3)):
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(member.pid) in leaders:
                member.kill()


def at_the_terminal(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program to its end, with the terminal and its Ctrl-C; its exit code."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        process.terminate()


if __name__ == "__main__":
    kill_sessions([int(leader) for leader in sys.stdin])
