"""What the local stack takes from this machine, and the error that says what is wrong with it."""

import fcntl
import os
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from weixin_etl.problem import OperatorError

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_768)
"""Below what the kernel hands out to clients, so that a kept port is rarely taken by one."""


class LocalError(OperatorError):
    """What is wrong on this machine and what to do about it, as one sentence to print."""


@contextmanager
def locked(path: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """One process at a time runs the block; it `waits` when another holds the lock of this path."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_private(path: Path, text: str, owner: str | None = None) -> None:
    """Write the file whole or not at all, readable by its owner (None: the caller) alone."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    unfinished.unlink(missing_ok=True)
    made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as file:
        file.write(text)
        if owner:
            shutil.chown(made, owner, owner)
    unfinished.replace(path)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def becomes_free(port: int, patience_seconds: float) -> bool:
    """Whether a server could listen on the port soon."""
    deadline = time.monotonic() + patience_seconds
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return free


def choose_port() -> int:
    """A free port."""
    while not is_free(port := random.choice(PORTS)):  # noqa: S311 -- a port is no secret
        pass
    return port


def answers(port: int) -> bool:
    """Whether a server listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
