"""Tests of connections to the warehouse: URLs, TLS, timeouts, pooling and read-only sessions."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError
from support import cases, rows

from weixin_etl import warehouse as warehouse_module
from weixin_etl.orchestration.connections.warehouse import READER, reading
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import CONN_ID
from weixin_etl.warehouse.connection import require_tls
from weixin_local.home import postgres_connection

PASSWORD, QUOTED = "p@ss/w:rd%", "p%40ss%2Fw%3Ard%25"
SOCKET = "etl@/weixin?host=%2Frun%2Fpg&port=5433"


@pytest.mark.parametrize(
    ("described", "rendered"),
    [
        (("h", 5432, "etl", PASSWORD, {}), f"etl:{QUOTED}@h:5432/weixin"),
        (("h", None, "etl", None, {}), "etl@h/weixin"),
        (("/run/pg", 5433, "etl", None, {}), SOCKET),
        ((None, 5433, "etl", None, {"host": "/run/pg"}), SOCKET),
        (("", None, "etl", None, {"host": "/run/pg"}), "etl@/weixin?host=%2Frun%2Fpg"),
        (
            ("h", 5432, "etl", None, {"sslmode": "verify-full", "keepalives_idle": 30}),
            "etl@h:5432/weixin?keepalives_idle=30&sslmode=verify-full",
        ),
        (("h", 1, "etl", None, {"iam": False, "options": None, "a": {"a": 1}}), "etl@h:1/weixin"),
    ],
    ids=["TCP", "no port", "socket", "socket in extra", "no host", "libpq", "not libpq"],
)
def test_a_connection_is_a_url(described: tuple[Any, ...], rendered: str) -> None:
    """Extras of the connection that are texts or numbers become libpq parameters."""
    *server_and_login, extra = described
    url = warehouse_module.url(*server_and_login, "weixin", extra)

    assert url.render_as_string(hide_password=False) == f"postgresql+psycopg2://{rendered}"


@cases
def test_migrations_insist_on_tls(url: str, sslmode: str) -> None:
    """The connection's own `sslmode` and connections to the same machine are left unchanged."""
    given = make_url(f"postgresql://{url}")
    secured = require_tls(given)

    assert secured.query.get("sslmode") == (sslmode or None)
    assert secured.set(query={}) == given.set(query={})


@pytest.mark.parametrize("host", ["127.0.0.1", "no such host", "a%zz"])
def test_the_password_is_in_no_error_and_no_log(host: str) -> None:
    """No server listens on the host, or the host's name is invalid."""
    url = warehouse_module.url(host, 1, "etl", PASSWORD, "weixin", {})
    with pytest.raises(WarehouseError) as error:
        warehouse_module.migrate(url)

    printed = "".join(traceback.format_exception(error.value)) + repr(warehouse_module.engine(url))
    assert PASSWORD not in printed
    assert QUOTED not in printed
    assert warehouse_module.engine(url).hide_parameters


@pytest.mark.every_postgres
def test_every_session_has_timeouts(warehouse: Engine) -> None:
    """Airflow can't end a task that waits for Postgres. The URL's options change the defaults."""
    changed = {"options": "-c lock_timeout=5min", "keepalives_idle": "7"}
    names = ("lock_timeout", "statement_timeout", "timezone", "tcp_user_timeout")
    settings = []
    for url in (warehouse.url, warehouse.url.update_query_dict(changed)):
        engine = warehouse_module.engine(url)
        settings.append([rows(engine, f"SHOW {name}")[0][0] for name in names])
        with engine.connect() as connection:
            idle = connection.connection.driver_connection.get_dsn_parameters()["keepalives_idle"]
        settings[-1].append(idle)
        engine.dispose()

    limits = ["1h", "UTC", "120000"]
    assert settings == [["30min", *limits, "60"], ["5min", *limits, "7"]]


def test_a_task_keeps_two_of_the_connections_that_its_threads_opened(warehouse: Engine) -> None:
    """No thread waits for a connection. A server has a hundred for all tasks and Airflow."""
    threads = 6
    engine = warehouse_module.engine(warehouse.url.update_query_dict({"application_name": "these"}))
    together = Barrier(threads, timeout=30)

    def use(_: int) -> None:
        with engine.connect():
            together.wait()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(use, range(threads)))

    assert engine.pool.checkedin() == 2
    engine.dispose()


@pytest.fixture(params=[READER, CONN_ID])
def conn_id(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """Set the page's connection: weixin_reader or, without it, weixin_warehouse. Return its id."""
    conn_id: str = request.param
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", postgres_connection(warehouse.url))
    return conn_id


@pytest.mark.usefixtures("conn_id")
def test_a_reading_session_cannot_write_even_as_the_owner() -> None:
    """A slow statement is ended after ten seconds, because a person waits for the page (0021)."""
    with pytest.raises(WarehouseError, match="read-only transaction"), reading() as session:
        session.exec_driver_sql("DELETE FROM weixin.coverage")
    with reading() as session:
        assert session.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"


def test_the_error_of_a_lost_session_names_the_connection(conn_id: str) -> None:
    """A wrong statement of the program is not a problem of the warehouse."""
    with pytest.raises(WarehouseError) as gone, reading() as session:
        session.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DBAPIError, match="no_such_table"), reading() as session:
        session.exec_driver_sql("SELECT FROM no_such_table")

    assert conn_id in gone.value.problem.cure
