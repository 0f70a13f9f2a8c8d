"""The way to the warehouse."""

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError

from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_DRIVER = "postgresql+psycopg2"
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_SESSION = {
    "timezone": "UTC",
    # whatever somebody has set for the role or the database: statements have backslashes, a load
    # must see what the one wrote that it waited for, a lock is held while WeChat is asked
    "standard_conforming_strings": "on",
    "default_transaction_isolation": r"read\ committed",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # Airflow's `execution_timeout` can't interrupt a wait for Postgres; Postgres itself can
    "lock_timeout": "30min",
    "statement_timeout": "1h",
    # the locks of a worker whose machine is lost: Postgres keeps them for two hours by itself
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    "tcp_user_timeout": "2min",
}
"""The settings of each session, in Postgres."""


def url(
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    database: str | None,
    extra: dict[str, Any],
) -> URL:
    """
    The SQLAlchemy URL of a Postgres connection as Airflow describes it.

    A host that is a path is the directory of a Unix socket; extras are libpq parameters.
    """
    query = {name: str(value) for name, value in extra.items() if type(value) in (str, int)}
    if host and host.startswith("/"):
        query["host"], host = host, None
    if not host and "host" in query and port:
        query["port"], port = str(port), None
    return URL.create(_DRIVER, login, password, host, port, database, query)


def engine(
    warehouse_url: URL | str,
    session: Mapping[str, str] | None = None,
    idle_connections: int = 2,  # sixteen tasks share a server's hundred
) -> Engine:
    """
    An engine whose errors show no values: a statement's values may be a whole answer.

    `session` holds settings beside the usual ones; those in the URL take precedence.
    """
    given = make_url(warehouse_url).set(drivername=_DRIVER)
    ours = {
        "application_name": "weixin-etl",
        "connect_timeout": 10,
        # a server that gives no sign of life for two minutes is lost, whatever a firewall says
        **{"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6},
        "tcp_user_timeout": 120_000,
        **given.query,
        "client_encoding": "UTF8",  # COPY is sent it
    }
    options = [f"-c {name}={value}" for name, value in {**_SESSION, **(session or {})}.items()]
    ours["options"] = " ".join([*options, str(given.query.get("options", ""))])
    # no limit to its connections but that of the threads: one that waits for another could hold it
    return sqlalchemy.create_engine(
        given,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=idle_connections,
        max_overflow=-1,
        connect_args=ours,
    )


def require_tls(warehouse_url: URL | str) -> URL:
    """With TLS for a server elsewhere, unless the URL says how."""
    url = make_url(warehouse_url)
    named = [url.host, *map(url.query.get, ("host", "hostaddr", "service"))]
    hosts = [str(it) for it in named if it]
    if "sslmode" in url.query or all(it[0] == "/" or it in _THIS_MACHINE for it in hosts):
        return url
    return url.update_query_dict({"sslmode": "require"})


def analyse_grown(warehouse: Engine) -> None:
    """Let Postgres learn what is in tables that have grown: it plans by that, and looks late."""
    try:
        with warehouse.begin() as connection:
            connection.execute(sqlalchemy.select(sqlalchemy.func.weixin.analyse_grown()))
    except DBAPIError as error:
        log.warning("tables that have grown are not analysed: %s", one_line(str(error.orig)))
