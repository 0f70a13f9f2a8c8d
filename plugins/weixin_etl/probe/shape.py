"""An answer's shape, compared with its declaration in `datasets`: pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from weixin_etl import json_text
from weixin_etl.api.client import Answer
from weixin_etl.datasets import Dataset, Kind, Rows
from weixin_etl.parse import ATTRIBUTES, UNDOCUMENTED, Parsed, fits, parse, what_it_is

_is_count = partial(fits, Kind.COUNT)
_CHARSETS = ("UTF-8", "GB18030")
OPTIONAL = frozenset({"is_delay", *ATTRIBUTES, UNDOCUMENTED}) - {"title"}
"""Declared keys that an endpoint may leave out in every answer."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer as the parser and the declaration see it."""

    day: date
    parsed: Parsed
    charset: str
    """Empty when the bytes are neither UTF-8 nor GB18030."""
    given: frozenset[str]
    """The keys that have a value anywhere in it."""
    odd: dict[str, str]
    """Declared keys with a value of another type, and what that is."""
    lists_twice: bool
    """Whether an article is in its list more than once."""


def shape_of(dataset: Dataset, day: date, answer: Answer) -> Shape:
    """Take an answer apart as ingest does, and key by key."""
    parsed = parse(dataset, answer.body, day, answer.fetched_at)
    pairs = [] if parsed.unreadable else [*keys(dataset, json_text.decode(answer.body))]
    known = declared(dataset)
    odd = {
        key: what_it_is(value)
        for key, value in pairs
        if value is not None and key in known and not known[key](value)
    }
    given = frozenset(key for key, value in pairs if value is not None)
    msgids = [str(value) for key, value in pairs if key == "msgid"]
    return Shape(day, parsed, charset(answer.body), given, odd, len(msgids) > len({*msgids}))


def charset(body: bytes) -> str:
    """What the bytes are written in."""
    for name in _CHARSETS:
        try:
            body.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return ""


def declared(dataset: Dataset) -> dict[str, Callable[[Any], bool]]:
    """Every key an answer may have by the declaration, and whether a value fits it."""
    row = before_row(dataset)
    entries = {
        f"{row}{metric.name}.{key}": _is_any
        for metric in dataset.metrics
        for key in metric.entry_keys.split()
    }
    item: dict[str, Callable[[Any], bool]] = {"ref_date": _is_date}
    if dataset.item:
        item[dataset.item.name] = _is_count if dataset.item.is_number else _is(str)
    if dataset.describes_articles:
        item |= {name: _is(str) for name in ATTRIBUTES}
        item |= dict.fromkeys(("publish_type", UNDOCUMENTED), _is_count)
    if dataset.rows_in is Rows.LIST:
        item |= {dataset.rows_key: _is(list), f"{row}stat_date": _is_date}
    elif dataset.rows_in is Rows.OBJECT:
        item |= {dataset.rows_key: _is(dict)}
    return {
        "list": _is(list),
        "is_delay": _is(bool),
        **item,
        **dict.fromkeys(dataset.meaningless, _is_any),
        **{f"{row}{metric.name}": partial(fits, metric.kind) for metric in dataset.metrics},
        **entries,
    }


def before_row(dataset: Dataset) -> str:
    """What a key of a row begins with: `details.`, or nothing where the item is the row."""
    return f"{dataset.rows_key}." if dataset.rows_key else ""


def keys(dataset: Dataset, answer: Any) -> Iterator[tuple[str, Any]]:
    """Each key of a decoded answer with its value: `title`, `details.share_user`, and so on."""
    before = before_row(dataset)
    lists = [metric.name for metric in dataset.lists]
    yield from answer.items()
    for item in _objects(answer.get("list")):
        yield from item.items()
        for row in _objects(item.get(dataset.rows_key) if before else {}):
            yield from ((f"{before}{key}", value) for key, value in row.items())
            for name in lists:
                for entry in _objects(row.get(name)):
                    yield from ((f"{before}{name}.{key}", it) for key, it in entry.items())


def _objects(value: Any) -> list[dict[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [it for it in several if isinstance(it, dict)]


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _is_any(_: Any) -> bool:
    return True


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
