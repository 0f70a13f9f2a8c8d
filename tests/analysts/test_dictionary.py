"""
Check that every table, view and column is described, in the warehouse and in docs/dictionary.md.

The descriptions are comments of the warehouse. The page has one table of the views and one table of
metrics for each dataset; both are generated from the comments.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pytest
from dictionary import Entry, dictionary, joins
from sqlalchemy import Engine
from support import rows

from weixin_etl.datasets import ARTICLE_DATASETS, COMMON, DATASETS, Dataset
from weixin_etl.warehouse.views import View, views

PAGE = Path(__file__).parents[2] / "docs/dictionary.md"
TABLE = re.compile(r"(\| --- .*\n)(?:\| .*\n)*")
"""A Markdown table of the page: the first lists the views, each later one a dataset's metrics."""
COLUMNS = {view.name: {*view.columns} for view in views()}
COMMENTS = """
    SELECT
        class.relname,
        attribute.attname,
        obj_description(class.oid, 'pg_class') AS comment,
        col_description(class.oid, attribute.attnum) AS column_comment
    FROM pg_class AS class
    INNER JOIN pg_attribute AS attribute
        ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    WHERE class.relnamespace = 'weixin'::regnamespace AND class.relkind IN ('r', 'p', 'v', 'm')
"""


def lines_of_views(warehouse: Engine, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the page's line for each view."""
    comments = dict(
        rows(
            warehouse,
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class "
            "WHERE relnamespace = 'analytics'::regnamespace",
        )
    )
    for view, columns in groupby(entries, attrgetter("view")):
        listed = list(columns)
        key = ", ".join(f"`{entry.column}`" for entry in listed if entry.is_key)
        joined = [
            f"`{other}` by {', '.join(map(joined_columns, pairs.items()))}"
            for other, pairs in joins(listed)[view].items()
            if other not in ("account", "calendar")
        ]
        grain = comments[view].partition("\n")[0].removeprefix("One row per ").partition(":")[0]
        yield f"| `{view}` | {grain.partition('. ')[0]} | {key} | {'; '.join(joined)} |\n"


def joined_columns(columns: tuple[str, str]) -> str:
    """Return how the page shows a column and the column that it joins to."""
    return f"`{columns[0]}`" if columns[0] == columns[1] else f"`{columns[0]} = {columns[1]}`"


def lines_of_metrics(warehouse: Engine, dataset: str) -> Iterator[str]:
    """Yield the page's line for each metric of a dataset."""
    columns = "name, common_name, chinese_name, meaning, unit, additivity, caveat"
    asked = f"SELECT {columns} FROM analytics.metric WHERE dataset = :dataset ORDER BY name"
    for name, common, *words, unit, additivity, caveat in rows(warehouse, asked, dataset=dataset):
        known = [f"`{name}`" + (f" (`{common}`)" if common else ""), *words]
        yield f"| {' | '.join(known)} | {unit}, {additivity} | {caveat or ''} |\n"


def test_the_page_is_the_catalogue(migrated: Engine) -> None:
    """The page lists each column in both languages. UPDATE_DOCS=1 writes the page anew."""
    entries = dictionary(migrated)
    tables = iter(
        [
            lines_of_views(migrated, entries),
            *(lines_of_metrics(migrated, dataset) for dataset in DATASETS),
        ]
    )
    fresh = TABLE.sub(lambda match: match[1] + "".join(next(tables)), PAGE.read_text())
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert (PAGE.read_text(), [*tables]) == (fresh, [])
    assert [entry for entry in entries if not entry.english or not entry.chinese] == []


def test_every_table_and_column_has_a_comment(migrated: Engine) -> None:
    """The pipeline's schema `weixin` is described too."""
    found = rows(migrated, COMMENTS)

    assert [row for row in found if None in row] == []
    assert len(found) > 90


def test_a_view_lists_its_columns_in_the_order_of_its_select(migrated: Engine) -> None:
    with migrated.connect() as connection:
        for view in views():
            named = connection.exec_driver_sql(f"SELECT * FROM ({view.query}) AS view LIMIT 0")
            assert [*named.keys()] == [*view.columns], view.name


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda dataset: dataset.name)
def test_the_views_of_an_endpoint_have_all_its_metrics(dataset: Dataset) -> None:
    """Both endpoints' views have the common names: a query moves by changing the suffix."""
    common, suffix = {metric.name for metric in COMMON}, dataset.suffix
    increments = {f"{metric.common or metric.name}_increment" for metric in dataset.wholes}
    increments |= {f"{name}_increment" for name in common}
    metrics = {metric.name for metric in dataset.metrics}

    assert metrics | common | increments <= COLUMNS[f"article_day{suffix}"]
    assert {metric.name for metric in dataset.figures} | common <= COLUMNS[f"article{suffix}"]
    assert increments <= COLUMNS[f"account_day{suffix}"]
    assert metrics.isdisjoint(COLUMNS[f"account_day{suffix}"])


def test_no_view_of_a_single_endpoint_lacks_the_suffix() -> None:
    """
    A query without a suffix fails instead of leaving accounts out.

    Only these three cover both.
    """
    of_single_endpoint = {
        name.removesuffix(end) for name in COLUMNS for end in ("_7d", "_30d") if end in name
    }

    assert of_single_endpoint & COLUMNS.keys() == {*("account_day", "article", "article_day")}
    assert {name for name, columns in COLUMNS.items() if "account_name" not in columns} == {
        "metric"
    }


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_figure_states_its_unit_and_additivity(view: View) -> None:
    """A metric has the same unit in every view, and an increment is additive."""
    known = {
        metric.name: metric.unit
        for dataset in ARTICLE_DATASETS.values()
        for metric in dataset.metrics
    }
    known |= {metric.name: metric.unit for metric in COMMON}
    for name, comment in view.columns.items():
        unit, _, additivity = comment.partition("\nunit: ")[2].partition(", ")

        assert unit == (known.get(name.removesuffix("_increment")) or unit), name
        assert additivity in {"", "additive", "cumulative", "level"}, name
        assert additivity == "additive" or not name.endswith("_increment"), name
