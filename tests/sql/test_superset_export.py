"""The files of analytics/superset/export fit the views; `make test-superset` opens them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dictionary import dictionary
from sqlalchemy import Connection, Engine

EXPORT = Path(__file__).parents[2] / "analytics/superset/export"


def read(folder: str) -> dict[str, dict[str, Any]]:
    """What a folder declares, by uuid."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((EXPORT / folder).rglob("*.yaml"))]
    assert found, folder
    return {it["uuid"]: it for it in found}


DATABASES, DATASETS, CHARTS = read("databases"), read("datasets"), read("charts")
(DASHBOARD,) = read("dashboards").values()


def rows_of(dataset: dict[str, Any]) -> str:
    """What a dataset stands for in a FROM."""
    if "sql" in dataset:
        return f"({dataset['sql']}) AS dataset"
    return f"{dataset['schema']}.{dataset['table_name']} AS dataset"


def columns_of(dataset: dict[str, Any]) -> set[str]:
    """The columns that a dataset declares."""
    return {column["column_name"] for column in dataset["columns"]}


def metrics_of(dataset: dict[str, Any]) -> dict[str, str]:
    """The metrics that a dataset declares, and how they are computed."""
    return {metric["metric_name"]: metric["expression"] for metric in dataset.get("metrics", [])}


def as_reader(migrated: Engine) -> Connection:
    """A connection that may do what Superset's login may."""
    connection = migrated.connect()
    connection.exec_driver_sql("SET LOCAL ROLE weixin_reader")
    return connection


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it["table_name"])
def test_a_dataset_gives_the_columns_it_declares(migrated: Engine, dataset: dict[str, Any]) -> None:
    """A reader may run it, each column is there, and only dates are marked as such."""
    with as_reader(migrated) as connection:
        found = connection.exec_driver_sql(f"SELECT * FROM {rows_of(dataset)} LIMIT 0")
        types = {column.name: column.type_code for column in found.cursor.description}
        date_type = connection.exec_driver_sql("SELECT 'date'::regtype::oid").scalar_one()

    declared = {column["column_name"]: column for column in dataset["columns"]}
    others = types.keys() - declared.keys() if "sql" in dataset else {}
    assert declared.keys() <= types.keys()
    assert {name for name in others if name not in " ".join(metrics_of(dataset).values())} == set()
    assert [
        name
        for name, column in declared.items()
        if column.get("is_dttm", False) != (types[name] == date_type)
    ] == []


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it["table_name"])
def test_a_metric_can_be_computed(migrated: Engine, dataset: dict[str, Any]) -> None:
    """A reader may; and of a view no figure is a column, to be added up in another way."""
    figures = {
        entry.column
        for entry in dictionary(migrated)
        if entry.view == dataset["table_name"] and entry.additivity in ("additive", "cumulative")
    }

    assert columns_of(dataset) & figures == set()
    with as_reader(migrated) as connection:
        for expression in metrics_of(dataset).values():
            connection.exec_driver_sql(f"SELECT {expression} FROM {rows_of(dataset)}")


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda it: it["slice_name"])
def test_a_chart_asks_for_what_its_dataset_has(migrated: Engine, chart: dict[str, Any]) -> None:
    """Each column it names is declared, and each of its metrics can be computed."""
    dataset, asked = DATASETS[chart["dataset_uuid"]], chart["params"]
    metrics = [it for name, it in asked.items() if "metric" in name and isinstance(it, dict)]
    metrics += [it for name in ("metrics", "metrics_b") for it in asked.get(name, [])]
    saved = metrics_of(dataset)
    expressions = [saved[it] if isinstance(it, str) else it["sqlExpression"] for it in metrics]
    named = {
        *([asked["x_axis"]] if "x_axis" in asked else []),
        *asked.get("all_columns", []),
        *asked.get("groupby", []),
        *asked.get("groupby_b", []),
        *(
            it["subject"]
            for name in ("adhoc_filters", "adhoc_filters_b")
            for it in asked.get(name, [])
        ),
    }

    assert named
    assert named <= columns_of(dataset)
    with as_reader(migrated) as connection:
        for expression in expressions:
            connection.exec_driver_sql(f"SELECT {expression} FROM {rows_of(dataset)}")


def test_every_filter_reaches_every_query() -> None:
    """Account and dataset are columns of each chart; each query has one range of dates."""
    filters = DASHBOARD["metadata"]["native_filter_configuration"]
    chosen = [target for it in filters for target in it["targets"] if target]
    names = {target["column"]["name"] for target in chosen}

    assert names == {"account_name", "dataset"}
    assert [
        it for it in chosen if it["column"]["name"] not in columns_of(DATASETS[it["datasetUuid"]])
    ] == []
    for chart in CHARTS.values():
        assert names <= columns_of(DATASETS[chart["dataset_uuid"]])
        for name in {"adhoc_filters", "adhoc_filters_b"} & chart["params"].keys():
            operators = [it["operator"] for it in chart["params"][name]]
            assert operators.count("TEMPORAL_RANGE") == 1
