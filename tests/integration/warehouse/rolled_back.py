"""Migrations undone."""

from weixin_etl import warehouse as the_warehouse
from weixin_etl.warehouse import migrations
from weixin_etl.warehouse.views import execute

STANDING = {
    "VIEW": "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind = 'v' "
    "AND relnamespace IN ('analytics'::regnamespace, 'weixin'::regnamespace)",
    "FUNCTION": "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc "
    "WHERE pronamespace = 'analytics'::regnamespace",
}
FORGET = "DELETE FROM weixin.schema_migrations WHERE version = %(version)s"


def roll_back(url: str, steps: int) -> None:
    """Undo the newest migrations; what stands on their tables goes first."""
    engine = the_warehouse.engine(url)
    with engine.begin() as connection:
        for kind, all_of_them in STANDING.items():
            if names := connection.exec_driver_sql(all_of_them).scalar_one():
                connection.exec_driver_sql(f"DROP {kind} {names}")
        for path in reversed(migrations()[-steps:]):
            execute(connection, path.read_text().partition("-- migrate:down")[2])
            connection.exec_driver_sql(FORGET, {"version": path.name[:4]})
    engine.dispose()
