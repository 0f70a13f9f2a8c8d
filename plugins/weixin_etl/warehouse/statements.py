"""The statements: files under sql/, whose path says their table."""

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
    """The statements: inside the package of an installed wheel, at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "sql"


_OF_EACH_FACT = ("extra", "raw_response_id", "fetched_at")
_FOR_EACH = re.compile(r"\{# for each: (.*) #\}")


@cache
def statement(path: str, dataset: Dataset | None = None) -> TextClause:
    """The statement in `sql/<path>`, its inputs as named binds; identifiers are the dataset's."""
    return sqlalchemy.text(source(path, dataset))


def execute(connection: Connection, sql: str) -> None:
    """Send SQL that has no parameters: its percent signs are its own."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)


def slice_arrays(dataset: Dataset, pairs: Collection[tuple[str, date]]) -> dict[str, list[Any]]:
    """
    Accounts with a day each, as the slice_arrays that statements take.

    The dataset too: of a constant, a planner without statistics expects few rows.
    """
    return {
        "datasets": [dataset.name] * len(pairs),
        "appids": [appid for appid, _ in pairs],
        "days": [day for _, day in pairs],
    }


def dataset_slice_arrays(
    datasets: Iterable[Dataset], pairs: Iterable[tuple[str, date]]
) -> dict[str, list[Any]]:
    """Datasets, and accounts with a day each, for statements about all of these together."""
    appids, days = zip(*pairs, strict=True)
    return {"datasets": [it.name for it in datasets], "appids": [*appids], "days": [*days]}


def as_json(values: Sequence[Mapping[str, object]]) -> str:
    """Rows as a statement takes them for `jsonb_to_recordset`."""
    return msgspec.json.encode(values).decode()


def coverage_from_row(columns: Sequence[Any]) -> Coverage:
    """What a row of coverage says, by its columns beside its key."""
    settled, ready_at, sha256, *rest = columns
    return Coverage(settled, ready_at, sha256 and bytes(sha256), *rest)


@cache
def source(path: str, dataset: Dataset | None = None) -> str:
    """The text of `sql/<path>` for the dataset."""
    declared = _declared(dataset) if dataset else {}
    return _templates().get_template(path).render(declared)


def template_datasets(path: str) -> list[Dataset | None]:
    """The datasets that `sql/<path>` is rendered for, as its first line says; else none, once."""
    which = _FOR_EACH.match((sql_directory() / path).read_text(encoding="utf-8"))
    return [*(_templates().compile_expression(which[1])() or ())] if which else [None]


@cache
def _templates() -> jinja2.Environment:
    """The files, each parsed once."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(sql_directory()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=jinja2.FileSystemBytecodeCache(),  # each task is a new process
        autoescape=False,  # noqa: S701 # SQL, from files of the package
    )
    templates.globals |= {
        "datasets": ARTICLE_DATASETS.values(),
        "every_dataset": DATASETS.values(),
        "coverage_columns": Coverage.__slots__,
        "rejections": REJECTIONS,
    }
    return templates


def _declared(dataset: Dataset) -> dict[str, Any]:
    metrics = [metric.name for metric in dataset.metrics]
    return {
        "dataset": dataset,
        "fact": dataset.fact,
        "item": dataset.item.name if dataset.item else None,
        "key": dataset.key,
        "place": dataset.place,
        "day": dataset.day_column,
        "metrics": metrics,
        "columns": [*dataset.key, *dataset.place, *metrics, *_OF_EACH_FACT],
    }
