"""What an error of Postgres says of the warehouse."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from support import execute, new_user, rows

from weixin_etl import warehouse as the_warehouse
from weixin_etl.load.stage import copy
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.warehouse import diagnose
from weixin_etl.warehouse.locks import take_lock

pytestmark = pytest.mark.every_postgres

INDEX_TOO_LONG = """
    CREATE TEMP TABLE keyed (text text PRIMARY KEY);
    INSERT INTO keyed SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n
"""


@pytest.mark.parametrize(
    "asked",
    [INDEX_TOO_LONG, "SELECT 1 / 0", "SELECT repeat('x', 2000000000)"],
    ids=["too long for an index", "wrong", "too large"],
)
def test_what_postgres_can_not_do_with_a_value_is_no_trouble(warehouse: Engine, asked: str):
    """Nobody is told to start Postgres, and no retry is promised to help."""
    with pytest.raises(DBAPIError) as caught:
        execute(warehouse, asked)

    assert diagnose(caught.value, warehouse) is None


def test_a_lock_that_is_never_released(warehouse: Engine):
    """The warehouse is locked: others' work goes on."""
    own = {"options": "-c lock_timeout=50ms"}
    impatient = the_warehouse.engine(warehouse.url.update_query_dict(own))
    with warehouse.begin() as holder:
        take_lock(holder, "incident:article_total")
        with pytest.raises(DBAPIError) as caught, impatient.begin() as waiting:
            take_lock(waiting, "incident:article_total")
    impatient.dispose()

    assert diagnose(caught.value, warehouse).kind is ProblemKind.WAREHOUSE_LOCKED


def test_a_user_without_grants_is_told_of_the_role(warehouse: Engine, reader: Engine):
    """Migrations would not help, so none are asked for; nor is it a fault of the program."""
    with new_user(warehouse, "stranger") as stranger, pytest.raises(WarehouseError) as nothing:
        the_warehouse.require_migrated(stranger)
    with pytest.raises(DBAPIError) as caught:
        execute(reader, "DELETE FROM weixin.coverage")

    for told in (nothing.value, diagnose(caught.value, reader)):
        assert told.problem.cure.endswith("weixin_warehouse a member of the role weixin_loader")


def numbers(connection: Connection, lines: Iterator[bytes]) -> None:
    """Copy lines into a table."""
    connection.exec_driver_sql("CREATE TEMP TABLE numbers (number integer)")
    copy(connection, "numbers", "number", lines)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours")])
def test_what_breaks_off_a_copy_is_told_as_it_is(warehouse: Engine, error: BaseException):
    """Airflow's timeout too: it ends the task, and Postgres is not blamed."""

    def lines() -> Iterator[bytes]:
        yield b"1\n"
        raise error

    with warehouse.connect() as connection, pytest.raises(type(error)):
        numbers(connection, lines())


def test_a_session_that_ends_in_mid_copy(warehouse: Engine):
    """It is the warehouse that is in trouble, and that passes."""
    with warehouse.connect() as connection:
        raw = connection.connection.driver_connection

        def lines() -> Iterator[bytes]:
            yield b"1\n" * (1 << 20)
            ends = f"SELECT pg_terminate_backend({raw.get_backend_pid()}, 5000)"
            assert rows(warehouse, ends) == [(True,)]
            yield b"2\n"

        with pytest.raises(psycopg2.Error) as caught:
            numbers(connection, lines())
        connection.invalidate()

    told = diagnose(caught.value, warehouse)
    assert told.kind.is_retried
    assert not told.kind.is_of_one_statement
