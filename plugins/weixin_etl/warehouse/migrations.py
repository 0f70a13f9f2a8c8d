"""`weixin-etl migrate`: the numbered migrations, then what is declared: facts, roles, views."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
from psycopg2 import errors
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import DATASETS
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import few_names, one_line
from weixin_etl.warehouse.connection import engine, require_tls
from weixin_etl.warehouse.diagnosis import diagnose, diagnosed
from weixin_etl.warehouse.locks import lock_migrations
from weixin_etl.warehouse.statements import execute, source, sql_directory, statement
from weixin_etl.warehouse.views import all_views, update_views

ROLES = ("weixin_loader", "weixin_reader")  # roles.sql creates and grants to them, where it may
_DECLARED = "declared"
"""The row of schema_migrations that is of no migration, but of all that is declared."""
_LIST = {"schema_migrations.version", "schema_migrations.sha256", "schema_migrations.applied_at"}
_APPLIED = "SELECT version, sha256 FROM weixin.schema_migrations"
_GRANTED = "SELECT rolname FROM pg_roles WHERE has_schema_privilege(oid, 'weixin', 'USAGE')"
_MADE_MEANWHILE = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)
"""IF NOT EXISTS does not see what is not committed: it waits for that, and then fails."""


def migrations() -> list[Path]:
    """The migration files, oldest first: what can't be declared."""
    return sorted((sql_directory() / "migrations").glob("*.sql"))


def migrate(warehouse_url: URL | str) -> str:
    """
    Bring the warehouse to this release, in one transaction; any number of processes may do so.

    What was done, and what others must do; nothing when there was nothing to do.
    """
    # an index on a large fact may take longer than any statement of a run
    warehouse = engine(require_tls(warehouse_url), {"statement_timeout": "0"})
    try:
        with _as_warehouse_error(warehouse):
            # whoever may change nothing is not refused when there is nothing to change
            with warehouse.connect() as connection:
                if not _to_do(connection):
                    return ""
            with suppress(*_MADE_MEANWHILE), warehouse.begin() as connection:
                execute(connection, source("schema_migrations/create.sql"))
            with warehouse.begin() as connection:
                lock_migrations(connection)
                return "\n".join(_do(connection, _to_do(connection)))
    finally:
        warehouse.dispose()


def _to_do(connection: Connection) -> dict[str, str]:
    """Checksums by version: of what is missing or, of all that is declared, no longer the same."""
    applied, _ = _look(connection)
    declared = "".join([*_tables_and_roles().values(), *(view.sql for view in all_views())])
    wanted = {**_checksums(), _DECLARED: _sha256(declared)}
    to_do = {it: sha256 for it, sha256 in wanted.items() if applied.get(it) != sha256}
    is_whole = not to_do and not _without_rights(connection)
    return {} if is_whole else {**to_do, _DECLARED: wanted[_DECLARED]}


def _do(connection: Connection, to_do: dict[str, str]) -> Iterator[str]:
    """Migrations, tables, roles and views, in this order; nothing if another process was faster."""
    for path in (it for it in migrations() if it.name[:4] in to_do):
        with _as_warehouse_error(connection.engine, f"{path.name}: "):
            execute(connection, path.read_text("utf-8"))
        yield f"Applied: {path.name}"
    if to_do:
        yield from _declare(connection)
    for version, sha256 in to_do.items():
        values = {"version": version, "sha256": sha256}
        connection.execute(statement("schema_migrations/save.sql"), values)


def _declare(connection: Connection) -> Iterator[str]:
    """All that is declared, whole."""
    for file, sql in _tables_and_roles().items():
        with _as_warehouse_error(connection.engine, f"{file}: "):
            execute(connection, sql)
    with _as_warehouse_error(connection.engine, "the views: "):
        gone = update_views(connection, all_views())
    yield "Brought up to date: tables, roles, views."
    if gone:
        yield f"Dropped the views {', '.join(gone)}: not of this release."
    if missing := _without_rights(connection):
        yield (
            f"The roles {' and '.join(missing)} don't exist, and you may not create them: let an "
            "administrator do so, then run `weixin-etl migrate` again."
        )


def _tables_and_roles() -> dict[str, str]:
    """What Postgres gets, by file."""
    facts = (source("fact/table.sql", dataset) for dataset in DATASETS.values())
    return {"fact/table.sql": "".join(facts), "roles.sql": source("roles.sql")}


def _checksums() -> dict[str, str]:
    """Of the migrations, by the number that their names begin with."""
    return {path.name[:4]: _sha256(path.read_text("utf-8")) for path in migrations()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_rights(connection: Connection) -> list[str]:
    """The roles that were granted nothing: they did not exist, and could not be created."""
    granted = set(connection.exec_driver_sql(_GRANTED).scalars())
    return [role for role in ROLES if role not in granted]


@contextmanager
def _as_warehouse_error(warehouse: Engine, doing: str = "") -> Iterator[None]:
    """A database's error becomes a sentence: the one place where `migrate` does that."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said, code, cure = str(cause), "migration_failed", None
        passing = diagnose(error, warehouse)
        if isinstance(cause, errors.DependentObjectsStillExist):  # its hint is CASCADE
            said = f"{cause.diag.message_primary}: {cause.diag.message_detail}"
            code = "migration_blocked"
        elif passing and not isinstance(cause, errors.InsufficientPrivilege):
            cure = passing.problem.cure
        failed = Quoted(f"{doing}{one_line(said)}")
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, failed, code=code, cure=cure) from None


def require_migrated(warehouse: Engine) -> None:
    """
    Raise unless the warehouse answers and has every migration and a column for every metric.

    The analysts' views are not looked at: a load needs none of them, and an old one stops no run.
    """
    # of one instant: others may be migrating
    in_one_look = warehouse.execution_options(isolation_level="REPEATABLE READ")
    with diagnosed(warehouse), in_one_look.connect() as connection:
        applied, columns = _look(connection)
    lacking = [path.stem for path in migrations() if path.name[:4] not in applied]
    facts = {f"{it.fact}.{metric.name}" for it in DATASETS.values() for metric in it.metrics}
    if lacking := lacking or sorted(facts - columns):
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, Quoted(few_names(lacking)), code="old")


def _look(connection: Connection) -> tuple[dict[str, str], set[str]]:
    """Checksums of what was applied, and `table.column` of all there is; raises if not ours."""
    columns = set(connection.scalars(statement("schema_migrations/columns.sql")))
    rows = connection.exec_driver_sql(_APPLIED).all() if columns >= _LIST else []
    applied = {row.version: row.sha256 for row in rows}
    if others := _others(applied, columns, connection.engine.url.database):
        raise WarehouseError(ProblemKind.WAREHOUSE_SETUP, others, code="not_ours")
    return applied, columns


def _others(applied: dict[str, str], columns: set[str], database: str | None) -> Sentence | None:
    """Return which migrations were others, or whose tables there are; None where all is ours."""
    checksums = _checksums()
    edited = [it for it, sha256 in checksums.items() if applied.get(it, sha256) != sha256]
    if columns in (set(), _LIST) or min(checksums) in applied:
        frame = "migration {names} of the database {database} was another"
        names = few_names(edited)
        return sentence(frame, names=names, database=database) if edited else None
    tables = few_names(sorted({name.partition(".")[0] for name in columns}))
    return sentence("the database {database} holds {names}", names=tables, database=database)
