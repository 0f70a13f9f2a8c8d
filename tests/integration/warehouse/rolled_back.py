"""Migrations undone."""

from weixin_etl import warehouse as the_warehouse
from weixin_etl.warehouse import dbmate


def roll_back(url: str, steps: int) -> None:
    """Undo the newest migrations; the views, which stand on their tables, go first."""
    engine = the_warehouse.engine(url)
    with engine.begin() as connection:
        views = connection.exec_driver_sql(
            "SELECT string_agg('analytics.' || viewname, ', ') FROM pg_views "
            "WHERE schemaname = 'analytics'"
        ).scalar_one()
        if views:
            connection.exec_driver_sql(f"DROP VIEW {views}")
    engine.dispose()
    for _ in range(steps):
        dbmate(url, "down")
