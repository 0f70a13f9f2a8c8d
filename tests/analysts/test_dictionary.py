"""Whoever looks at the warehouse is told what everything is, there and in docs/dictionary.md."""

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
"""One of the views, then one of the metrics of each dataset."""
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


def of_views(warehouse: Engine, entries: Sequence[Entry]) -> Iterator[str]:
    """A line for each."""
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
            f"`{other}` by {', '.join(map(pair, pairs.items()))}"
            for other, pairs in joins(listed)[view].items()
            if other not in ("account", "calendar")
        ]
        grain = comments[view].partition("\n")[0].removeprefix("One row per ").partition(":")[0]
        yield f"| `{view}` | {grain.partition('. ')[0]} | {key} | {'; '.join(joined)} |\n"


def pair(columns: tuple[str, str]) -> str:
    """What stands for a column and what it joins to."""
    return f"`{columns[0]}`" if columns[0] == columns[1] else f"`{columns[0]} = {columns[1]}`"


def of_metrics(warehouse: Engine, dataset: str) -> Iterator[str]:
    """A line for each of a dataset."""
    columns = "name, common_name, chinese_name, meaning, unit, additivity, caveat"
    asked = f"SELECT {columns} FROM analytics.metric WHERE dataset = :dataset ORDER BY name"
    for name, common, *words, unit, additivity, caveat in rows(warehouse, asked, dataset=dataset):
        known = [f"`{name}`" + (f" (`{common}`)" if common else ""), *words]
        yield f"| {' | '.join(known)} | {unit}, {additivity} | {caveat or ''} |\n"


def test_the_page_is_the_catalogue(migrated: Engine) -> None:
    """Which says each column in both languages; UPDATE_DOCS=1 writes it anew."""
    entries = dictionary(migrated)
    tables = iter(
        [of_views(migrated, entries), *(of_metrics(migrated, dataset) for dataset in DATASETS)]
    )
    fresh = TABLE.sub(lambda match: match[1] + "".join(next(tables)), PAGE.read_text())
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert (PAGE.read_text(), [*tables]) == (fresh, [])
    assert [entry for entry in entries if not entry.english or not entry.chinese] == []


def test_every_table_and_column_has_a_comment(migrated: Engine) -> None:
    """In the pipeline's schema too."""
    found = rows(migrated, COMMENTS)

    assert [row for row in found if None in row] == []
    assert len(found) > 90


def test_a_column_is_named_as_its_select_names_it(migrated: Engine) -> None:
    """The list that carries the comments is in the order of the expressions."""
    with migrated.connect() as connection:
        for view in views():
            named = connection.exec_driver_sql(f"SELECT * FROM ({view.query}) AS view LIMIT 0")
            assert [*named.keys()] == [*view.columns], view.name


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda dataset: dataset.name)
def test_the_views_of_an_endpoint_have_all_it_counts(dataset: Dataset) -> None:
    """And the names that both share, also those it does not count: a query moves by its suffix."""
    common, suffix = {metric.name for metric in COMMON}, dataset.suffix
    increments = {f"{metric.common or metric.name}_increment" for metric in dataset.wholes}
    increments |= {f"{name}_increment" for name in common}
    metrics = {metric.name for metric in dataset.metrics}

    assert metrics | common | increments <= COLUMNS[f"article_day{suffix}"]
    assert {metric.name for metric in dataset.figures} | common <= COLUMNS[f"article{suffix}"]
    assert increments <= COLUMNS[f"account_day{suffix}"]
    assert metrics.isdisjoint(COLUMNS[f"account_day{suffix}"])


def test_no_plain_name_belongs_to_one_endpoint() -> None:
    """A query without a suffix fails rather than leave accounts out; `account_day` has them all."""
    of_one = {name.removesuffix(end) for name in COLUMNS for end in ("_7d", "_30d") if end in name}

    assert of_one & COLUMNS.keys() == {"account_day"}
    assert {name for name, columns in COLUMNS.items() if "account_name" not in columns} == {
        "metric"
    }


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_figure_has_a_unit(view: View) -> None:
    """Whatever a metric is called in a view; and an increment adds up."""
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
