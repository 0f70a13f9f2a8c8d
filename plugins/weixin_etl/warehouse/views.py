"""The views and functions under sql/analytics and sql/weixin, updated after the migrations."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import psycopg2
import sqlalchemy
from psycopg2.errors import (
    DependentObjectsStillExist,
    InvalidFunctionDefinition,
    InvalidTableDefinition,
)
from psycopg2.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS
from weixin_etl.text import one_line
from weixin_etl.warehouse.errors import WarehouseError, diagnose
from weixin_etl.warehouse.locks import lock_changes
from weixin_etl.warehouse.statements import source, sql_directory, statement

SCHEMAS = ("analytics", "weixin")
"""Each a folder under `sql`; `weixin` holds nothing but views, its tables are migrations."""

_COMMENT = r"(?P<comment>(?:-- .*\n)+)"
_HEAD = r"CREATE (?P<type>VIEW|FUNCTION) (?P<schema>\w+)\.(?P<name>\w+) ?\("
_BODY = r"\n(?P<columns>.*?)^\)(?: AS)?\n(?P<query>.*)"
_FILE = re.compile(_COMMENT + _HEAD + _BODY, re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w[\w ]*),?\n", re.MULTILINE)
_READER = "SELECT to_regrole('weixin_reader')"
_OF_EACH = re.compile(r"^CREATE .*{{ dataset\.(?P<after>name|suffix) }}", re.MULTILINE)


class ObjectType(StrEnum):
    """What a file makes; views may read functions, functions no views."""

    VIEW = "VIEW"
    FUNCTION = "FUNCTION"


@dataclass(frozen=True, slots=True)
class View:
    """
    A view as its file says, or a function that has rows: a view with parameters.

    The comment on top of the file becomes the view's, the one above each column's name in the list
    that column's.
    """

    type: ObjectType
    schema: str
    name: str
    text: str
    comment: str
    columns: dict[str, str]
    """Comments by the columns' names; of a function by its parameters, with their types."""
    query: str

    @property
    def full_name(self) -> str:
        """With its schema."""
        return f"{self.schema}.{self.name}"

    @property
    def identity(self) -> str:
        """What tells it from all others: its name, a function's with its parameters' types."""
        types = ", ".join(parameter.partition(" ")[2] for parameter in self.columns)
        return f"{self.full_name}({types})" if self.type is ObjectType.FUNCTION else self.full_name

    @property
    def sha256(self) -> str:
        """The hash of the whole text, comments included."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def parse_view(text: str) -> View:
    """
    A view's rendered text, taken apart.

    Raises:
        ValueError: it has another form, or a column has no comment.
    """
    parts = _FILE.fullmatch(text)
    if parts is None or _COLUMN.sub("", parts["columns"]):
        raise ValueError(f"no view with a comment on everything: {text[:200]}")
    columns = {column["name"]: _words(column[0]) for column in _COLUMN.finditer(parts["columns"])}
    return View(
        ObjectType(parts["type"]),
        parts["schema"],
        parts["name"],
        text,
        _words(parts["comment"]),
        columns,
        parts["query"],
    )


def _words(comment: str) -> str:
    """A comment as Postgres keeps it: each part on a line of its own, however it is wrapped."""
    lines = re.findall(r"^ *-- (.*)", comment, re.MULTILINE)
    return "".join(f"{_before(line)}{line}" for line in lines).strip()


def _before(line: str) -> str:
    return "\n" if line.startswith(("中文：", "unit: ", "key: ", "joins: ")) else " "


@cache
def all_views() -> tuple[View, ...]:
    """
    The views and functions of every schema, each after those it reads.

    A file that names what it creates after `dataset.name` creates one for each dataset; after
    `dataset.suffix`, for each of publication days.
    """
    of = {
        "name": DATASETS.values(),
        "suffix": ARTICLE_DATASETS.values(),
    }
    paths = [path for schema in SCHEMAS for path in (sql_directory() / schema).glob("*.sql")]
    texts = []
    for path in sorted(paths):
        name = f"{path.parent.name}/{path.name}"
        if each := _OF_EACH.search(path.read_text()):
            texts += [source(name, it) for it in of[each["after"]]]
        else:
            texts.append(source(name))
    return in_order(parse_view(text) for text in texts)


def views() -> tuple[View, ...]:
    """The analysts' views."""
    return tuple(
        view for view in all_views() if view.schema == "analytics" and view.type is ObjectType.VIEW
    )


def in_order(unordered: Iterable[View]) -> tuple[View, ...]:
    """Each after those it reads."""
    named = {view.full_name: view for view in unordered}
    reads = {
        name: set(re.findall(r"\b\w+\.\w+", view.query)) & named.keys() - {name}
        for name, view in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(reads).static_order())


def update_views(warehouse: Engine, wanted: Sequence[View]) -> list[str]:
    """
    Bring the views to their texts, in one transaction; two processes do so one after the other.

    Those whose text has changed are replaced in their place, and those that this release does not
    have are dropped. Where Postgres refuses that, all are dropped and created again, with their
    owners and privileges.

    Returns:
        What was done, in sentences; nothing when everything was up to date.

    Raises:
        WarehouseError: it could not be done, for example as somebody else's view stands on one
            that must be dropped. Nothing has changed.
    """
    with _told(warehouse), warehouse.begin() as connection:
        return update(connection, wanted)


