"""The views and functions under sql/analytics: what files say, how they are made."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter

from psycopg2 import errors
from sqlalchemy import Connection

from weixin_etl.model import ParameterError
from weixin_etl.warehouse.statements import (
    execute,
    source,
    sql_directory,
    statement,
    template_datasets,
)

_COMMENT = r"(?P<comment>(?:-- .*\n)+)"
_HEAD = r"CREATE (?P<type>VIEW|FUNCTION) analytics\.(?P<name>\w+) ?\("
_BODY = r"\n(?P<columns>.*?)^\)(?: AS)?\n(?P<query>.*)"
_FILE = re.compile(_COMMENT + _HEAD + _BODY, re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w[\w ]*),?\n", re.MULTILINE)
_PARTS = ("中文：", "unit: ", "key: ", "joins: ")
_REFUSED = (
    errors.InvalidTableDefinition,
    errors.InvalidFunctionDefinition,
    errors.DependentObjectsStillExist,
    errors.AmbiguousFunction,  # with other types of parameters it stands beside the old one
)
"""What Postgres says where a view or function can't be replaced in its place."""


@dataclass(frozen=True, slots=True)
class View:
    """
    A view as its file says, or a function that has rows: a view with parameters.

    The comment on top of the file is the view's, the one above a column's name that column's.
    """

    type: str  # VIEW or FUNCTION; views may read functions, functions no views
    name: str
    file: str
    text: str
    comment: str
    columns: dict[str, str]  # comments by name; of a function by its parameters, with their types
    query: str

    @property
    def full_name(self) -> str:
        return f"analytics.{self.name}"

    @property
    def sql(self) -> str:
        create = self.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1).rstrip()
        return "".join(f"{it};\n" for it in (create, *self._comments()))

    def _comments(self) -> Iterator[str]:
        """On everything; a function's parameters have none of their own, so it tells theirs."""
        is_view = self.type == "VIEW"
        said = [] if is_view else [f"{name}: {its}" for name, its in self.columns.items()]
        own = "\n".join([self.comment, *said, f"file: {self.file}"])
        yield f"COMMENT ON {self.type} {self.full_name} IS {_literal(own)}"
        for name, its in self.columns.items() if is_view else ():
            yield f"COMMENT ON COLUMN {self.full_name}.{name} IS {_literal(its)}"


def parse_view(text: str, file: str) -> View:
    """A view's rendered text, taken apart; a ValueError where something has no comment."""
    parts = _FILE.fullmatch(text)
    if parts is None or _COLUMN.sub("", parts["columns"]):
        raise ValueError(f"no view with a comment on everything: {text[:200]}")
    columns = {it["name"]: _words(it[0]) for it in _COLUMN.finditer(parts["columns"])}
    type_, name, comment = parts["type"], parts["name"], _words(parts["comment"])
    return View(type_, name, file, text, comment, columns, parts["query"])


def _words(comment: str) -> str:
    """A comment as Postgres keeps it: each part on a line of its own, however it is wrapped."""
    lines = re.findall(r"^ *-- (.*)", comment, re.MULTILINE)
    return "".join(f"\n{it}" if it.startswith(_PARTS) else f" {it}" for it in lines).strip()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def all_views() -> tuple[View, ...]:
    """The views and functions, each after those it reads."""
    files = sorted(f"analytics/{it.name}" for it in (sql_directory() / "analytics").glob("*.sql"))
    made = [(file, dataset) for file in files for dataset in template_datasets(file)]
    return sort_views(parse_view(source(*it), f"sql/{it[0]}") for it in made)


def views() -> tuple[View, ...]:
    """Those that are no functions."""
    return tuple(it for it in all_views() if it.type == "VIEW")


def view_sql(name: str) -> str:
    """What Postgres gets for a view or function, which need not be named with its schema."""
    found = [it.sql for it in all_views() if name in (it.full_name, it.name)]
    if not found:
        raise ParameterError(f"no view or function is called {name}")
    return found[0]


def sort_views(unordered: Iterable[View]) -> tuple[View, ...]:
    """Each after those it reads; the same order in every process."""
    named = {view.full_name: view for view in unordered}
    reads = {
        name: sorted(set(re.findall(r"\b\w+\.\w+", view.query)) & named.keys() - {name})
        for name, view in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(reads).static_order())


def update_views(connection: Connection, wanted: Sequence[View]) -> list[str]:
    """
    Replace the views in their place, and drop what an earlier release made and this one has not.

    Where Postgres refuses that, all are dropped and created again. Never by CASCADE: somebody
    else's view on one that must be dropped is named by Postgres's error. Gives those dropped.
    """
    found = connection.execute(statement("schema_migrations/views.sql"))
    present = {row.name: row.type for row in found}
    gone = {it: present[it] for it in present.keys() - {view.full_name for view in wanted}}
    try:
        with connection.begin_nested():
            _create(connection, wanted)
            _drop(connection, gone)
    except _REFUSED:
        _drop(connection, present)
        _create(connection, wanted)
    return sorted(gone)


def _create(connection: Connection, wanted: Iterable[View]) -> None:
    for view in wanted:
        execute(connection, view.sql)


def _drop(connection: Connection, types: dict[str, str]) -> None:
    for type_ in ("VIEW", "FUNCTION"):  # views first: they may stand on functions
        if names := ", ".join(name for name, its in types.items() if its == type_):
            execute(connection, f"DROP {type_} {names}")
