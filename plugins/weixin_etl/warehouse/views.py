"""
The views and functions of the schema `analytics`: read from files, and created in Postgres.

A file under `sql/analytics` has one view or function, with a comment on the view and one on each
column. `parse_view` reads a rendered file. The module `migrations` calls `update_views`, which
creates, replaces and drops the views.
"""

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
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w[\w ()]*),?\n", re.MULTILINE)
_PARTS = ("中文：", "unit: ", "key: ", "joins: ")
_REFUSED = (
    errors.InvalidTableDefinition,
    errors.InvalidFunctionDefinition,
    errors.DependentObjectsStillExist,
    errors.AmbiguousFunction,  # a function with other types of parameters does not replace the old
)
"""The errors of Postgres when CREATE OR REPLACE can't replace a view or function."""


@dataclass(frozen=True, slots=True)
class View:
    """
    A view, or a function: one that returns rows is a view with parameters.

    The comment at the top of the file describes the view. The comment above a column's name
    describes the column.
    """

    type: str  # VIEW or FUNCTION; views may read functions, functions no views
    name: str
    file: str
    text: str
    comment: str
    columns: dict[str, str]  # comments by column; those of a function by parameter and type
    query: str

    @property
    def full_name(self) -> str:
        """The name with its schema."""
        return f"analytics.{self.name}"

    @property
    def sql(self) -> str:
        """The statements that create or replace the view, then comment on it and its columns."""
        create = self.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1).rstrip()
        return "".join(f"{command};\n" for command in (create, *self._comments()))

    def _comments(self) -> Iterator[str]:
        """
        Yield the COMMENT statements of the view and its columns, without semicolons.

        The comment on a view or function ends with its file. Postgres has no comments on a
        function's parameters: the function's comment has them.
        """
        is_view = self.type == "VIEW"
        items = self.columns.items()
        parameters = [] if is_view else [f"{name}: {comment}" for name, comment in items]
        whole = "\n".join([self.comment, *parameters, f"file: {self.file}"])
        yield f"COMMENT ON {self.type} {self.full_name} IS {_literal(whole)}"
        for name, comment in items if is_view else ():
            yield f"COMMENT ON COLUMN {self.full_name}.{name} IS {_literal(comment)}"


def parse_view(text: str, file: str) -> View:
    """
    Return the view or function in a rendered text, with its comments and columns.

    Args:
        text: A comment, then one CREATE VIEW or CREATE FUNCTION with a comment above each column.
        file: The file's path, which the view keeps.

    Raises:
        ValueError: The text has another form, or the view or a column has no comment.
    """
    parts = _FILE.fullmatch(text)
    if parts is None or _COLUMN.sub("", parts["columns"]):
        raise ValueError(f"no view with a comment on everything: {text[:200]}")
    columns = {
        column["name"]: _comment_text(column[0]) for column in _COLUMN.finditer(parts["columns"])
    }
    type_, name, comment = parts["type"], parts["name"], _comment_text(parts["comment"])
    return View(type_, name, file, text, comment, columns, parts["query"])


def _comment_text(comment: str) -> str:
    """
    Return the text of an SQL comment, with its lines joined by spaces.

    Lines that begin a part (`unit: `, `key: `, `joins: ` or `中文：`) stay lines of their own.
    """
    lines = re.findall(r"^ *-- (.*)", comment, re.MULTILINE)
    parts = (f"\n{line}" if line.startswith(_PARTS) else f" {line}" for line in lines)
    return "".join(parts).strip()


def _literal(text: str) -> str:
    """Return the text as an SQL literal: in single quotes, with quotes in it doubled."""
    return "'" + text.replace("'", "''") + "'"


@cache
def all_views() -> tuple[View, ...]:
    """
    Return the views and functions of this release, each after those that it reads.

    They are read from `sql/analytics` once in a process. A file for each dataset gives several.

    Raises:
        ValueError: A file is not a view with a comment on everything, or views read one another.
    """
    names = [path.name for path in (sql_directory() / "analytics").glob("*.sql")]
    files = sorted(f"analytics/{name}" for name in names)
    rendered = [
        (file, source(file, dataset)) for file in files for dataset in template_datasets(file)
    ]
    return sort_views(parse_view(text, f"sql/{file}") for file, text in rendered)


def views() -> tuple[View, ...]:
    """Return the views of this release without the functions, each after those that it reads."""
    return tuple(view for view in all_views() if view.type == "VIEW")


def view_sql(name: str) -> str:
    """
    Return the SQL that creates or replaces a view or function, with its comments.

    Args:
        name: The name, with or without its schema.

    Raises:
        ParameterError: No view or function has this name.
    """
    found = [view.sql for view in all_views() if name in (view.full_name, view.name)]
    if not found:
        raise ParameterError(f"no view or function is called {name}")
    return found[0]


def sort_views(unordered: Iterable[View]) -> tuple[View, ...]:
    """
    Return views sorted so that each follows those that it reads, equally in every process.

    Names that are not in `unordered` are ignored.

    Raises:
        graphlib.CycleError: Views read one another. It is a ValueError.
    """
    named = {view.full_name: view for view in unordered}
    reads = {
        name: sorted(set(re.findall(r"\b\w+\.\w+", view.query)) & named.keys() - {name})
        for name, view in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(reads).static_order())


def update_views(connection: Connection, wanted: Sequence[View]) -> list[str]:
    """
    Create or replace views and functions, and drop those that only an earlier release has.

    If Postgres can't replace or drop one of them, all are dropped and created again. CASCADE is
    never used: if another program's view reads one of them, the error names that view.

    Args:
        connection: The connection, in the transaction of the migration.
        wanted: The views and functions of this release, each after those that it reads.

    Returns:
        The names of the dropped ones that this release has not, sorted.

    Raises:
        psycopg2.Error: A statement fails. The transaction has to be rolled back.
    """
    rows = connection.execute(statement("schema_migrations/views.sql"))
    present = {row.name: row.type for row in rows}
    obsolete = present.keys() - {view.full_name for view in wanted}
    try:
        with connection.begin_nested():
            _create(connection, wanted)
            _drop(connection, {name: present[name] for name in obsolete})
    except _REFUSED:
        _drop(connection, present)
        _create(connection, wanted)
    return sorted(obsolete)


def _create(connection: Connection, wanted: Iterable[View]) -> None:
    """Create or replace views and functions, in this order."""
    for view in wanted:
        execute(connection, view.sql)


def _drop(connection: Connection, types: dict[str, str]) -> None:
    """
    Drop views and functions, given their types (VIEW or FUNCTION) by name with the schema.

    All views are dropped in one statement, then all functions. Postgres raises an error if a view
    that is not among them reads one of them.
    """
    for dropped_type in ("VIEW", "FUNCTION"):  # views first: a view may read a function
        if names := ", ".join(name for name, type_ in types.items() if type_ == dropped_type):
            execute(connection, f"DROP {dropped_type} {names}")
