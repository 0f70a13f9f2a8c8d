"""What the page reads the warehouse with."""

import importlib
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.orchestration.connections import warehouse as of_airflow
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.warehouse import CONN_ID, migrations
from weixin_local.environment import postgres_connection

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""


@pytest.mark.parametrize("conn_id", [of_airflow.READER, CONN_ID])
def test_the_session_cannot_write_whoever_its_user_is(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    """By weixin_reader, and by weixin_warehouse where there is none."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", postgres_connection(warehouse.url))

    reading = of_airflow.open_reader()
    with reading.connect() as session, pytest.raises(DBAPIError, match="read-only transaction"):
        session.exec_driver_sql("DELETE FROM weixin.coverage")
    with reading.connect() as session:
        timeout = session.exec_driver_sql("SHOW statement_timeout").scalar()
    reading.dispose()

    assert of_airflow.reads_as() == conn_id
    assert timeout == "10s"


def test_what_is_wrong_names_the_connection_that_was_used(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Correcting the other one would not help, and who only reads needs no right to write."""
    for conn_id in (CONN_ID, of_airflow.READER):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", postgres_connection(warehouse.url))

    said = of_airflow.of_reader(WarehouseError(ProblemKind.WAREHOUSE, code="42501"))

    assert said.problem.cure == (
        "make the user of the connection weixin_reader a member of the role weixin_reader"
    )


def test_a_warehouse_that_lacks_migrations_is_said_before_anything_is_read(
    warehouse: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that a table of ours is missing."""
    of_next_release = [*migrations(), tmp_path / "0002_next.sql"]
    of_next_release[-1].touch()
    monkeypatch.setattr(the_migrations, "migrations", lambda: of_next_release)

    with pytest.raises(WarehouseError, match="lacks"), of_airflow.reading(warehouse):
        pytest.fail("nothing can be read")


def test_a_server_that_goes_away_while_it_is_read_is_a_sentence(warehouse: Engine) -> None:
    """And a statement of ours that does not work is none."""
    with (
        pytest.raises(WarehouseError, match="the warehouse"),
        of_airflow.reading(warehouse) as session,
    ):
        session.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DBAPIError, match="no_such_table"), of_airflow.reading(warehouse) as session:
        session.exec_driver_sql("SELECT FROM no_such_table")
