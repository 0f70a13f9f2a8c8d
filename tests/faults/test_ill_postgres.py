"""Check that a fault of the warehouse delays an ingest or is a problem that a retry repairs."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg2
import pytest
from sqlalchemy import Engine
from support import TcpServer
from world.expected_tables import differences, expected_tables, held, kept
from world.pipeline import MORNING, Pipeline
from world.processes import LOADING, IngestProcess, disturbed, order, several

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.problem import ProblemKind
from weixin_local.postgres import SERVER_USER

Stop = Callable[[psutil.Process], None]


def assert_whole(engine: Pipeline) -> None:
    """Check that each day of both accounts is kept once, and that the tables follow from them."""
    answers = kept(engine.warehouse)
    assert len(answers) == 2 * ARTICLE_TOTAL.window
    assert differences(held(engine.warehouse), expected_tables([answers])) == []


def ingest_with_fault(
    warehouse: Engine, statement: int, trouble: AbstractContextManager[None]
) -> str:
    """
    Ingest with a fault at a statement, then again. Return the first ingest's problem.

    Airflow would retry in the same way. Afterwards the tables are as if there had been no fault.
    """
    with several(warehouse, 2) as engine:
        made = order(engine.collector, MORNING)
        first = disturbed(made, statement, trouble)
        assert first.is_retryable, first
        second = IngestProcess(made).outcome()
        assert second.is_done, second.problems
        assert_whole(engine)
    (problem,) = {*first.problems}
    return problem


# ---------------------------------------------------------------------------------- stopped


def crash(postmaster: psutil.Process) -> None:
    """Kill the server and all its children, as a power failure does."""
    children = postmaster.children()
    for process in (postmaster, *children):
        with suppress(psutil.NoSuchProcess):  # a child ends by itself when it misses the postmaster
            process.kill()
    psutil.wait_procs(children)


STOPS: list[Stop] = [
    lambda postmaster: postmaster.send_signal(signal.SIGINT),  # `pg_ctl stop`
    lambda postmaster: postmaster.send_signal(signal.SIGQUIT),  # `--mode=immediate`
    crash,
]


@contextmanager
def stopped(server: TcpServer, stop: Stop) -> Iterator[None]:
    """Stop the server for the block, and start it again."""
    lock = server.directory / "data" / "postmaster.pid"
    postmaster = psutil.Process(int(lock.read_text().split(maxsplit=1)[0]))
    stop(postmaster)
    postmaster.wait()
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize("stop", STOPS, ids=["fast", "immediate", "crash"])
def test_a_stopped_server_is_a_warehouse_problem_and_loses_nothing(
    durable: Engine, durable_server: TcpServer, stop: Stop, statement: int
) -> None:
    """Each way to stop it is tried at several statements."""
    problem = ingest_with_fault(durable, statement, stopped(durable_server, stop))

    assert problem.startswith(ProblemKind.WAREHOUSE)


WAITING = """
    SELECT pid FROM pg_locks WHERE NOT granted AND pid IN (
        SELECT pid FROM pg_stat_activity WHERE datname = current_database())
"""


def test_an_ingest_survives_a_restart_during_its_calls_and_a_locked_fact(
    durable: Engine, durable_server: TcpServer
) -> None:
    """
    The restart ends the session that holds the ingest's lock.

    The ingest loads over new connections and waits for the lock on the fact, so it needs no retry.
    """
    with several(durable, 2) as engine:
        answer, begun, locked = engine.wire.on_data, threading.Event(), threading.Event()
        engine.wire.on_data = lambda handler: begun.set() or (locked.wait() and answer(handler))
        process = IngestProcess(order(engine.collector, MORNING))
        while not begun.is_set():
            process.wait(0.01)
        with stopped(durable_server, STOPS[0]):
            pass
        durable.dispose()
        with durable.begin() as other:
            other.exec_driver_sql("LOCK TABLE weixin.fact_article_total IN ACCESS EXCLUSIVE MODE")
            locked.set()
            while not other.exec_driver_sql(WAITING).all():
                process.wait(0.02)
        outcome = process.outcome()

        assert outcome.is_done, outcome.problems
        assert_whole(engine)


# --------------------------------------------------------------------------------- used up


@contextmanager
def no_connection_left(server: TcpServer) -> Iterator[None]:
    """Use all connections of the server for the block."""
    connections: list[Any] = []
    try:
        with suppress(psycopg2.OperationalError):
            while True:
                connections.append(psycopg2.connect(server.libpq_url("postgres")))
        yield
    finally:
        for other in connections:
            other.close()


def test_used_up_connections_are_a_warehouse_problem(
    durable: Engine, durable_server: TcpServer
) -> None:
    trouble = no_connection_left(durable_server)

    assert ingest_with_fault(durable, 1, trouble) == f"{ProblemKind.WAREHOUSE} 53300"


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill the disk to the last byte for the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):
            pass
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def disk(durable: Engine) -> Iterator[Path]:
    """Yield a small disk on which the fact's rows are stored."""
    with TemporaryDirectory(prefix="weixin-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=755", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        space = Path(folder) / "space"
        space.mkdir()
        shutil.chown(space, SERVER_USER, SERVER_USER)
        execute = durable.execution_options(isolation_level="AUTOCOMMIT").connect()
        move = "ALTER TABLE weixin.fact_article_total SET TABLESPACE {}"
        execute.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{space}'")
        execute.exec_driver_sql(move.format("small"))
        try:
            yield Path(folder)
        finally:
            execute.exec_driver_sql(move.format("pg_default"))
            execute.exec_driver_sql("DROP TABLESPACE small")
            execute.close()
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_of_the_fact_is_a_warehouse_problem(durable: Engine, disk: Path) -> None:
    assert ingest_with_fault(durable, LOADING, full(disk)) == f"{ProblemKind.WAREHOUSE} 53100"
