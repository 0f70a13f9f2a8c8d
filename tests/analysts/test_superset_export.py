"""The files of analytics/superset/export fit the views; `make test-superset` opens them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dictionary import dictionary
from sqlalchemy import Engine

EXPORT = Path(__file__).parents[2] / "analytics/superset/export"
Declared = dict[str, Any]


def read(folder: str) -> dict[str, Declared]:
    """What a folder declares, by uuid."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((EXPORT / folder).rglob("*.yaml"))]
    assert found, folder
    return {it["uuid"]: it for it in found}


DATASETS, CHARTS = read("datasets"), read("charts")
(DASHBOARD,) = read("dashboards").values()
each = pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it["table_name"])


def columns_of(dataset: Declared) -> set[str]:
    """The columns that a dataset declares."""
    return {column["column_name"] for column in dataset["columns"]}


def metrics_of(dataset: Declared) -> dict[str, str]:
    """The metrics that a dataset declares, and how they are computed."""
    return {metric["metric_name"]: metric["expression"] for metric in dataset.get("metrics", [])}


def types(warehouse: Engine, dataset: Declared, asked: str = "*") -> dict[str, str]:
    """What a reader finds, and of what type it is."""
    source = f"({dataset['sql']})" if "sql" in dataset else f"analytics.{dataset['table_name']}"
    with warehouse.connect() as connection:
        connection.exec_driver_sql("SET LOCAL ROLE weixin_reader")
        found = connection.exec_driver_sql(f"SELECT {asked} FROM {source} AS dataset LIMIT 0")
        types_ = dict(connection.exec_driver_sql("SELECT oid::bigint, typname FROM pg_type").all())
        return {it.name: types_[it.type_code] for it in found.cursor.description}


@each
def test_a_dataset_gives_the_columns_it_declares(migrated: Engine, dataset: Declared) -> None:
    """Only dates are marked as such, and no figure is a column, to be added up in another way."""
    found = types(migrated, dataset)
    declared = {it["column_name"]: it.get("is_dttm", False) for it in dataset["columns"]}
    figures = {
        entry.column
        for entry in dictionary(migrated)
        if entry.view == dataset["table_name"] and entry.additivity in ("additive", "cumulative")
    }

    assert declared == {name: found[name] == "date" for name in declared}
    assert declared.keys() & figures == set()
    if "sql" in dataset:  # which selects nothing in vain
        asked = " ".join(metrics_of(dataset).values())
        assert [it for it in found if it not in declared and it not in asked] == []


@each
def test_each_metric_can_be_computed(migrated: Engine, dataset: Declared) -> None:
    """By a reader."""
    for expression in metrics_of(dataset).values():
        assert types(migrated, dataset, expression)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda it: it["slice_name"])
def test_a_chart_asks_for_what_its_dataset_has(migrated: Engine, chart: Declared) -> None:
    """Each column it names is declared, each metric can be computed; it has one range of dates."""
    dataset, asked = DATASETS[chart["dataset_uuid"]], chart["params"]
    metrics = [it for name, it in asked.items() if "metric" in name and isinstance(it, dict)]
    metrics += [it for name in ("metrics", "metrics_b") for it in asked.get(name, [])]
    filters = [asked[it] for it in ("adhoc_filters", "adhoc_filters_b") if it in asked]
    lists = [asked.get(it, []) for it in ("all_columns", "groupby", "groupby_b")]
    named = {it for one in lists for it in one} | {it["subject"] for one in filters for it in one}

    assert named
    assert named | {it for it in [asked.get("x_axis")] if it} <= columns_of(dataset)
    for it in metrics:
        saved = metrics_of(dataset)[it] if isinstance(it, str) else it["sqlExpression"]
        assert types(migrated, dataset, saved)
    for one in filters:
        assert [it["operator"] for it in one].count("TEMPORAL_RANGE") == 1


def test_every_filter_reaches_every_chart() -> None:
    """Account and dataset are columns of each."""
    filters = DASHBOARD["metadata"]["native_filter_configuration"]
    chosen = [it for one in filters for it in one["targets"] if it]
    names = {it["column"]["name"] for it in chosen}

    assert names == {"account_name", "dataset"}
    for it in chosen:
        assert it["column"]["name"] in columns_of(DATASETS[it["datasetUuid"]])
    for it in CHARTS.values():
        assert names <= columns_of(DATASETS[it["dataset_uuid"]])
