"""The data dictionary of schema `analytics`, read from the catalogue's comments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

COLUMNS = """
SELECT
    class.relname AS view_name,
    obj_description(class.oid, 'pg_class') AS view_comment,
    attribute.attname AS column_name,
    format_type(attribute.atttypid, attribute.atttypmod) AS type_name,
    col_description(class.oid, attribute.attnum) AS comment
FROM pg_class AS class
INNER JOIN pg_attribute AS attribute
    ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE
    class.relnamespace = 'analytics'::regnamespace
    AND class.relkind IN ('r', 'v')
ORDER BY class.relname, attribute.attnum
"""
"""What the catalogue says of the views and tables: one row per column, in order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A column of a view, as its comment describes it: see sql/README.md for the comments' form."""

    view: str
    column: str
    type: str
    is_key: bool
    """Whether it is one of the columns that together identify a row."""
    joins_to: str | None
    """
    The columns of other views that it joins to, as `account.appid, article.appid`.

    Where several of a view's columns join to one other view, it takes all of them.
    """
    unit: str | None
    """What a figure is counted in; None for what is no figure."""
    additivity: str | None
    """
    How a figure adds up; None for what is no figure.

    additive: over articles and days. cumulative: over articles, never over days. level: never.
    """
    english: str
    chinese: str | None


def dictionary(warehouse: Engine) -> list[Entry]:
    """Every column of every view, by view and in order."""
    with warehouse.connect() as connection:
        rows = connection.exec_driver_sql(COLUMNS).all()
    views = {row.view_name: _parts(row.view_comment) for row in rows}
    keys = {name: view.get("key", "").split(", ") for name, view in views.items()}
    joins = {name: _joins(view.get("joins"), keys) for name, view in views.items()}
    entries = []
    for row in rows:
        comment = _parts(row.comment)
        unit, _, additivity = comment.get("unit", "").partition(", ")
        entries.append(
            Entry(
                row.view_name,
                row.column_name,
                row.type_name,
                row.column_name in keys[row.view_name],
                ", ".join(joins[row.view_name].get(row.column_name, [])) or None,
                unit or None,
                additivity or None,
                comment["english"],
                comment.get("中文"),
            )
        )
    return entries


def joins(entries: Iterable[Entry]) -> dict[str, dict[str, dict[str, str]]]:
    """Return the joins of each view, by the other view's name: which column joins to which."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for entry in entries:
        of_view = found.setdefault(entry.view, {})
        for place in entry.joins_to.split(", ") if entry.joins_to else []:
            other, _, other_column = place.partition(".")
            of_view.setdefault(other, {})[entry.column] = other_column
    return found


def _parts(comment: str | None) -> dict[str, str]:
    """Return a comment's lines: the first is English, the others begin with what they are."""
    english, *lines = (comment or "").split("\n")
    named = (line.replace("：", ": ", 1).partition(": ") for line in lines)
    return {"english": english, **{name: words for name, _, words in named}}


def _joins(joins: str | None, keys: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """`appid, msgid to article; …`: what each column joins to, in the order of the others' keys."""
    found = defaultdict(list)
    for join in joins.split("; ") if joins else []:
        columns, _, other = join.partition(" to ")
        for column, key in zip(columns.split(", "), keys[other], strict=True):
            found[column].append(f"{other}.{key}")
    return found
