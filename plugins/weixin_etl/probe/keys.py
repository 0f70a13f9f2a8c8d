"""The keys of answers, compared with the declaration in `datasets`: pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Rows
from weixin_etl.parse import ATTRIBUTES, UNDOCUMENTED, type_name

OPTIONAL = frozenset({"is_delay", *ATTRIBUTES, UNDOCUMENTED}) - {"title"}
"""Declared keys that an endpoint may leave out in every answer."""


def compared(dataset: Dataset, bodies: Sequence[bytes]) -> tuple[dict[str, str], list[str]]:
    """The keys that are not declared, with what their values are; and those without a value."""
    known, given = declared(dataset), {}
    for body in bodies:
        for key, value in keys(dataset, json_text.decode(body)):
            if value is not None:
                given[key] = type_name(value)
    unknown = {key: what for key, what in given.items() if key not in known}
    return unknown, sorted(known - given.keys() - OPTIONAL)


def declared(dataset: Dataset) -> set[str]:
    """Every key that an answer may have by the declaration."""
    row = before_row(dataset)
    found = {"list", "is_delay", "ref_date", *dataset.meaningless}
    found |= {dataset.item.name} if dataset.item else set()
    found |= {dataset.rows_key} if dataset.rows_key else set()
    if dataset.describes_articles:
        found |= {*ATTRIBUTES, "publish_type", UNDOCUMENTED}
    if dataset.rows_in is Rows.LIST:
        found.add(f"{row}stat_date")
    for metric in dataset.metrics:
        entries = (f"{metric.name}.{key}" for key in metric.entry_keys.split())
        found.update(f"{row}{name}" for name in (metric.name, *entries))
    return found


def before_row(dataset: Dataset) -> str:
    """What a key of a row begins with: `details.`, or nothing where the item is the row."""
    return f"{dataset.rows_key}." if dataset.rows_key else ""


def keys(dataset: Dataset, answer: Any) -> Iterator[tuple[str, Any]]:
    """Each key of a decoded answer with its value: `title`, `details.share_user`, and so on."""
    before = before_row(dataset)
    yield from answer.items()
    for item in _objects(answer.get("list")):
        yield from item.items()
        for row in _objects(item.get(dataset.rows_key) if before else {}):
            yield from ((f"{before}{key}", value) for key, value in row.items())
            for name in (metric.name for metric in dataset.lists):
                for entry in _objects(row.get(name)):
                    yield from ((f"{before}{name}.{key}", it) for key, it in entry.items())


def _objects(value: Any) -> list[dict[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [it for it in several if isinstance(it, dict)]
