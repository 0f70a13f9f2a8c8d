"""
The Postgres warehouse: its connections, statements, locks, migrations, views and errors.

The other packages use the functions named here; `weixin-etl migrate` calls `migrate`.
"""

from weixin_etl.warehouse.connection import analyse_grown, engine, url
from weixin_etl.warehouse.diagnosis import CONN_ID, diagnose, diagnosed
from weixin_etl.warehouse.migrations import migrate, migrations, require_migrated
from weixin_etl.warehouse.statements import source, statement
from weixin_etl.warehouse.views import view_sql

__all__ = [
    "CONN_ID",
    "analyse_grown",
    "diagnose",
    "diagnosed",
    "engine",
    "migrate",
    "migrations",
    "require_migrated",
    "source",
    "statement",
    "url",
    "view_sql",
]
