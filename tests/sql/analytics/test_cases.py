"""Every view on small, given facts: see `view_cases.py` for the form of a case."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import view_cases as cases
from sqlalchemy import Connection, Engine, MetaData

from weixin_etl.datasets import DATASETS, Kind
from weixin_etl.warehouse.views import views

pytestmark = pytest.mark.every_postgres

BIGINT_MAX = 2**63 - 1

DECLARED = {"metric"}
"""The view whose rows are the declarations of datasets.py."""


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
    """No more and no fewer, also beside an account of the same name, msgids and days."""
    day = cases.today(connection)
    given = cases.read(case / "given.yaml", day) or {}
    cases.give(connection, tables, cases.of_a_twin(given))
    cases.give(connection, tables, given)
    expected, found = cases.expected_and_found(
        connection, case.parent.name, cases.read(case / "expected.yaml", day) or []
    )

    assert found == expected


def test_every_view_has_a_case(connection: Connection) -> None:
    """The dictionary's words are compared with the declarations instead."""
    covered = {folder.parent.name for folder in cases.folders()}

    assert covered == {view.name for view in views()} - DECLARED


def test_no_view_fails_on_the_largest_counts(connection: Connection, tables: MetaData) -> None:
    """Nor on what they add up to, over articles, days and the entries of a list."""
    given: dict[str, list[cases.Row]] = {"dim_article": [], "listed": []}
    of_article = {"publication_date": "2026-11-02"}
    for msgid in ("1_1", "1_2"):
        of_message = {"message_id": "1", "position": 1, "title": "春"}
        given["dim_article"].append({**of_article, **of_message, "msgid": msgid})
    given["raw_response"] = [
        {"dataset": "article_total", "appid": "wx1", "last_seen_at": "2026-11-24 09:00+08:00"}
    ]
    items = {"msgid": ["1_1", "1_2"], "user_source": [0, 1]}
    for dataset in DATASETS.values():
        values: dict[Kind, Any] = {
            Kind.COUNT: BIGINT_MAX,
            Kind.RATE: 10**15 - 1,
            Kind.LIST: [{"scene_desc": "推荐", "user_count": 10**18 - 1}] * 20,
        }
        largest = {metric.name: values[metric.kind] for metric in dataset.metrics}
        smallest = {metric.name: 0 for metric in dataset.totals}
        facts: list[cases.Row] = []
        place = of_article if dataset.describes_articles else {}
        for item in items[dataset.item.name] if dataset.item else [None]:
            key = {dataset.item.name: item} if dataset.item else {}
            if dataset.describes_articles:
                given["listed"].append({**key, "dataset": dataset.name})
            for day, figures in (("02", largest), ("03", smallest), ("04..2026-11-08", largest)):
                row = {**place, **key, "stat_date": f"2026-11-{day}"}
                facts.append({**row, **figures})
        given[dataset.fact] = facts
        given[f"{dataset.fact}_history"] = [
            {**row, **(largest if row.get("share_user") == 0 else dict.fromkeys(largest))}
            for row in facts
        ]
        given.setdefault("coverage", []).append(
            {
                "dataset": dataset.name,
                "day": "2026-11-02..2026-11-08",
                "lists": 2,
                "fetched_at": "2026-11-24 09:00+08:00",
            }
        )
    cases.give(connection, tables, given)

    for view in views():
        written = f"SELECT length(held::text) FROM {view.full_name} AS held"
        assert connection.exec_driver_sql(written).all(), view.name


def test_an_empty_warehouse_has_empty_views(connection: Connection) -> None:
    """No view makes rows up, nor fails for want of them."""
    names = [view.name for view in views() if view.name not in DECLARED]
    counts = [
        connection.exec_driver_sql(f"SELECT count(*) FROM analytics.{name}").scalar_one()
        for name in names
    ]

    assert dict(zip(names, counts, strict=True)) == dict.fromkeys(names, 0)
