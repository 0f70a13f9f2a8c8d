"""Whoever looks at the warehouse is told what everything is."""

import pytest
from sqlalchemy import Engine, text

from weixin_etl.warehouse.views import views

RELATIONS = """
    SELECT
        class.relname,
        obj_description(class.oid, 'pg_class') AS comment,
        attribute.attname,
        col_description(class.oid, attribute.attnum) AS column_comment
    FROM pg_class AS class
    INNER JOIN pg_attribute AS attribute
        ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    WHERE
        class.relnamespace = CAST(:schema AS regnamespace)
        AND class.relkind IN ('r', 'p', 'v', 'm')
"""


@pytest.mark.parametrize(("schema", "at_least"), [("weixin", 90), ("analytics", 150)])
def test_every_relation_and_column_has_a_comment(
    warehouse: Engine, schema: str, at_least: int
) -> None:
    """In the pipeline's schema and in the analysts'."""
    with warehouse.connect() as connection:
        known = connection.execute(text(RELATIONS), {"schema": schema}).all()
        of_schema = connection.execute(
            text("SELECT obj_description(CAST(:schema AS regnamespace), 'pg_namespace')"),
            {"schema": schema},
        ).scalar_one()

    assert of_schema
    assert {row.relname for row in known if not row.comment} == set()
    assert {(row.relname, row.attname) for row in known if not row.column_comment} == set()
    assert len(known) > at_least


def test_a_column_is_named_as_its_select_names_it(warehouse: Engine) -> None:
    """The list that carries the comments is in the order of the expressions."""
    named = {}
    with warehouse.connect() as connection:
        for view in views():
            nothing = f"SELECT * FROM ({view.query}) AS view LIMIT 0"
            named[view.name] = list(connection.execute(text(nothing)).keys())

    assert named == {view.name: list(view.columns) for view in views()}
