"""The views' keys and what they join to: docs/analysts.md has them as a table and as a picture."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dictionary import Entry, dictionary, joins
from eralchemy import render_er
from sqlalchemy import Column, Engine, ForeignKey, MetaData, Table

PAGE = Path(__file__).parents[2] / "docs/analysts.md"
PICTURE = re.compile(r"(?<=```mermaid\n)erDiagram\n.*?(?=```)", re.DOTALL)
TABLE = re.compile(r"(?<=\| view \| key \| joins to \|\n\| --- \| --- \| --- \|\n)(?:\|.*\n)*")


def drawn(warehouse: Engine, entries: Sequence[Entry], directory: Path) -> str:
    """The views by their keys, as a Mermaid diagram: a line is missing that two others make."""
    catalogue = MetaData()
    catalogue.reflect(warehouse, schema="analytics", views=True)
    keys = {(entry.view, entry.column) for entry in entries if entry.is_key}
    others = joins(entries)
    picture = MetaData()
    for table in sorted(catalogue.tables.values(), key=lambda table: table.name):
        nearest = others[table.name].keys() - {
            farther for other in others[table.name] for farther in others[other]
        }
        refers = {}
        for other in nearest:
            # of several columns the last: there is a line for each that refers
            column, its = [*others[table.name][other].items()][-1]
            refers[column] = f"{other}.{its}"
        columns = [
            Column(
                column.name,
                column.type,
                *[ForeignKey(of) for key, of in refers.items() if key == column.name],
                primary_key=column.primary_key,
                nullable=False,
            )
            for column in table.columns
            if (table.name, column.name) in keys or column.name in refers
        ]
        Table(table.name, picture, *columns)
    file = directory / "picture.md"
    render_er(picture, str(file), mode="mermaid_er")
    lines = re.findall(r"erDiagram.*?(?=\n\n-->)", file.read_text(), re.DOTALL)[0].splitlines()
    written = [line.rstrip() for line in lines if line.strip()]
    # lines between views come in any order
    written.sort(key=lambda line: line if " : " in line else "")
    return "\n".join([*written, ""])


def listed(entries: Sequence[Entry]) -> str:
    """The lines of the table."""
    lines = ""
    for view, columns in groupby(entries, attrgetter("view")):
        key = _quoted(entry.column for entry in columns if entry.is_key)
        others = [
            f"`{other}` by {_quoted(c if c == its else f'{c} = {its}' for c, its in by.items())}"
            for other, by in joins(entries)[view].items()
        ]
        lines += f"| `{view}` | {key} | {'; '.join(others)} |\n"
    return lines


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_the_page_shows_the_catalogues_keys(migrated: Engine, tmp_path: Path) -> None:
    """A view that is new or has another key is shown; UPDATE_DOCS=1 brings the page up to date."""
    page = PAGE.read_text()
    entries = dictionary(migrated)
    fresh = PICTURE.sub(lambda _: drawn(migrated, entries, tmp_path), page)
    fresh = TABLE.sub(lambda _: listed(entries), fresh)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert page == fresh
    assert len(PICTURE.findall(page)) == len(TABLE.findall(page)) == 1
