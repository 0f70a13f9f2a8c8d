"""A disk without a byte left is a sentence; with room again the tables become complete."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import ill_postgres
import psycopg2
import pytest
from pipeline import MORNING, Make, Warehouses, disturbed, ingest
from psycopg2.sql import SQL, Literal

from weixin_local import postgres
from weixin_local.postgres import Server

LOADING = 5
"""A statement of the first account's load."""


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
    durable_warehouses: Warehouses, disk: Path, make: Make, undisturbed: dict[str, list[str]]
):
    """The sentence says what to do, and nothing of the load that met it stays."""
    space = disk / "space"
    space.mkdir()
    user = postgres.server_user()
    if user:
        shutil.chown(space, user, user)
    durable_warehouses.execute(
        SQL("CREATE TABLESPACE small LOCATION {}").format(Literal(str(space)))
    )
    with durable_warehouses.passing("full", tablespace="small") as engine:
        pipeline = make(engine)
        order = pipeline.plan("full", MORNING)

        first = disturbed(order, LOADING, ill_postgres.full(disk))
        assert "the warehouse has no space left on its disk at postgresql+psycopg2://" in first.said
        assert "; make some (" in first.said
        assert first.is_retryable
        second = ingest(replace(order, is_retry=True))

        assert second.is_done, second.said
        assert pipeline.contents() == undisturbed
    durable_warehouses.execute(SQL("DROP TABLESPACE small"))


@pytest.mark.soak
def test_the_whole_servers_disk_is_full(disk: Path, make: Make, undisturbed: dict[str, list[str]]):
    """Without room for its log the server goes down; started with room, it has lost nothing."""
    server = Server(disk / "server", settings={"wal_recycle": "off", "max_wal_size": "32MB"})
    server.start()
    try:
        pipeline = make(Warehouses.on(server).copy("full"))
        order = pipeline.plan("full", MORNING)

        first = disturbed(order, LOADING, without_room_for_its_log(server, disk))
        assert first.said.startswith("IngestError: the warehouse ")
        assert first.is_retryable
        server.start()
        second = ingest(replace(order, is_retry=True))

        assert second.is_done, second.said
        assert pipeline.contents() == undisturbed
    finally:
        server.stop()


@contextmanager
def without_room_for_its_log(server: Server, disk: Path) -> Iterator[None]:
    """Its disk is full, and it needs a new file for its log."""
    connection = psycopg2.connect(server.libpq_url("postgres"))
    connection.autocommit = True
    with ill_postgres.full(disk):
        try:
            for _ in range(20):
                connection.cursor().execute(
                    "SELECT pg_switch_wal(), pg_logical_emit_message(false, 'x', 'x')"
                )
        except psycopg2.OperationalError:
            yield
        else:
            pytest.fail("the server found room for its log")
