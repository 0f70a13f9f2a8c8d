"""
The SQL statements: files under `sql/`, in a folder for each table.

A file is a Jinja template. `statement` renders it, for a dataset if it needs one, with named
parameters. The other functions convert Python values to parameters, and rows to Python values.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import sqlalchemy
from sqlalchemy import Connection, TextClause

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset
from weixin_etl.model import Coverage
from weixin_etl.sentences import REJECTIONS


def sql_directory() -> Path:
    """Return the folder `sql`: in an installed wheel within the package, else in the checkout."""
    packaged = Path(__file__).parents[1] / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "sql"


_COMMON_FACT_COLUMNS = ("extra", "raw_response_id", "fetched_at")
_FOR_EACH = re.compile(r"\{# for each: (.*) #\}")


@cache
def statement(path: str, dataset: Dataset | None = None) -> TextClause:
    """
    Return the statement in `sql/<path>` with named parameters, rendered for the dataset.

    Each is read and rendered once in a process. Errors are those of `source`.
    """
    return sqlalchemy.text(source(path, dataset))


def execute(connection: Connection, sql: str) -> None:
    """
    Execute SQL text, one or several statements, in the connection's transaction. Return no rows.

    The text has no parameters: colons and percent signs have no special meaning. Errors are those
    of psycopg2, because SQLAlchemy does not wrap them here.
    """
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)


def slice_arrays(dataset: Dataset, slices: Collection[tuple[str, date]]) -> dict[str, list[Any]]:
    """
    Return slices (AppID and day) of one dataset as the parameters `datasets`, `appids` and `days`.

    They are lists of equal length, in the order of the slices, empty without slices. The dataset's
    name is repeated: for a constant, a planner without statistics expects too few rows.
    """
    return {
        "datasets": [dataset.name] * len(slices),
        "appids": [appid for appid, _ in slices],
        "days": [day for _, day in slices],
    }


def dataset_slice_arrays(
    datasets: Iterable[Dataset], slices: Iterable[tuple[str, date]]
) -> dict[str, list[Any]]:
    """
    Return datasets and slices (AppID and day) as the parameters `datasets`, `appids` and `days`.

    The statement combines every slice with every dataset: `datasets` has each name once, and the
    other lists have an element for each slice.

    Raises:
        ValueError: There is no slice.
    """
    appids, days = zip(*slices, strict=True)
    names = [dataset.name for dataset in datasets]
    return {"datasets": names, "appids": [*appids], "days": [*days]}


def as_json(values: Sequence[Mapping[str, object]]) -> str:
    """
    Return rows as a JSON list of objects, the parameter of a statement's `jsonb_to_recordset`.

    Values may be of any type that msgspec encodes: dates and times become ISO 8601 texts.

    Raises:
        TypeError: A value has another type.
    """
    return msgspec.json.encode(values).decode()


def coverage_from_row(columns: Sequence[Any]) -> Coverage:
    """
    Return the coverage in a row, given its columns after the key, in the order of the fields.

    The hash of the list becomes bytes. Columns at the end may be missing: they get their defaults.
    """
    settled, ready_at, sha256, *rest = columns
    return Coverage(settled, ready_at, sha256 and bytes(sha256), *rest)


@cache
def source(path: str, dataset: Dataset | None = None) -> str:
    """
    Return the text of `sql/<path>`, rendered as a Jinja template.

    Args:
        path: The file's path below `sql/`.
        dataset: The dataset whose names the template may use; None for a file without a dataset.

    Raises:
        jinja2.TemplateNotFound: There is no such file.
        jinja2.UndefinedError: The template uses a name that is not given, such as `fact` without a
            dataset.
    """
    variables = _template_variables(dataset) if dataset else {}
    return _templates().get_template(path).render(variables)


def template_datasets(path: str) -> list[Dataset | None]:
    """
    Return the datasets for which `sql/<path>` is rendered, one view for each.

    The file's first line names them: `{# for each: <expression> #}`. A file without such a line is
    rendered once, for no dataset: the list is `[None]`.
    """
    first_line = _FOR_EACH.match((sql_directory() / path).read_text(encoding="utf-8"))
    return [*(_templates().compile_expression(first_line[1])() or ())] if first_line else [None]


@cache
def _templates() -> jinja2.Environment:
    """Return the environment that parses and renders the files, each parsed once."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(sql_directory()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=jinja2.FileSystemBytecodeCache(),  # each task starts a new process
        autoescape=False,  # noqa: S701 # the templates are the package's own SQL
    )
    templates.globals |= {
        "datasets": ARTICLE_DATASETS.values(),
        "every_dataset": DATASETS.values(),
        "coverage_columns": Coverage.__slots__,
        "rejections": REJECTIONS,
    }
    return templates


def _template_variables(dataset: Dataset) -> dict[str, Any]:
    """
    Return the variables of a template that is rendered for a dataset, by name.

    They are the dataset, its fact table, and its columns: `item` (None without items), `key`,
    `place`, `day`, `metrics`, and `columns` with all of the fact.
    """
    metrics = [metric.name for metric in dataset.metrics]
    return {
        "dataset": dataset,
        "fact": dataset.fact,
        "item": dataset.item.name if dataset.item else None,
        "key": dataset.key,
        "place": dataset.place,
        "day": dataset.day_column,
        "metrics": metrics,
        "columns": [*dataset.key, *dataset.place, *metrics, *_COMMON_FACT_COLUMNS],
    }
