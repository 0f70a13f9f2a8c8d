"""A warehouse in trouble is a wait or a sentence, and the next try makes the tables complete."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import ill_postgres
import pytest
from ingest_processes import IngestProcess, disturbed
from psycopg2.sql import SQL, Literal
from trial import MORNING, STATEMENTS, Make, Warehouses

from weixin_local import postgres
from weixin_sandbox import Sandbox

LOADING = 9
"""A statement of the first commit."""


def test_a_stopped_server(
    durable_warehouses: Warehouses,
    meet_trouble: Callable[..., str],
    stop_seed: int,
):
    """Stopped in whatever way at whatever statement: a sentence, and after its start no gap."""
    server = durable_warehouses.server
    stop = ill_postgres.STOPS[stop_seed % 3]
    statement = Random(stop_seed).randint(1, STATEMENTS)
    with durable_warehouses.passing("stopped") as engine:
        said = meet_trouble(engine, statement, ill_postgres.stopped(server, stop))

    assert re.search("^warehouse: .* [(]the warehouse ", said, re.MULTILINE)
    assert "Background on this error" not in said


def test_used_up_connections(durable_warehouses: Warehouses, meet_trouble: Callable[..., str]):
    """The sentence says what to raise."""
    trouble = ill_postgres.no_connection_left(durable_warehouses.server)
    with durable_warehouses.passing("crowded") as engine:
        said = meet_trouble(engine, 1, trouble)

    assert "(the warehouse has no connection left: " in said
    assert "close sessions in Postgres, or raise its max_connections (" in said


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


def test_the_tables_disk_is_full(
    durable_warehouses: Warehouses, disk: Path, meet_trouble: Callable[..., str]
):
    """Without a byte left: the sentence says what to do."""
    space = disk / "space"
    space.mkdir()
    if user := postgres.server_user():
        shutil.chown(space, user, user)
    durable_warehouses.execute(
        SQL("CREATE TABLESPACE small LOCATION {}").format(Literal(str(space)))
    )
    with durable_warehouses.passing("full", tablespace="small") as engine:
        said = meet_trouble(engine, LOADING, ill_postgres.full(disk))
    durable_warehouses.execute(SQL("DROP TABLESPACE small"))

    assert "(the warehouse has no space left on its disk: " in said
    assert "free space on Postgres's disk (" in said


def test_what_an_ingest_lives_through(
    durable_warehouses: Warehouses,
    make: Make,
    sandbox: Sandbox,
    undisturbed: dict[str, list[str]],
    is_soak: bool,
):
    """
    In one ingest: a restart during the calls, a lock on the fact, an idle session cut off.

    What answers meanwhile is loaded over new connections, and whoever locks the fact, a minute say,
    is waited for: nobody need ask again.
    """
    with durable_warehouses.passing("lived_through") as engine:
        trial = make(engine)
        order = trial.plan("run", MORNING)
        asked = len(sandbox.calls)
        sandbox.latency_seconds = 0.3
        process = IngestProcess(order)
        while len(sandbox.calls) == asked:
            process.wait(0.01)
        with ill_postgres.stopped(durable_warehouses.server, ill_postgres.stop_fast):
            pass
        sandbox.latency_seconds = 0
        with engine.begin() as other:
            other.exec_driver_sql(
                f"LOCK TABLE weixin.{trial.dataset.fact} IN ACCESS EXCLUSIVE MODE"
            )
            while not other.exec_driver_sql(ill_postgres.WAITING).all():
                process.wait(0.02)
            process.wait(60 if is_soak else 0.2)
        outcome = process.outcome()

        assert outcome.is_done, outcome.said
        assert trial.contents() == undisturbed


def test_a_lost_lock_session(warehouses: Warehouses, make: Make, undisturbed: dict[str, list[str]]):
    """An idle session that a firewall cuts off holds nothing up: the loads have their own."""
    with warehouses.passing("lost") as engine:
        trial = make(engine)
        order = trial.plan("run", MORNING)

        outcome = disturbed(order, LOADING, ill_postgres.ended_lock_sessions(engine))

        assert outcome.is_done, outcome.said
        assert trial.contents() == undisturbed
