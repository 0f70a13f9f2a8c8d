"""The migrations under sql/migrations, each applied once; then the views."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
import sqlalchemy
from psycopg2.errors import (
    DuplicateObject,
    DuplicateTable,
    InsufficientPrivilege,
    UniqueViolation,
)
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError

from weixin_etl.text import few_names
from weixin_etl.warehouse.connection import engine
from weixin_etl.warehouse.errors import CONN_ID, WarehouseError, diagnose
from weixin_etl.warehouse.locks import lock_changes
from weixin_etl.warehouse.statements import source, sql_directory, statement
from weixin_etl.warehouse.views import all_views, execute, update_views

ROLES = ("weixin_loader", "weixin_reader")
"""What roles.sql creates and grants to, where it may."""


_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_VERSION = "schema_migrations.version"
_APPLIED = "SELECT version FROM weixin.schema_migrations"
_APPLY = "INSERT INTO weixin.schema_migrations (version) VALUES (:version)"


def migrations() -> list[Path]:
    """The migration files, oldest first."""
    return sorted((sql_directory() / "migrations").glob("*.sql"))


def migrate(warehouse_url: URL | str) -> str:
    """
    Apply the migrations that are missing, and bring the views up to date.

    Any number of processes may do so at once.

    Returns:
        What was done; nothing when there was nothing to do.

    Raises:
        WarehouseError: it could not.
    """
    # an index on a large fact may take longer than any statement of a run
    warehouse = engine(_requiring_tls(make_url(warehouse_url)), {"statement_timeout": "0"})
    try:
        said = apply_migrations(warehouse)
        if said or missing_roles(warehouse_url):
            with _told("roles.sql: "), warehouse.begin() as connection:
                lock_changes(connection, "schema_migrations")
                execute(connection, source("roles.sql"))
        return "\n".join([*said, *update_views(warehouse, all_views())])
    finally:
        warehouse.dispose()


def missing_roles(warehouse_url: URL | str) -> list[str]:
    """The roles that were granted nothing, as who migrated the warehouse may not create them."""
    granted_sql = "SELECT rolname FROM pg_roles WHERE has_schema_privilege(oid, 'weixin', 'USAGE')"
    warehouse = engine(warehouse_url)
    with warehouse.connect() as connection:
        granted = set(connection.exec_driver_sql(granted_sql).scalars())
    warehouse.dispose()
    return [role for role in ROLES if role not in granted]


def ask_for_roles(missing: Sequence[str]) -> str:
    """What to do where the roles could not be created."""
    return (
        f"The roles {' and '.join(missing)} don't exist, and you may not create them: let an "
        "administrator do so, then run `weixin-etl migrate` again."
    )


def apply_migrations(warehouse: Engine) -> list[str]:
    """
    Apply the migrations that are missing, each in a transaction of its own, but no views.

    Returns:
        What was done, in sentences; without what another process has done meanwhile.

    Raises:
        WarehouseError: one could not be applied; it has changed nothing, those before it stay.
    """
    with _told():
        applied = _applied(warehouse)
        if not applied:
            _create_list(warehouse)
    missing = [path for path in migrations() if _version(path) not in applied]
    said = []
    for path in missing:
        with _told(f"{path.name}: "), warehouse.begin() as connection:
            lock_changes(connection, "schema_migrations")
            if _version(path) not in connection.scalars(sqlalchemy.text(_APPLIED)).all():
                execute(connection, _text(path))
                connection.execute(sqlalchemy.text(_APPLY), {"version": _version(path)})
                said.append(f"Applied: {path.name}")
    return said


def _create_list(warehouse: Engine) -> None:
    """The table of the applied migrations, unless another process creates it at this moment."""
    # IF NOT EXISTS does not see what is not committed: it waits for that, and then fails
    with (
        suppress(UniqueViolation, DuplicateTable, DuplicateObject),
        warehouse.begin() as connection,
    ):
        execute(connection, source("schema_migrations/create.sql"))


@contextmanager
def _told(doing: str = "") -> Iterator[None]:
    """A database's error becomes a sentence."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise WarehouseError(
            f"the warehouse could not be migrated: {doing}{said}",
            "correct that, then run `weixin-etl migrate` again",
        ) from None


