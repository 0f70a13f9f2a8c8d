"""What the local commands say, and their programs, which end with them, whatever ends them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from weixin_etl.problem import OperatorError

LOOPBACK = "127.0.0.1"

_ENDING_WITH_STARTER = ("setpriv", "--pdeathsig", "TERM", "--")
"""
Has the kernel send SIGTERM when the starter ends, even by a kill that it can't notice.

A `preexec_fn` could do it, but then Python runs hooks at the fork, and a Ctrl-C in one is lost.
"""

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
    """
    Start a program in a session of its own; what it says is its `stdout`.

    It holds the end that is read as well: what it says while it ends after us breaks no pipe.
    """
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [*_ENDING_WITH_STARTER, *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=write_end,
        stderr=subprocess.STDOUT,
        pass_fds=[read_end],
        text=True,
        start_new_session=True,
    )
    os.close(write_end)
    process.stdout = os.fdopen(read_end, errors="replace")
    return process


def end(processes: Sequence[Process], patience_seconds: float) -> None:
    """End one after the other; what is left of their sessions after a while is killed."""
    for process in processes:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_seconds)
    for member in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(member.pid) in {process.pid for process in processes}:
                member.kill()
    for process in processes:
        process.wait()


def at_the_terminal(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program to its end, with the terminal and its Ctrl-C; its exit code."""
    process = subprocess.Popen([*_ENDING_WITH_STARTER, *command], env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        process.terminate()
