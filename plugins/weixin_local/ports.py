"""TCP ports of this machine's loopback."""

import random
import socket
import time

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_768)
"""Below what the kernel hands out to clients, so that a kept port is rarely taken by one."""


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


def answers(port: int) -> bool:
    """Whether a server listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose() -> int:
    """A free port."""
    while not is_free(port := random.choice(CANDIDATES)):  # noqa: S311 -- a port is no secret
        pass
    return port
