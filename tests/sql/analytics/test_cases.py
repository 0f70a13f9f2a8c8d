"""Every view on small, given facts: see `view_cases.py` for the form of a case."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import view_cases as cases
from sqlalchemy import Connection, Engine, MetaData

from weixin_etl.warehouse.views import views


@pytest.fixture
def connection(warehouse: Engine) -> Iterator[Connection]:
    """A transaction on an empty warehouse that leaves nothing behind."""
    with warehouse.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.mark.parametrize(
    "case", cases.folders(), ids=lambda case: str(case.relative_to(cases.CASES))
)
def test_a_view_has_the_rows_of_its_case(
    connection: Connection, tables: MetaData, case: Path
) -> None:
    """The view's rows are the expected ones, no more and no fewer."""
    day = cases.today(connection)
    cases.give(connection, tables, cases.read(case / "given.yaml", day) or {})
    expected, found = cases.expected_and_found(
        connection, case.parent.name, cases.read(case / "expected.yaml", day) or []
    )

    assert found == expected


def test_every_view_has_a_case(connection: Connection) -> None:
    """The dictionary's words are compared with the declarations instead."""
    covered = {folder.parent.name for folder in cases.folders()}

    assert covered == {view.name for view in views()} - {"metric"}


def test_an_empty_warehouse_has_empty_views(connection: Connection) -> None:
    """No view makes rows up, nor fails for want of them."""
    names = [view.name for view in views() if view.name != "metric"]
    counts = [
        connection.exec_driver_sql(f"SELECT count(*) FROM analytics.{name}").scalar_one()  # noqa: S608 # views
        for name in names
    ]

    assert dict(zip(names, counts, strict=True)) == dict.fromkeys(names, 0)
