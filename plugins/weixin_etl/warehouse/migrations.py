"""The migrations under sql/migrations, applied by dbmate; then the views."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError

from weixin_etl.loopback import is_loopback
from weixin_etl.warehouse.connection import engine
from weixin_etl.warehouse.errors import CONN_ID, WarehouseError, trouble
from weixin_etl.warehouse.statements import sql_directory
from weixin_etl.warehouse.views import all_views, refuse_if_depended_on, update_views

ROLES = ("weixin_loader", "weixin_reader")
"""What the last migration creates and grants to, where it may."""


def migrations() -> list[Path]:
    """The migration files, oldest first."""
    return sorted((sql_directory() / "migrations").glob("*.sql"))


def migrate(warehouse_url: URL | str) -> str:
    """
    Apply the migrations that are missing, then bring the analysts' views up to date.

    Any number of processes may do so at once.

    Returns:
        What was done; nothing when there was nothing to do.

    Raises:
        WarehouseError: it could not.

    """
    warehouse = engine(warehouse_url)
    try:
        refuse_if_depended_on(warehouse, all_views())
        said = dbmate(warehouse_url, "migrate")
        return "\n".join(filter(None, [said, *update_views(warehouse, all_views())]))
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
        "administrator do so, then run the block of sql/migrations/0005_roles.sql again."
    )


def dbmate(warehouse_url: URL | str, *command: str) -> str:
    """Run a dbmate command on the warehouse; see `migrate`."""
    program = shutil.which("dbmate", path=sysconfig.get_path("scripts")) or shutil.which("dbmate")
    if program is None:
        raise WarehouseError("dbmate is not installed", "run `make setup`")
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
        raise WarehouseError(
            f"the warehouse could not be migrated: {said}", "correct that and migrate again"
        )
    return finished.stdout.strip()


def require_migrated(warehouse: Engine) -> None:
    """
    Make sure that the warehouse answers and holds every migration.

    The analysts' views are not looked at: a load needs none of them, and an old one stops no run.

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
                f"the user of the connection {CONN_ID} may not read the schema weixin",
                "make it a member of weixin_loader",
            ) from None
        applied = set()
    except DBAPIError as error:
        raise trouble(error, warehouse) or error from None
    missing = [path.stem for path in migrations() if path.stem.split("_")[0] not in applied]
    if missing:
        raise WarehouseError(
            f"the warehouse lacks the migrations {', '.join(missing)}", "run `weixin-etl migrate`"
        )


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
