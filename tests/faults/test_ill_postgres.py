"""A warehouse in trouble is a wait or a sentence, and the next try makes the tables complete."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import ill_postgres
import pytest
from psycopg2.sql import SQL, Literal
from warehouses import LOADING, MORNING, Warehouses, accounts
from world.processes import IngestProcess, Processes, disturbed, order
from world.truth import differences, held, kept, truth

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.problem import ProblemKind
from weixin_local import postgres

STATEMENTS = 25
"""A scheduled run of two accounts has at least these."""


def meet(engine: Processes, statement: int, trouble: AbstractContextManager[None]) -> str:
    """
    An ingest meets trouble at a statement: what it says.

    Airflow tries again, and then the tables are as if nothing had been.
    """
    made = order(engine.collector, MORNING)
    first = disturbed(made, statement, trouble)
    assert first.is_retryable, first
    second = IngestProcess(made).outcome()
    assert second.is_done, second.said
    assert_whole(engine)
    (said,) = {*first.said}
    return said


def assert_whole(engine: Processes) -> None:
    """Every day of both accounts is kept once, and the tables are what it says."""
    told = kept(engine.warehouse)
    assert len(told) == 2 * ARTICLE_TOTAL.window
    assert differences(held(engine.warehouse), truth([told])) == []


def test_a_stopped_server(durable_warehouses: Warehouses, stop_seed: int) -> None:
    """Stopped in whatever way at whatever statement: a problem of the warehouse, and no gap."""
    server = durable_warehouses.server
    trouble = ill_postgres.stopped(server, ill_postgres.STOPS[stop_seed % 3])
    with accounts(durable_warehouses, 2) as engine:
        said = meet(engine, Random(stop_seed).randint(1, STATEMENTS), trouble)

    assert said.startswith(ProblemKind.WAREHOUSE)


def test_used_up_connections(durable_warehouses: Warehouses) -> None:
    """Others have them all."""
    with accounts(durable_warehouses, 2) as engine:
        trouble = ill_postgres.no_connection_left(durable_warehouses.server)
        assert meet(engine, 1, trouble) == f"{ProblemKind.WAREHOUSE} 53300"


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk that the server may write to."""
    with TemporaryDirectory(prefix="weixin-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=755", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_the_tables_disk_is_full(durable_warehouses: Warehouses, disk: Path) -> None:
    """Without a byte left."""
    space = disk / "space"
    space.mkdir()
    if user := postgres.SERVER_USER:
        shutil.chown(space, user, user)
    durable_warehouses.execute(
        SQL("CREATE TABLESPACE small LOCATION {}").format(Literal(str(space)))
    )
    with accounts(durable_warehouses, 2, "small") as engine:
        said = meet(engine, LOADING, ill_postgres.full(disk))
        assert said == f"{ProblemKind.WAREHOUSE} 53100"
    durable_warehouses.execute(SQL("DROP TABLESPACE small"))


def test_what_an_ingest_lives_through(durable_warehouses: Warehouses, is_soak: bool) -> None:
    """
    In one ingest: a restart during the calls, a lock on the fact.

    What answers meanwhile is loaded over new connections, and whoever locks the fact, a minute say,
    is waited for: nobody need ask again.
    """
    with accounts(durable_warehouses, 2) as engine:
        made = order(engine.collector, MORNING)
        answer = engine.wire.on_data
        engine.wire.on_data = lambda asked: engine.wire.is_over.wait(0.3) or answer(asked)
        process = IngestProcess(made)
        while not engine.asked:
            process.wait(0.01)
        with ill_postgres.stopped(durable_warehouses.server, ill_postgres.stop_fast):
            pass
        engine.wire.on_data = answer
        with engine.warehouse.begin() as other:
            other.exec_driver_sql("LOCK TABLE weixin.fact_article_total IN ACCESS EXCLUSIVE MODE")
            while not other.exec_driver_sql(ill_postgres.WAITING).all():
                process.wait(0.02)
            process.wait(60 if is_soak else 0.2)
        outcome = process.outcome()

        assert outcome.is_done, outcome.said
        assert_whole(engine)


def test_a_lost_lock_session(warehouses: Warehouses) -> None:
    """An idle session that a firewall cuts off holds nothing up: the loads have their own."""
    with accounts(warehouses, 2) as engine:
        trouble = ill_postgres.ended_lock_sessions(engine.warehouse)
        outcome = disturbed(order(engine.collector, MORNING), LOADING, trouble)

        assert outcome.is_done, outcome.said
        assert_whole(engine)
