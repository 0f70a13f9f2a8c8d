"""The keys of answers, compared with the declaration in `datasets`: pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind, Rows
from weixin_etl.parse import ATTRIBUTES, UNDOCUMENTED, fits, what_it_is

OPTIONAL = frozenset({"is_delay", *ATTRIBUTES, UNDOCUMENTED}) - {"title"}
"""Declared keys that an endpoint may leave out in every answer."""


@dataclass(slots=True)
class Keys:
    """How answers differ from what is declared: keys and types, no values."""

    missing: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """With what their values are."""
    odd: dict[str, str] = field(default_factory=dict)
    """Declared keys with a value of another type, and what that is."""


def compared(dataset: Dataset, bodies: Iterable[bytes]) -> Keys:
    """Compare the keys that have a value anywhere in the answers."""
    known, found, given = declared(dataset), Keys(), set()
    for key, value in (it for body in bodies for it in keys(dataset, json_text.decode(body))):
        if value is None:
            continue
        given.add(key)
        if key not in known:
            found.unknown[key] = what_it_is(value)
        elif not known[key](value):
            found.odd[key] = what_it_is(value)
    found.missing = sorted(known.keys() - given - OPTIONAL)
    return found


def declared(dataset: Dataset) -> dict[str, Callable[[Any], bool]]:
    """Every key an answer may have by the declaration, and whether a value fits it."""
    row = before_row(dataset)
    found: dict[str, Callable[[Any], bool]] = {
        "list": _is(list),
        "is_delay": _is(bool),
        "ref_date": _is_date,
        **dict.fromkeys(dataset.meaningless, _is(object)),
    }
    if dataset.item:
        found[dataset.item.name] = _is_count if dataset.item.is_number else _is(str)
    if dataset.describes_articles:
        found |= dict.fromkeys(ATTRIBUTES, _is(str))
        found |= dict.fromkeys(("publish_type", UNDOCUMENTED), _is_count)
    if dataset.rows_in is Rows.LIST:
        found |= {dataset.rows_key: _is(list), f"{row}stat_date": _is_date}
    elif dataset.rows_in is Rows.OBJECT:
        found |= {dataset.rows_key: _is(dict)}
    for metric in dataset.metrics:
        found[f"{row}{metric.name}"] = partial(fits, metric.kind)
        entries = (f"{row}{metric.name}.{key}" for key in metric.entry_keys.split())
        found |= dict.fromkeys(entries, _is(object))
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


_is_count = partial(fits, Kind.COUNT)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
