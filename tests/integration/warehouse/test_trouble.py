"""What an error of Postgres says of the warehouse, and how long the pipeline waits for it."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl import warehouse as the_warehouse
from weixin_etl.warehouse import trouble


def test_no_wait_is_without_end(warehouse: Engine):
    """Airflow can't end a task that waits for Postgres, so Postgres does, within the two hours."""
    with warehouse.connect() as connection:
        limits = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("lock_timeout", "statement_timeout")
        }
        parameters = connection.connection.driver_connection.get_dsn_parameters()

    assert limits == {"lock_timeout": "30min", "statement_timeout": "1h"}
    assert parameters["keepalives_idle"] == "60"
    assert parameters["tcp_user_timeout"] == "120000"


def test_a_lock_that_is_never_released(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """The sentence says so, and that others' work goes on."""
    monkeypatch.setitem(the_warehouse._SESSION, "lock_timeout", "50ms")
    impatient = the_warehouse.engine(warehouse.url)
    with warehouse.begin() as holder:
        holder.exec_driver_sql("LOCK TABLE weixin.dim_article")
        with pytest.raises(DBAPIError) as caught, impatient.begin() as waiting:
            waiting.exec_driver_sql("LOCK TABLE weixin.dim_article")
    impatient.dispose()

    told = trouble(caught.value, warehouse)
    assert told is not None
    assert str(told).startswith("the warehouse waited too long for a lock at postgresql+psycopg2:")
    assert told.is_of_one_statement


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

    assert trouble(caught.value, warehouse) is None
