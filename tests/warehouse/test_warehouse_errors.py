"""Tests of `diagnose`, which decides whether a Postgres error is a problem of the warehouse."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from support import execute, new_user, rows

from weixin_etl import warehouse as warehouse_module
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
    "statement",
    [INDEX_TOO_LONG, "SELECT 1 / 0", "SELECT repeat('x', 2000000000)"],
    ids=["too long for an index", "wrong", "too large"],
)
def test_a_statement_that_postgres_refuses_is_no_problem_of_the_warehouse(
    warehouse: Engine, statement: str
):
    """The error neither asks for a start of Postgres nor is it retried."""
    with pytest.raises(DBAPIError) as caught:
        execute(warehouse, statement)

    assert diagnose(caught.value, warehouse) is None


def test_a_lock_that_is_never_released_is_a_locked_warehouse(warehouse: Engine):
    own = {"options": "-c lock_timeout=50ms"}
    impatient = warehouse_module.engine(warehouse.url.update_query_dict(own))
    with warehouse.begin() as holder:
        take_lock(holder, "incident:article_total")
        with pytest.raises(DBAPIError) as caught, impatient.begin() as waiting:
            take_lock(waiting, "incident:article_total")
    impatient.dispose()

    assert diagnose(caught.value, warehouse).kind is ProblemKind.WAREHOUSE_LOCKED


def test_the_error_of_a_user_without_grants_names_the_role(warehouse: Engine, reader: Engine):
    """The error asks for no migration and is no fault of the program."""
    with new_user(warehouse, "stranger") as stranger, pytest.raises(WarehouseError) as nothing:
        warehouse_module.require_migrated(stranger)
    with pytest.raises(DBAPIError) as caught:
        execute(reader, "DELETE FROM weixin.coverage")

    for error in (nothing.value, diagnose(caught.value, reader)):
        assert error.problem.cure.endswith("weixin_warehouse a member of the role weixin_loader")


def numbers(connection: Connection, lines: Iterator[bytes]) -> None:
    """Copy lines into a temporary table."""
    connection.exec_driver_sql("CREATE TEMP TABLE numbers (number integer)")
    copy(connection, "numbers (number)", lines)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours")])
def test_an_exception_during_a_copy_is_raised_unchanged(warehouse: Engine, error: BaseException):
    """The same holds for Airflow's timeout, which ends the task."""

    def lines() -> Iterator[bytes]:
        yield b"1\n"
        raise error

    with warehouse.connect() as connection, pytest.raises(type(error)):
        numbers(connection, lines())


def test_a_session_that_ends_during_a_copy_is_a_passing_problem_of_the_warehouse(warehouse: Engine):
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

    error = diagnose(caught.value, warehouse)
    assert error.kind.is_retried
    assert not error.kind.is_of_one_statement
