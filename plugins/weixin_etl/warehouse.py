"""The way to the warehouse: its connection, its statements (files under sql/), its migrations."""

import os
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import psycopg2
import sqlalchemy
from psycopg2.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy import URL, Engine, TextClause, make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError

from weixin_etl.datasets import Dataset
from weixin_etl.loopback import is_loopback

CONN_ID = "weixin_warehouse"
ROLES = ("weixin_loader", "weixin_reader")
"""What the last migration creates and grants to, where it may."""
_DRIVER = "postgresql+psycopg2"
_CONNECT_SECONDS = 10
_SESSION = {"timezone": "UTC", "lock_timeout": "30min", "statement_timeout": "1h"}
"""Airflow's `execution_timeout` can't interrupt a wait for Postgres; Postgres itself can."""
_LOST_SERVER = {
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
"""After two minutes without a sign of life, a server is gone, whatever a firewall says of it."""
_TROUBLE_ERRORS = (psycopg2.OperationalError, psycopg2.InterfaceError, ReadOnlySqlTransaction)


class WarehouseError(Exception):
    """The warehouse can't be used. `str()` says why and what to do."""

    is_retryable = False


class WarehouseTroubleError(WarehouseError):
    """The warehouse does not answer, or can't do its work now; that may pass."""

    is_retryable = True
    is_of_one_statement = False
    """Whether the warehouse goes on doing others' work."""


_Matter = tuple[str, str]
"""What is the matter with the warehouse, and what to do."""
_OF_ONE_STATEMENT = ("40", "55P03", "57014")
_UNREACHABLE = ("does not answer", f"is Postgres running, and is the connection {CONN_ID} right?")
_NO_CONNECTION_LEFT = ("has no connection left", "close some, or raise its max_connections")
_BY_SQLSTATE: dict[str, _Matter] = {
    "08": _UNREACHABLE,
    "25006": ("takes no changes", f"let the connection {CONN_ID} lead to the primary"),
    "40": ("gave way to another transaction", "nothing need be done unless it lasts"),
    "53100": ("has no space left on its disk", "make some"),
    "53300": _NO_CONNECTION_LEFT,
    "53": ("is short of memory or another resource", "its log says of which"),
    "55P03": ("waited too long for a lock", "pg_stat_activity shows who holds it"),
    "57014": ("cancelled a statement", "it took longer than it may, or somebody cancelled it"),
    "58": ("can't read or write its files", "its log says which"),
    "57P": ("was stopped or ended the session", "start Postgres if it does not run"),
}
"""By SQLSTATE or its beginning, the longer ones first."""
_SAYS_NO_CONNECTION_LEFT = ("too many clients", "connection slots", "too many connections")
"""In refused connections, which come without a SQLSTATE."""


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

    A host that is a path, or an extra `host`, is the directory of a Unix socket. Other extras that
    are texts or numbers are libpq parameters (`sslmode`, …).
    """
    query = {name: str(value) for name, value in extra.items() if type(value) in (str, int)}
    if host and host.startswith("/"):
        query["host"], host = host, None
    if not host and "host" in query and port:
        query["port"], port = str(port), None
    return URL.create(_DRIVER, login, password, host, port, database, query)


def engine(warehouse_url: URL | str) -> Engine:
    """
    An engine whose errors show no values: a statement's values may be a whole answer.

    A session thinks in UTC. It gives up connecting after ten seconds, waiting for a lock after
    half an hour, any statement after an hour, and a server that gives no sign after two minutes.
    What the URL says of these goes before.
    """
    given = make_url(warehouse_url).set(drivername=_DRIVER)
    ours = {
        "application_name": "weixin-etl",
        "connect_timeout": _CONNECT_SECONDS,
        **_LOST_SERVER,
        **given.query,
    }
    options = [f"-c {name}={value}" for name, value in _SESSION.items()]
    ours["options"] = " ".join([*options, str(given.query.get("options", ""))])
    return sqlalchemy.create_engine(
        given, hide_parameters=True, pool_pre_ping=True, connect_args=ours
    )


def from_airflow() -> Engine:
    """
    The engine of the Airflow connection `weixin_warehouse`.

    Raises:
        WarehouseError: there is no such connection.

    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        raise WarehouseError(
            f"there is no Airflow connection {CONN_ID}; create it with type postgres"
        ) from None
    return engine(
        url(
            connection.host,
            connection.port,
            connection.login,
            connection.password,
            connection.schema,
            connection.extra_dejson,
        )
    )


def sql_directory() -> Path:
    """The statements: inside the package of an installed wheel, at the top of a checkout."""
    packaged = Path(__file__).parent / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "sql"


@cache
def statement(path: str, dataset: Dataset | None = None) -> TextClause:
    """
    The statement in `sql/<path>`, its inputs as named binds.

    A statement that serves every fact is a Jinja template; the dataset's declaration fills in the
    fact's name and the metrics' columns, and nothing else ever fills in an identifier.
    """
    return sqlalchemy.text(source(path, dataset))


@cache
def source(path: str, dataset: Dataset | None = None) -> str:
    """The text of `sql/<path>` for the dataset."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(sql_directory()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 # SQL, from files of the package
    )
    return templates.get_template(path).render(_declared(dataset) if dataset else {})


def _declared(dataset: Dataset) -> dict[str, Any]:
    return {
        "fact": dataset.fact,
        "metrics": [metric.name for metric in dataset.metrics],
        "figures": [metric.name for metric in dataset.figures],
        "totals": [metric.name for metric in dataset.totals],
        "window": dataset.window,
    }


def migrations() -> list[Path]:
    """The migration files, oldest first."""
    return sorted((sql_directory() / "migrations").glob("*.sql"))


def migrate(warehouse_url: URL | str) -> str:
    """
    Apply the migrations that are missing; any number of processes may do so at once.

    Returns:
        What dbmate said.

    Raises:
        WarehouseError: it could not.

    """
    return dbmate(warehouse_url, "migrate")


def missing_roles(warehouse_url: URL | str) -> list[str]:
    """The roles that were granted nothing, as who migrated the warehouse may not create them."""
    granted_sql = "SELECT rolname FROM pg_roles WHERE has_schema_privilege(oid, 'weixin', 'USAGE')"
    warehouse = engine(warehouse_url)
    with warehouse.connect() as connection:
        granted = set(connection.exec_driver_sql(granted_sql).scalars())
    warehouse.dispose()
    return [role for role in ROLES if role not in granted]


def dbmate(warehouse_url: URL | str, *command: str) -> str:
    """Run a dbmate command on the warehouse; see `migrate`."""
    program = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
    if program is None:
        raise WarehouseError("dbmate is not installed; run `make setup`")
    finished = subprocess.run(
        [
            program,
            "--env-file=/dev/null",
            "--no-dump-schema",
            "--migration-lock",
            f"--migrations-dir={sql_directory() / 'migrations'}",
            "--migrations-table=weixin.schema_migrations",
            *command,
        ],
        env={**os.environ, "DATABASE_URL": _dbmate_url(make_url(warehouse_url))},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        said = (finished.stderr or finished.stdout).strip().removeprefix("Error: ")
        raise WarehouseError(f"the warehouse could not be migrated: {said}")
    return finished.stdout.strip()


def require_migrated(warehouse: Engine) -> None:
    """
    Make sure that the warehouse answers and holds every migration.

    Raises:
        WarehouseError: it does not.

    """
    applied_sql = sqlalchemy.text("SELECT version FROM weixin.schema_migrations")
    try:
        with warehouse.connect() as connection:
            applied = set(connection.scalars(applied_sql))
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise WarehouseError(
                f"the user of the connection {CONN_ID} may not read the schema weixin; "
                "make it a member of weixin_loader"
            ) from None
        applied = set()
    except DBAPIError as error:
        raise trouble(error, warehouse) or error from None
    missing = [path.stem for path in migrations() if path.stem.split("_")[0] not in applied]
    if missing:
        raise WarehouseError(
            f"the warehouse lacks the migrations {', '.join(missing)}; run `weixin-etl migrate`"
        )


def trouble(error: Exception, warehouse: Engine) -> WarehouseTroubleError | None:
    """What an error says of the warehouse's state; None when it says nothing of it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, _TROUBLE_ERRORS):
        return None
    diagnosed = cause.diag.message_primary if isinstance(cause, psycopg2.OperationalError) else None
    said = diagnosed or " ".join(str(cause).split())
    matter = _matter(cause, said)
    if matter is None:
        return None
    place = warehouse.url.render_as_string(hide_password=True)
    happened, advice = matter
    passing = WarehouseTroubleError(f"the warehouse {happened} at {place}; {advice} ({said})")
    passing.is_of_one_statement = (cause.pgcode or "").startswith(_OF_ONE_STATEMENT)
    return passing


def _matter(cause: psycopg2.Error, said: str) -> _Matter | None:
    """None when it is no matter of the warehouse's state but of what it was asked."""
    for beginning, matter in _BY_SQLSTATE.items():
        if (cause.pgcode or "").startswith(beginning):
            return matter
    if cause.pgcode:
        return None
    if any(words in said for words in _SAYS_NO_CONNECTION_LEFT):
        return _NO_CONNECTION_LEFT
    return _UNREACHABLE


def _dbmate_url(warehouse_url: URL) -> str:
    """
    As dbmate (Go's lib/pq) wants it.

    lib/pq insists on TLS unless told otherwise, which a server on the same machine seldom speaks.
    """
    query = dict(warehouse_url.query)
    host = warehouse_url.host or query.get("host")
    is_local = not host or str(host).startswith("/") or is_loopback(str(host))
    query.setdefault("sslmode", "disable" if is_local else "require")
    return warehouse_url.set(drivername="postgres", query=query).render_as_string(
        hide_password=False
    )
