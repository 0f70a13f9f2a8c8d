"""The warehouse: the way to it, its statements, its migrations, and what can be wrong with it."""

from weixin_etl.warehouse.connection import (
    analyse_grown,
    engine,
    url,
)
from weixin_etl.warehouse.errors import (
    CONN_ID,
    PassingWarehouseError,
    WarehouseError,
    diagnose,
    diagnosed,
)
from weixin_etl.warehouse.migrations import (
    ROLES,
    migrate,
    migrations,
    missing_roles,
    require_migrated,
)
from weixin_etl.warehouse.statements import source, sql_directory, statement
from weixin_etl.warehouse.views import sql_of

__all__ = [
    "CONN_ID",
    "ROLES",
    "PassingWarehouseError",
    "WarehouseError",
    "analyse_grown",
    "diagnose",
    "diagnosed",
    "engine",
    "migrate",
    "migrations",
    "missing_roles",
    "require_migrated",
    "source",
    "sql_directory",
    "sql_of",
    "statement",
    "url",
]
