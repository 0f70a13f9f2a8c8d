"""What can befall a Postgres server while the pipeline works with it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from sqlalchemy import Engine

from weixin_local.postgres import Server

_STOP_SECONDS = 30


def stop_fast(server: Server) -> None:
    """Stop it as `pg_ctl stop` does: every session is told and ended."""
    server.stop()


def stop_immediately(server: Server) -> None:
    """Stop it without a checkpoint, as `pg_ctl stop --mode=immediate` does."""
    postmaster = _postmaster(server)
    postmaster.send_signal(signal.SIGQUIT)
    postmaster.wait(_STOP_SECONDS)


def crash(server: Server) -> None:
    """Kill the server and all its children, as the machine's power going does."""
    postmaster = _postmaster(server)
    children = postmaster.children()
    for process in (postmaster, *children):
        with suppress(psutil.NoSuchProcess):  # a child ends by itself when it misses the postmaster
            process.kill()
    psutil.wait_procs([postmaster, *children], timeout=_STOP_SECONDS)


STOPS: list[Callable[[Server], None]] = [stop_fast, stop_immediately, crash]


@contextmanager
def stopped(server: Server, stop: Callable[[Server], None]) -> Iterator[None]:
    """It is stopped, and started again afterwards."""
    stop(server)
    yield
    server.start()


def _postmaster(server: Server) -> psutil.Process:
    lock = server.directory / "data" / "postmaster.pid"
    return psutil.Process(int(lock.read_text().split(maxsplit=1)[0]))


@contextmanager
def no_connection_left(server: Server) -> Iterator[None]:
    """Others use all its connections."""
    others: list[Any] = []
    try:
        with suppress(psycopg2.OperationalError):
            while True:
                others.append(psycopg2.connect(server.libpq_url("postgres")))
        yield
    finally:
        for other in others:
            other.close()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """A disk has no byte left."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        with suppress(OSError):
            while True:
                os.write(descriptor, bytes(1 << 20))
        yield
    finally:
        os.close(descriptor)
        filler.unlink()


@contextmanager
def ended_lock_sessions(warehouse: Engine) -> Iterator[None]:
    """Every session that holds the locks of an ingest."""
    with warehouse.connect() as connection:
        ended = connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND query LIKE '%%writer_lock%%SKIP LOCKED'"
        ).all()
    assert ended
    yield


WAITING = """
    SELECT pid FROM pg_locks
    WHERE NOT granted AND pid IN (
        SELECT held.pid FROM pg_locks AS held
        INNER JOIN pg_database ON held.database = pg_database.oid
        WHERE datname = current_database()
    )
"""
"""The sessions of the warehouse that wait for a lock."""
TAKEN = """
    SELECT lock_name FROM weixin.writer_lock WHERE lock_name LIKE 'ingest:%%'
    EXCEPT
    SELECT * FROM (SELECT lock_name FROM weixin.writer_lock FOR UPDATE SKIP LOCKED) AS free
"""
"""The locks of ingests that some session has."""
