"""What the local commands take from this machine, and what they say."""

import fcntl
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weixin_etl.problem import OperatorError

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_768)
"""Below what the kernel hands out to clients."""


class LocalError(OperatorError):
    """What is wrong on this machine and what to do about it, as one sentence to print."""


def say(text: str) -> None:
    """Tell the person; not on standard output, which may be the answer of a program."""
    sys.stderr.write(f"{text}\n")


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Say what was done and how long it took; a block that raises says what happened itself."""
    began_at = time.monotonic()
    yield
    say(f"✓ {doing} ({time.monotonic() - began_at:.1f} s)")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time runs the block."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answers(port: int) -> bool:
    """Whether a server listens on the port."""
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


def choose_port() -> int:
    """A port on which no server listens."""
    while answers(port := random.choice(PORTS)):  # noqa: S311 -- a port is no secret
        pass
    return port
