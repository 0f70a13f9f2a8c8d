"""Every view on small, given facts: see `view_cases.py` for the form of a case."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import view_cases as cases
from sqlalchemy import Connection, Engine, MetaData


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
    columns, expected = cases.expected_rows(cases.read(case / "expected.yaml", day) or [])

    assert cases.found(connection, case.parent.name, columns) == expected


def test_every_view_has_cases(warehouse: Engine) -> None:
    """Each has an ordinary case and, unless it is all words, one on an empty warehouse."""
    with warehouse.connect() as connection:
        views = set(
            connection.exec_driver_sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'analytics'"
            ).scalars()
        )
    names: dict[str, set[str]] = {view: set() for view in views}
    for folder in cases.folders():
        names[folder.parent.name].add(folder.name)

    assert len(views) >= 11
    assert [view for view, own in names.items() if "ordinary" not in own] == []
    assert [view for view, own in names.items() if "empty" not in own] == ["metric"]
