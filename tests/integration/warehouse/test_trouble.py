"""What an error of Postgres says of the warehouse, and how long the pipeline waits for it."""

import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl import warehouse as the_warehouse
from weixin_etl.load.stage import copy
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.warehouse import connection as the_way
from weixin_etl.warehouse import diagnose
from weixin_etl.warehouse.locks import lock_incidents

pytestmark = pytest.mark.every_postgres


def test_no_wait_is_without_end(warehouse: Engine):
    """Airflow can't end a task that waits for Postgres, so Postgres does, within the two hours."""
    with warehouse.connect() as connection:
        limits = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "lock_timeout",
                "statement_timeout",
                "tcp_keepalives_idle",
                "tcp_user_timeout",
            )
        }
        parameters = connection.connection.driver_connection.get_dsn_parameters()

    assert limits == {
        "lock_timeout": "30min",
        "statement_timeout": "1h",
        "tcp_keepalives_idle": "60",  # 1 minute
        "tcp_user_timeout": "120000",
    }
    assert parameters["keepalives_idle"] == "60"
    assert parameters["tcp_user_timeout"] == "120000"


def test_a_lock_that_is_never_released(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """The sentence says that the warehouse is locked: others' work goes on."""
    monkeypatch.setitem(the_way._SESSION, "lock_timeout", "50ms")
    impatient = the_warehouse.engine(warehouse.url)
    with warehouse.begin() as holder:
        lock_incidents(holder, "article_total")
        with pytest.raises(DBAPIError) as caught, impatient.begin() as waiting:
            lock_incidents(waiting, "article_total")
    impatient.dispose()

    assert diagnose(caught.value, warehouse).kind is ProblemKind.WAREHOUSE_LOCKED


def test_a_session_that_waited_too_long_for_wechat(warehouse: Engine):
    """
    A platform's row is locked while WeChat is asked; Postgres frees it in the end.

    Some versions of libpq hide why the session ended; that it passes is told either way.
    """
    with warehouse.connect() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        time.sleep(0.5)
        with pytest.raises(DBAPIError) as caught:
            connection.exec_driver_sql("SELECT 1")

    told = diagnose(caught.value, warehouse)
    assert told is not None
    assert told.kind.is_retried


@pytest.mark.parametrize(
    "asked",
    [
        "CREATE TEMP TABLE keyed (text text PRIMARY KEY); "
        "INSERT INTO keyed SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n",
        "SELECT 1 / 0",
        "SELECT repeat('x', 2000000000)",
    ],
    ids=["too long for an index", "wrong", "too large"],
)
def test_what_postgres_can_not_do_with_a_value_is_no_trouble(warehouse: Engine, asked: str):
    """Nobody is told to start Postgres, and no retry is promised to help."""
    with pytest.raises(DBAPIError) as caught, warehouse.begin() as connection:
        connection.exec_driver_sql(asked)

    assert diagnose(caught.value, warehouse) is None


def test_what_the_connection_says_goes_before(warehouse: Engine):
    """Its own limits and libpq parameters, beside ours."""
    own = {"options": "-c lock_timeout=5min", "keepalives_idle": "7", "application_name": "mine"}
    engine = the_warehouse.engine(warehouse.url.update_query_dict(own))
    with engine.connect() as connection:
        names = ("lock_timeout", "statement_timeout", "timezone", "application_name")
        said = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
        idle = connection.connection.driver_connection.get_dsn_parameters()["keepalives_idle"]
    engine.dispose()

    assert (said, idle) == (["5min", "1h", "UTC", "mine"], "7")


def test_a_user_without_grants(warehouse: Engine):
    """Migrations would not help, so none are asked for."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    stranger = the_warehouse.engine(warehouse.url.set(username="stranger", password="stranger"))
    try:
        with pytest.raises(WarehouseError, match="a member of the role weixin_loader"):
            the_warehouse.require_migrated(stranger)
    finally:
        stranger.dispose()
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP ROLE stranger")


def test_a_user_who_may_only_read(reader: Engine):
    """What it may not do is a matter of its rights, and no fault of the program."""
    with reader.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.exec_driver_sql("DELETE FROM weixin.coverage")

    told = diagnose(caught.value, reader)
    assert told is not None
    assert told.problem.cure.endswith("weixin_warehouse a member of the role weixin_loader")
    assert "permission denied for table coverage" in told.problem.cause


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours")])
def test_what_breaks_off_a_copy_is_told_as_it_is(warehouse: Engine, error: BaseException):
    """Airflow's timeout too: it ends the task, and Postgres is not blamed."""

    def lines() -> Iterator[bytes]:
        yield b"1\n"
        raise error

    with warehouse.connect() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE numbers (number integer)")
        with pytest.raises(type(error)):
            copy(connection, "numbers", "number", lines())


@pytest.mark.parametrize(
    "called",
    [
        None,
        SystemError("<function decode> returned a result with an exception set"),
        ValueError("I/O operation on closed file"),
        psycopg2.DatabaseError("error with status PGRES_COPY_IN and no message from the libpq"),
        psycopg2.InterfaceError("connection already closed"),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_session_that_ends_in_mid_copy(warehouse: Engine, called: Exception | None):
    """It is the warehouse that is in trouble and that passes, whatever psycopg2 calls it."""

    class Cursor(cursor):
        def copy_expert(self, *args: Any) -> None:
            try:
                super().copy_expert(*args)
            except psycopg2.Error as error:
                raise called or error from None

    with warehouse.connect() as connection:
        raw = connection.connection.driver_connection
        raw.cursor_factory = Cursor
        connection.exec_driver_sql("CREATE TEMP TABLE numbers (number integer)")

        def lines() -> Iterator[bytes]:
            yield b"1\n" * (1 << 20)
            with warehouse.begin() as other:
                ends = f"SELECT pg_terminate_backend({raw.get_backend_pid()}, 5000)"
                assert other.exec_driver_sql(ends).scalar()
            yield b"2\n"

        with pytest.raises(psycopg2.Error) as caught:
            copy(connection, "numbers", "number", lines())
        connection.invalidate()

    told = diagnose(caught.value, warehouse)
    assert told is not None
    assert told.kind.is_retried
    assert not told.kind.is_of_one_statement
