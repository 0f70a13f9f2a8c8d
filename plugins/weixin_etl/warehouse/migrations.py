"""
The command `weixin-etl migrate`, and the check that the warehouse is migrated.

`migrate` applies the numbered files under `sql/migrations` that are missing. Then it applies the
declared part of the schema as a whole: fact tables, roles and views. The table
`weixin.schema_migrations` keeps a checksum of each file and of the declared part. The tasks call
`require_migrated` first.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
from psycopg2 import errors
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import few_names, one_line
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.connection import engine, require_tls
from weixin_etl.warehouse.diagnosis import diagnose, diagnosed
from weixin_etl.warehouse.locks import lock_migrations
from weixin_etl.warehouse.statements import execute, source, sql_directory, statement
from weixin_etl.warehouse.views import all_views, update_views

ROLES = ("weixin_loader", "weixin_reader")
"""The roles that `roles.sql` creates, if the user may, and to which it grants rights."""
_DECLARED = "declared"
"""The version in schema_migrations that stands for the declared part of the schema."""
_ACCOUNT_DAYS = "account_days"
"""The version in schema_migrations that stands for the definition of the stored account days."""
_LIST_COLUMNS = {
    "schema_migrations.version",
    "schema_migrations.sha256",
    "schema_migrations.applied_at",
}
_APPLIED = "SELECT version, sha256 FROM weixin.schema_migrations"
_GRANTED = "SELECT rolname FROM pg_roles WHERE has_schema_privilege(oid, 'weixin', 'USAGE')"
_CREATED_CONCURRENTLY = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)
"""
The errors of a CREATE … IF NOT EXISTS when another transaction creates the same object.

The statement waits for the end of that transaction, and then fails.
"""


def migrations() -> list[Path]:
    """Return the files of the migrations, the oldest first."""
    return sorted((sql_directory() / "migrations").glob("*.sql"))


def migrate(warehouse_url: URL | str) -> str:
    """
    Bring the warehouse to this release, in one transaction. Processes may do so at the same time.

    Account days are computed afterwards, if this release defines them differently.

    Returns:
        Lines that say what was done, and what an administrator must do. Empty if the warehouse was
        at this release already.

    Raises:
        WarehouseError: The warehouse is unusable, is not of this project, or can't be changed.
    """
    # an index on a large fact table may take longer than the limit of a run's statements
    warehouse = engine(require_tls(warehouse_url), {"statement_timeout": "0"})
    try:
        with _as_warehouse_error(warehouse):
            # a user without the right to change the schema succeeds if nothing has to be changed
            with warehouse.connect() as connection:
                if not _pending(connection):
                    return ""
            with suppress(*_CREATED_CONCURRENTLY), warehouse.begin() as connection:
                execute(connection, source("schema_migrations/create.sql"))
            with warehouse.begin() as connection:
                lock_migrations(connection)
                lines = [*_apply(connection, _pending(connection))]
            refresh_account_days(warehouse)
            return "\n".join(lines)
    finally:
        warehouse.dispose()


def _pending(connection: Connection) -> dict[str, str]:
    """
    Return the checksums, by version, of what the warehouse lacks; empty if it is at this release.

    A migration, the declared tables, roles and views together, and the definition of account days
    each have a version. One is pending if the warehouse has no checksum of it or another one. The
    declared part is also pending if anything else is, or if a role lacks rights.
    """
    applied, _ = _read_schema(connection)
    declared = "".join([*_tables_and_roles().values(), *(view.sql for view in all_views())])
    refreshes = (source("account_day/refresh.sql", each) for each in ARTICLE_DATASETS.values())
    definition = _sha256("".join(refreshes))
    wanted = {**_checksums(), _DECLARED: _sha256(declared), _ACCOUNT_DAYS: definition}
    pending = {key: sha256 for key, sha256 in wanted.items() if applied.get(key) != sha256}
    is_complete = not pending and not _roles_without_rights(connection)
    return {} if is_complete else {**pending, _DECLARED: wanted[_DECLARED]}


def _apply(connection: Connection, pending: dict[str, str]) -> Iterator[str]:
    """
    Apply what is pending: first migrations, then tables, roles and views. Yield a line for each.

    The caller holds the lock, has read under it what is pending, and commits. Without `pending`
    nothing happens.

    Args:
        connection: the session of the caller's transaction.
        pending: the checksums of what to apply, by version.
    """
    for path in (path for path in migrations() if path.name[:4] in pending):
        with _as_warehouse_error(connection.engine, f"{path.name}: "):
            execute(connection, path.read_text("utf-8"))
        yield f"Applied: {path.name}"
    if pending:
        yield from _apply_declared(connection)
    if _ACCOUNT_DAYS in pending:
        connection.execute(statement("account_day/mark_all.sql"))
    for version, sha256 in pending.items():
        values = {"version": version, "sha256": sha256}
        connection.execute(statement("schema_migrations/save.sql"), values)


def _apply_declared(connection: Connection) -> Iterator[str]:
    """Apply the whole declared part: fact tables, roles and views. Yield a line for each result."""
    for file, sql in _tables_and_roles().items():
        with _as_warehouse_error(connection.engine, f"{file}: "):
            execute(connection, sql)
    with _as_warehouse_error(connection.engine, "the views: "):
        dropped = update_views(connection, all_views())
    yield "Brought up to date: tables, roles, views."
    if dropped:
        yield f"Dropped the views {', '.join(dropped)}: they are not part of this release."
    if missing := _roles_without_rights(connection):
        statements = "; ".join(f"CREATE ROLE {role}" for role in missing)
        yield (
            f"The roles {' and '.join(missing)} don't exist, and you may not create them. Let an "
            f"administrator run `{statements}`, then run `weixin-etl migrate` again."
        )


def _tables_and_roles() -> dict[str, str]:
    """Return the SQL of the fact tables and of the roles, by file."""
    facts = (source("fact/table.sql", dataset) for dataset in DATASETS.values())
    account_days = source("account_day/table.sql")
    return {
        "fact/table.sql": "".join(facts),
        "account_day/table.sql": account_days,
        "roles.sql": source("roles.sql"),
    }


def _checksums() -> dict[str, str]:
    """Return the checksums of the migrations, by the number that begins each file name."""
    return {path.name[:4]: _sha256(path.read_text("utf-8")) for path in migrations()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _roles_without_rights(connection: Connection) -> list[str]:
    """Return the roles without rights: they did not exist, and the user may not create roles."""
    granted = set(connection.exec_driver_sql(_GRANTED).scalars())
    return [role for role in ROLES if role not in granted]


@contextmanager
def _as_warehouse_error(warehouse: Engine, context: str = "") -> Iterator[None]:
    """Raise the block's database error as a `WarehouseError`; `context` begins its detail."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        message, code, cure = str(cause), "migration_failed", None
        state_error = diagnose(error, warehouse)
        # the hint of Postgres is left out: it recommends CASCADE
        if isinstance(cause, errors.DependentObjectsStillExist):
            message = f"{cause.diag.message_primary}: {cause.diag.message_detail}"
            code = "migration_blocked"
        elif state_error and not isinstance(cause, errors.InsufficientPrivilege):
            cure = state_error.problem.cure
        detail = Quoted(f"{context}{one_line(message)}")
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, detail, code=code, cure=cure) from None


