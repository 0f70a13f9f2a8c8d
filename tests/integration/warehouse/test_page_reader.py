"""What the page reads the warehouse with."""

import importlib
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.orchestration.connections.warehouse import READER, reading
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import CONN_ID, migrations
from weixin_local.home import postgres_connection

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""


@pytest.fixture(params=[READER, CONN_ID])
def conn_id(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """The connection that is there: weixin_reader, or weixin_warehouse where there is none."""
    conn_id: str = request.param
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", postgres_connection(warehouse.url))
    return conn_id


@pytest.mark.usefixtures("conn_id")
def test_the_session_cannot_write_whoever_its_user_is() -> None:
    """And a statement that is slow is ended: a person waits."""
    with pytest.raises(WarehouseError, match="read-only transaction"), reading() as session:
        session.exec_driver_sql("DELETE FROM weixin.coverage")
    with reading() as session:
        assert session.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"


def test_a_warehouse_that_lacks_migrations_is_said_before_anything_is_read(
    conn_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that a table of ours is missing."""
    of_next_release = [*migrations(), tmp_path / "0002_next.sql"]
    of_next_release[-1].touch()
    monkeypatch.setattr(the_migrations, "migrations", lambda: of_next_release)

    with pytest.raises(WarehouseError, match="lacks"), reading():
        pytest.fail("nothing can be read")


def test_a_server_that_goes_away_while_it_is_read_is_a_sentence(conn_id: str) -> None:
    """It names the connection that was used; a statement of ours that does not work is none."""
    with pytest.raises(WarehouseError) as gone, reading() as session:
        session.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DBAPIError, match="no_such_table"), reading() as session:
        session.exec_driver_sql("SELECT FROM no_such_table")

    assert f"the connection {conn_id}" in gone.value.problem.cure
