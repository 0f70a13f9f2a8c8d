"""
Connections to the warehouse.

`url` and `engine` turn the details of an Airflow connection into a SQLAlchemy engine. Its
transactions have the same settings, whatever defaults the server, the database or the role has.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_DRIVER = "postgresql+psycopg2"
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_SETTINGS = {
    "timezone": "UTC",
    # a load must see the rows of the load for which it waited
    "transaction_isolation": "read committed",
    # compiling the many expressions of a statement takes longer than the statement
    "jit": "off",
    # a transaction holds locks while the process calls WeChat
    "idle_in_transaction_session_timeout": "0",
    # Airflow's `execution_timeout` can't interrupt a wait for Postgres, but Postgres can
    "lock_timeout": "30min",
    "statement_timeout": "1h",
    # by default Postgres keeps the locks of a worker whose machine is lost for two hours
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    "tcp_user_timeout": "2min",
}
"""
The Postgres settings of each transaction, which end with it.

They are no settings of the session: a pooler such as PgBouncer gives each transaction another
session, and refuses connections that ask for settings of their own.
"""
_STRINGS = "standard_conforming_strings"
_OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=")
"""The name of a setting in libpq's `options`."""


def url(
    host: str | None,
    port: int | None,
    login: str | None,
    password: str | None,
    database: str | None,
    extra: dict[str, Any],
) -> URL:
    """
    Return the SQLAlchemy URL, with psycopg2 as its driver, of an Airflow connection to Postgres.

    The URL takes the extra's values as its query. A socket's directory stands there too, and so
    does the port if only the extra names a host. Nothing is checked or connected.

    Args:
        host: A host, or a path: the directory of a Unix socket.
        port: The port.
        login: The user.
        password: The user's password.
        database: The database.
        extra: Parameters of libpq. Values other than texts and integers are ignored, also booleans.
    """
    query = {name: str(value) for name, value in extra.items() if type(value) in (str, int)}
    if host and host.startswith("/"):
        query["host"], host = host, None
    if not host and "host" in query and port:
        query["port"], port = str(port), None
    return URL.create(_DRIVER, login, password, host, port, database, query)


def engine(
    warehouse_url: URL | str,
    settings: Mapping[str, str] | None = None,
    idle_connections: int = 2,  # sixteen tasks at once share the 100 connections of a server
) -> Engine:
    """
    Return an engine for the warehouse. It connects when it is first used.

    Its errors show no parameters of statements: a parameter may be a whole answer. A pooled
    connection is tested before its use, and the number of connections has no limit.

    Args:
        warehouse_url: The URL; its driver is replaced by psycopg2. Its libpq parameters take
            precedence over the defaults here, but not over the client encoding, UTF-8. A setting
            in its `options` replaces that of each transaction.
        settings: Postgres settings that replace, or are added to, those of each transaction.
        idle_connections: The number of connections that the pool keeps open.
    """
    given = make_url(warehouse_url).set(drivername=_DRIVER)
    connect_args = {
        "application_name": "weixin-etl",
        "connect_timeout": 10,
        # a connection without a sign of life for two minutes is closed, also behind a firewall
        **{"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6},
        "tcp_user_timeout": 120_000,
        **given.query,
        "client_encoding": "UTF8",  # the lines for COPY are sent as UTF-8
    }
    # with a limit, waiters for a lock could have all connections, and the lock's holder get none
    warehouse = sqlalchemy.create_engine(
        given,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=idle_connections,
        max_overflow=-1,
        connect_args=connect_args,
    )
    names_in_options = _OPTION.findall(str(given.query.get("options", "")))
    changed = {**_SETTINGS, **(settings or {})}
    _set_in_each_transaction(
        warehouse, {name: changed[name] for name in changed if name not in names_in_options}
    )
    event.listen(warehouse, "do_connect", _connect)
    return warehouse


def _set_in_each_transaction(warehouse: Engine, settings: Mapping[str, str]) -> None:
    """
    Let each transaction of the engine begin with the settings, by one more statement.

    From PostgreSQL 17 on it also has no `transaction_timeout`.
    """

    @event.listens_for(warehouse, "begin")
    def _begin(connection: Connection) -> None:
        has_timeout = (connection.dialect.server_version_info or (0,)) >= (17,)
        changed = {**settings, "transaction_timeout": "0"} if has_timeout else settings
        lines = (f"SET LOCAL {name} = '{value}'" for name, value in changed.items())
        connection.exec_driver_sql("; ".join(lines))


def _connect(
    dialect: Dialect, _: ConnectionPoolEntry, arguments: Sequence[str], parameters: dict[str, Any]
) -> Any:
    """
    Connect with standard-conforming strings, because statements contain backslashes.

    They are the default of Postgres. Where they are switched off, a second connection asks for
    them: psycopg2 looks at this setting only once.
    """
    connection = dialect.connect(*arguments, **parameters)
    if connection.get_parameter_status(_STRINGS) == "on":
        return connection
    connection.close()
    options = f"{parameters.get('options', '')} -c {_STRINGS}=on".strip()
    return dialect.connect(*arguments, **{**parameters, "options": options})


def require_tls(warehouse_url: URL | str) -> URL:
    """
    Return the URL with `sslmode=require`, unless it has an `sslmode` or leads to this machine.

    It leads to this machine if each host is a loopback address, `localhost` or a socket's
    directory, or if it names none. A `service` counts as another machine.
    """
    url = make_url(warehouse_url)
    places = [url.host, *map(url.query.get, ("host", "hostaddr", "service"))]
    hosts = [str(place) for place in places if place]
    if "sslmode" in url.query or all(host[0] == "/" or host in _THIS_MACHINE for host in hosts):
        return url
    return url.update_query_dict({"sslmode": "require"})


def analyse_grown(warehouse: Engine) -> None:
    """
    Analyse the tables that have grown, so that Postgres plans by their present size.

    Call the function `weixin.analyse_grown()` in a transaction of its own. Postgres itself analyses
    the tables too late. An error of the database is logged as a warning, and not raised.
    """
    try:
        with warehouse.begin() as connection:
            connection.execute(sqlalchemy.select(sqlalchemy.func.weixin.analyse_grown()))
    except DBAPIError as error:
        log.warning(
            "Postgres could not analyse the tables that have grown: %s", one_line(str(error.orig))
        )