def update(connection: Connection, wanted: Sequence[View]) -> list[str]:
    """See `update_views`: its transaction's work."""
    texts = {view.identity: view.sha256 for view in wanted}
    # whoever may change nothing is not refused when there is nothing to change
    if _present(connection) == texts:
        return []
    lock_changes(connection, "view_version")
    present = _present(connection)
    changed = [view for view in wanted if present.get(view.identity) != view.sha256]
    gone = present.keys() - texts.keys()
    try:
        with connection.begin_nested():
            for view in changed:
                _create(connection, view, replaces=view.identity in present)
            _drop(connection, gone)
    except (InvalidTableDefinition, InvalidFunctionDefinition, DependentObjectsStillExist):
        _create_anew(connection, present, wanted)
    connection.execute(
        sqlalchemy.text("DELETE FROM weixin.view_version WHERE NOT view_name = any(:wanted)"),
        {"wanted": [*texts]},
    )
    updated = ", ".join(view.full_name for view in changed)
    dropped = ", ".join(sorted({*map(_full_name, gone)} - {view.full_name for view in wanted}))
    return [
        *([f"Updated the views {updated}."] if updated else []),
        *([f"Dropped the views {dropped}: not of this release."] if dropped else []),
    ]


@contextmanager
def _told(warehouse: Engine) -> Iterator[None]:
    """A database's error becomes a sentence."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said, cure = str(cause), "correct that, then run `weixin-etl migrate` again"
        if isinstance(cause, DependentObjectsStillExist):  # its hint is CASCADE
            said = f"{cause.diag.message_primary}: {cause.diag.message_detail}"
            cure = "drop what depends on it, run `weixin-etl migrate` again, then create it again"
        failed = WarehouseError(f"the analysts' views could not be updated: {one_line(said)}", cure)
        raise diagnose(error, warehouse) or failed from None


def _present(connection: Connection) -> dict[str, str]:
    """What of ours is there, by identity: the SHA-256 of the text that it was created from."""
    found = connection.execute(statement("view_version/present.sql"))
    return {row.view_name: row.text_sha256 for row in found}


def _create(connection: Connection, view: View, *, replaces: bool = False) -> None:
    """Create a view, which weixin_reader may read, or replace it in its place."""
    if replaces:
        execute(connection, view.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1))
    else:
        execute(connection, view.text)  # a view of somebody else's of the same name stops it
        if view.type is ObjectType.VIEW and connection.scalar(sqlalchemy.text(_READER)):
            execute(connection, f"GRANT SELECT ON {view.full_name} TO weixin_reader")
    execute(connection, SQL(";").join(_comments(view)))
    connection.execute(
        statement("view_version/save.sql"),
        {"view_name": view.identity, "text_sha256": view.sha256},
    )


def _drop(connection: Connection, identities: Collection[str]) -> None:
    for type_ in ObjectType:  # views first: they may stand on functions
        if names := ", ".join(it for it in sorted(identities) if _type_of(it) is type_):
            execute(connection, f"DROP {type_} {names}")


def _create_anew(connection: Connection, present: Collection[str], wanted: Sequence[View]) -> None:
    """Drop all of ours, then create what is wanted, with owners and privileges as before."""
    successors = {(view.full_name, view.type): view for view in wanted}
    before = {}
    for identity in present:
        if view := successors.get((_full_name(identity), _type_of(identity))):
            before[view.identity] = _privileges(connection, identity, view)
    _drop(connection, present)
    for view in wanted:
        _create(connection, view)
        if rows := before.get(view.identity):
            execute(connection, rows[0].own)
            for take in {row.take for row in _privileges(connection, view.identity, view)}:
                execute(connection, take)
            for row in rows:
                if row.column_name is None or row.column_name in view.columns:
                    execute(connection, row.give)


def _privileges(connection: Connection, identity: str, successor: View) -> Sequence[Row[Any]]:
    """Who may do what with it, as statements about what is created in its place."""
    names = {"VIEW": None, "FUNCTION": None, _type_of(identity): identity}
    return connection.execute(
        statement("view_version/privileges.sql"), {**names, "successor": successor.identity}
    ).all()


def execute(connection: Connection, sql: str | Composable) -> None:
    """Send SQL that has no parameters: its percent signs are its own."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)


def _full_name(identity: str) -> str:
    return identity.partition("(")[0]


def _type_of(identity: str) -> ObjectType:
    return ObjectType.FUNCTION if "(" in identity else ObjectType.VIEW


def _comments(view: View) -> Iterator[Composable]:
    """The statements; a function's parameters have no comments of their own."""
    comment = view.comment
    if view.type is ObjectType.FUNCTION:
        comment = "\n".join([comment, *(f"{name}: {it}" for name, it in view.columns.items())])
    yield SQL("COMMENT ON {} {} IS {}").format(SQL(view.type), SQL(view.identity), Literal(comment))
    if view.type is ObjectType.VIEW:
        for column, its in view.columns.items():
            place = Identifier(view.schema, view.name, column)
            yield SQL("COMMENT ON COLUMN {} IS {}").format(place, Literal(its))
