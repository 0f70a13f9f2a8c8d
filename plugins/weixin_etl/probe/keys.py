"""
The JSON keys of WeChat's answers, compared with the keys that `datasets` declares.

A probe passes the bodies of answers, and learns which keys are new and which are missing. All
functions are pure.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Rows
from weixin_etl.parse import ATTRIBUTES, UNDOCUMENTED, type_name

OPTIONAL = frozenset({"is_delay", *ATTRIBUTES, UNDOCUMENTED}) - {"title"}
"""Declared keys that an endpoint may leave out of every answer."""


def compare_keys(dataset: Dataset, bodies: Sequence[bytes]) -> tuple[dict[str, str], list[str]]:
    """
    Compare the keys of answers with the declaration.

    Args:
        dataset: The dataset whose endpoint gave the answers.
        bodies: The answers, as JSON.

    Returns:
        The undeclared keys with the JSON type of their last value, and the required keys that have
        a value in no answer, sorted. A key of a row has the form `details.share_user`. A key whose
        value is null counts as absent.

    Raises:
        ValueError: A body is not JSON.
    """
    declared, given = declared_keys(dataset), {}
    for body in bodies:
        for key, value in key_values(dataset, json_text.decode(body)):
            if value is not None:
                given[key] = type_name(value)
    unknown = {key: json_type for key, json_type in given.items() if key not in declared}
    return unknown, sorted(declared - given.keys() - OPTIONAL)


def declared_keys(dataset: Dataset) -> set[str]:
    """
    Return every key that an answer may have according to the declaration.

    They are the keys of the answer, of items, of rows (`details.share_user`), and of the objects in
    a metric that is a list (`details.read_user_source.scene_desc`).
    """
    prefix = row_prefix(dataset)
    declared = {"list", "is_delay", "ref_date", *dataset.meaningless}
    declared |= {dataset.item.name} if dataset.item else set()
    declared |= {dataset.rows_key} if dataset.rows_key else set()
    if dataset.describes_articles:
        declared |= {*ATTRIBUTES, "publish_type", UNDOCUMENTED}
    if dataset.rows_in is Rows.LIST:
        declared.add(f"{prefix}stat_date")
    for metric in dataset.metrics:
        entries = (f"{metric.name}.{key}" for key in metric.entry_keys.split())
        declared.update(f"{prefix}{name}" for name in (metric.name, *entries))
    return declared


def row_prefix(dataset: Dataset) -> str:
    """Return the prefix of a row's keys: `details.`, or nothing if each item is a row."""
    return f"{dataset.rows_key}." if dataset.rows_key else ""


def key_values(dataset: Dataset, answer: Any) -> Iterator[tuple[str, Any]]:
    """
    Yield each key of a decoded answer with its value: `title`, `details.share_user`, etc.

    They are the keys of the answer, its items, their rows if the dataset has rows inside its items,
    and the objects in a metric that is a list. A key comes once for each object that has it. A
    value that should be an object, and is none, has no keys.

    Raises:
        AttributeError: the answer itself is no JSON object.
    """
    prefix = row_prefix(dataset)
    yield from answer.items()
    for item in _objects(answer.get("list")):
        yield from item.items()
        for row in _objects(item.get(dataset.rows_key) if prefix else {}):
            yield from ((f"{prefix}{key}", value) for key, value in row.items())
            for name in (metric.name for metric in dataset.lists):
                for entry in _objects(row.get(name)):
                    yield from ((f"{prefix}{name}.{key}", value) for key, value in entry.items())


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the JSON objects in a list; of another value, the value itself if it is an object."""
    elements = value if isinstance(value, list) else [value]
    return [element for element in elements if isinstance(element, dict)]