def require_migrated(warehouse: Engine) -> None:
    """
    Make sure that the warehouse answers and holds every migration.

    The analysts' views are not looked at: a load needs none of them, and an old one stops no run.

    Raises:
        WarehouseError: it does not.
    """
    try:
        applied = _applied(warehouse)
    except DBAPIError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise WarehouseError(
                f"the user of the connection {CONN_ID} may not read the schema weixin",
                "make that user a member of the role weixin_loader",
            ) from None
        raise diagnose(error, warehouse) or error from None
    missing = [path.stem for path in migrations() if _version(path) not in applied]
    if missing:
        raise WarehouseError(
            f"the warehouse lacks the migrations {', '.join(missing)}", "run `weixin-etl migrate`"
        )


def _applied(warehouse: Engine) -> set[str]:
    """
    The versions of the migrations that the warehouse has; those of a later release are among them.

    Raises:
        WarehouseError: it is none of ours, so that nothing may be migrated or loaded.
    """
    # of one instant: others may be migrating
    in_one_look = warehouse.execution_options(isolation_level="REPEATABLE READ")
    with in_one_look.connect() as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        columns = list(connection.scalars(statement("schema_migrations/columns.sql")))
        applied: set[str] = set()
        if _VERSION in columns:
            applied = set(connection.scalars(sqlalchemy.text(_APPLIED)))
    database = warehouse.url.database
    if encoding != "UTF8":
        raise WarehouseError(
            f"the database {database} has the encoding {encoding}, but texts are UTF-8",
            f"create a database with ENCODING 'UTF8' and point the connection {CONN_ID} at it",
            CONN_ID,
        )
    ours = {_version(path): path for path in migrations()}
    if (applied or set(columns) - {_VERSION}) and min(ours) not in applied:
        tables = few_names(list(dict.fromkeys(it.partition(".")[0] for it in columns)))
        raise WarehouseError(
            f"the schema weixin of the database {database} holds tables of others: {tables}",
            f"point the connection {CONN_ID} at another database",
            CONN_ID,
        )
    others = [f"migration {it}" for it in sorted(applied - ours.keys()) if it < max(ours)]
    made = [it for version in sorted(applied & ours.keys()) for it in _columns_of(ours[version])]
    if odd := [*others, *(f"no {it}" for it in made if it not in columns)]:
        raise WarehouseError(
            f"the warehouse is older than 0.1.0, or was changed by hand: {few_names(odd)}",
            f"restore a backup, or point the connection {CONN_ID} at an empty database and "
            "backfill it",
            CONN_ID,
        )
    return applied


def _version(migration: Path) -> str:
    return migration.stem.split("_")[0]


def _columns_of(migration: Path) -> list[str]:
    """The columns that a migration makes and names: not a fact's, which a release may add to."""
    text = migration.read_text()
    return re.findall(r"^COMMENT ON COLUMN weixin\.(\w+\.\w+)", text, re.MULTILINE)


def _text(migration: Path) -> str:
    """What Postgres gets: a migration declares the facts as `datasets.py` does."""
    return source(f"migrations/{migration.name}")


def _requiring_tls(warehouse_url: URL) -> URL:
    """With TLS for a server elsewhere, as the owner's session goes there; else as the URL says."""
    query = warehouse_url.query
    hosts = [str(it) for it in (warehouse_url.host, query.get("host"), query.get("hostaddr")) if it]
    is_local = all(it.startswith("/") or it in _THIS_MACHINE for it in hosts)
    if (is_local and "service" not in query) or "sslmode" in query:
        return warehouse_url
    return warehouse_url.update_query_dict({"sslmode": "require"})