def require_migrated(warehouse: Engine) -> None:
    """
    Check that the warehouse has every migration, and a column for every metric.

    The analysts' views are not checked: a load does not need them, so an old view stops no run.

    Raises:
        WarehouseError: The warehouse is unusable, is not of this project, or is not migrated.
    """
    # both queries read the same snapshot: another process may be migrating
    with diagnosed(warehouse), warehouse.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        applied, columns = _read_schema(connection)
    missing = [path.stem for path in migrations() if path.name[:4] not in applied]
    metric_columns = {
        f"{dataset.fact}.{metric.name}"
        for dataset in DATASETS.values()
        for metric in dataset.metrics
    }
    if missing := missing or sorted(metric_columns - columns):
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, Quoted(few_names(missing)), code="old")


def _read_schema(connection: Connection) -> tuple[dict[str, str], set[str]]:
    """
    Return the checksums of the applied versions, and all columns as `table.column`.

    Raises:
        WarehouseError: a migration of this release was applied with another text, or the schema
            `weixin` has tables of another program. Unknown later versions are no error.
    """
    columns = set(connection.scalars(statement("schema_migrations/columns.sql")))
    rows = connection.exec_driver_sql(_APPLIED).all() if columns >= _LIST_COLUMNS else []
    applied = {row.version: row.sha256 for row in rows}
    if foreign := _foreign_schema(applied, columns, connection.engine.url.database):
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, foreign, code="not_ours")
    return applied, columns


def _foreign_schema(
    applied: dict[str, str], columns: set[str], database: str | None
) -> Sentence | None:
    """Return which migrations differ, or which foreign tables there are; None if there are none."""
    checksums = _checksums()
    edited = [key for key, sha256 in checksums.items() if applied.get(key, sha256) != sha256]
    if columns in (set(), _LIST_COLUMNS) or min(checksums) in applied:
        frame = "migration {names} of the database {database} was another"
        names = few_names(edited)
        return sentence(frame, names=names, database=database) if edited else None
    tables = few_names(sorted({column.partition(".")[0] for column in columns}))
    return sentence("the database {database} holds {names}", names=tables, database=database)
