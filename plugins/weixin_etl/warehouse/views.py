"""The views and functions under sql/analytics and sql/weixin, updated after the migrations."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
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

from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse.errors import WarehouseError, trouble
from weixin_etl.warehouse.statements import source, sql_directory, statement

SCHEMAS = ("analytics", "weixin")
"""Each a folder under `sql`; `weixin` holds nothing but views, its tables are migrations."""

_COMMENT = r"(?P<comment>(?:-- .*\n)+)"
_HEAD = r"CREATE (?P<kind>VIEW|FUNCTION) (?P<schema>\w+)\.(?P<name>\w+) ?\("
_BODY = r"\n(?P<columns>.*?)^\)(?: AS)?\n(?P<query>.*)"
_FILE = re.compile(_COMMENT + _HEAD + _BODY, re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w[\w ]*),?\n", re.MULTILINE)
_OF_A_DATASET = re.compile(r"^CREATE .*{{ dataset\.", re.MULTILINE)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('weixin.view_version', 0))"


class Kind(StrEnum):
    """What a file makes; views may read functions, functions read tables only."""

    VIEW = "VIEW"
    FUNCTION = "FUNCTION"


@dataclass(frozen=True, slots=True)
class View:
    """
    A view as its file says, or a function that has rows: a view with parameters.

    The comment on top of the file becomes the view's, the one above each column's name in the list
    that column's.
    """

    kind: Kind
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
    def sha256(self) -> str:
        """Of the whole text, comments included."""
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
        Kind(parts["kind"]),
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
    return "\n" if line.startswith(("中文：", "unit: ", "key: ")) else " "


@cache
def all_views() -> tuple[View, ...]:
    """
    The views and functions of every schema, each after those it reads.

    A file that names what it creates after `dataset` creates one for each dataset.
    """
    paths = [path for schema in SCHEMAS for path in (sql_directory() / schema).glob("*.sql")]
    texts = []
    for path in sorted(paths):
        name = f"{path.parent.name}/{path.name}"
        is_of_a_dataset = _OF_A_DATASET.search(path.read_text())
        texts += (
            [source(name, it) for it in DATASETS.values()] if is_of_a_dataset else [source(name)]
        )
    return in_order(parse_view(text) for text in texts)


def views() -> tuple[View, ...]:
    """The analysts' views."""
    return tuple(
        view for view in all_views() if view.schema == "analytics" and view.kind is Kind.VIEW
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

    A view or function that was created by the same text is left alone. One that can't be replaced
    is dropped and created with its owner and its privileges, and so are those of ours that stand on
    it. One that is not wanted any more is dropped, unless somebody else's view stands on it.

    Returns:
        What was done, in sentences; nothing when everything was up to date.

    Raises:
        WarehouseError: it could not be done, and nothing is changed.

    """
    try:
        with warehouse.begin() as connection:
            return _Update(connection, wanted).run()
    except (DBAPIError, psycopg2.Error) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        failed = WarehouseError(
            f"the analysts' views could not be updated: {said}", "correct that and migrate again"
        )
        raise trouble(error, warehouse) or failed from None


def refuse_if_depended_on(warehouse: Engine, wanted: Sequence[View]) -> None:
    """
    Find out before the migrations whether somebody else's view stands on one that must be dropped.

    Judged by the names of columns: whether their types allow a replacement is known later. Says
    nothing of a warehouse that can't be asked: migrating it tells what is wrong.

    Raises:
        WarehouseError: there is one; the sentence names it.

    """
    try:
        with warehouse.connect() as connection:
            if connection.exec_driver_sql("SELECT to_regclass('weixin.view_version')").scalar():
                update = _Update(connection, wanted)
                update.drop([view.full_name for view in wanted if update.has_other_columns(view)])
    except (DBAPIError, psycopg2.Error):
        return


class _Update:
    """One transaction's work."""

    def __init__(self, connection: Connection, wanted: Sequence[View]) -> None:
        self.connection = connection
        self.wanted = wanted
        connection.exec_driver_sql(_LOCK)
        # whoever waits for a reader keeps all others from reading meanwhile
        connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
        versions = connection.exec_driver_sql(
            "SELECT view_name, text_sha256 FROM weixin.view_version"
        )
        self.known: dict[str, str] = {row[0]: row[1] for row in versions}
        columns = connection.execute(statement("view_version/columns.sql"), {"schemas": [*SCHEMAS]})
        self.present: dict[str, tuple[str, list[str]]] = {
            row.name: (row.kind, row.columns) for row in columns
        }
        self.dropped: dict[str, list[Row[Any]]] = {}
        """Privileges by view."""

    def run(self) -> list[str]:
        """Everything; see `update_views`."""
        updated = []
        for view in self.wanted:
            if self.is_stale(view):
                self.create(view)
                updated.append(view.full_name)
        gone = sorted(self.known.keys() - {view.full_name for view in self.wanted})
        kept = {name: others for name in gone if (others := self.forget(name))}
        dropped = [name for name in gone if name not in kept]
        return [
            *([f"Updated the views {', '.join(updated)}."] if updated else []),
            *([f"Dropped the views {', '.join(dropped)}: not of this release."] if dropped else []),
            *[f"Kept the view {name}, not of this release: {kept[name]}." for name in kept],
        ]

    def is_stale(self, view: View) -> bool:
        """Whether the view is not there as its text says."""
        name = view.full_name
        is_there = name in self.present and name not in self.dropped
        return not is_there or self.known.get(name) != view.sha256

    def has_other_columns(self, view: View) -> bool:
        """Whether the view is there with columns that the new ones don't begin with."""
        if not self.is_stale(view) or view.full_name not in self.present:
            return False
        kind, columns = self.present[view.full_name]
        wanted = list(view.columns)
        if view.kind is Kind.VIEW:
            wanted = wanted[: len(columns)]
        return (kind, columns) != (view.kind, wanted)

    def create(self, view: View) -> None:
        """Replace it where its columns allow that, else drop it first."""
        name = view.full_name
        if name in self.present and name not in self.known:
            raise WarehouseError(
                f"{name} exists and was not made by this project, which has a view of that name",
                "rename it",
            )
        if self.has_other_columns(view) or not self.replace(view):
            self.drop([name])
            self.replace(view)
        if name in self.dropped:
            self.give_back(view)
        elif name not in self.present:
            for give in self.connection.scalars(
                statement("view_version/grant.sql"), {"name": name, "kind": view.kind}
            ):
                self.execute(give)
        self.connection.execute(
            statement("view_version/save.sql"), {"view_name": name, "text_sha256": view.sha256}
        )

    def replace(self, view: View) -> bool:
        """Whether Postgres takes the new columns for the old ones' place."""
        try:
            with self.connection.begin_nested():
                self.execute(view.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1))
                self.execute(SQL(";").join(_comments(view)))
        except (InvalidTableDefinition, InvalidFunctionDefinition):
            if view.full_name in self.dropped:
                raise
            return False
        return True

    def drop(self, names: Sequence[str]) -> None:
        """
        Drop views of ours with those of ours that stand on them, and keep their privileges in mind.

        Raises:
            WarehouseError: somebody else's view or function stands on one of them.

        """
        standing = self.connection.scalars(
            statement("view_version/dependents.sql"), {"names": [*names]}
        )
        doomed = sorted(self.known.keys() & standing.all())
        if not doomed:
            return
        for name in doomed:
            self.dropped[name] = self.privileges(name)
        try:
            with self.connection.begin_nested():
                for kind in Kind:
                    if own := [name for name in doomed if self.present[name][0] == kind]:
                        names = SQL(", ").join(map(_of, own))
                        self.execute(SQL("DROP {} {}").format(SQL(kind), names))
        except DependentObjectsStillExist as error:
            others = re.findall(r"^(.+) depends on ", error.diag.message_detail or "", re.MULTILINE)
            raise _DependedOnError(doomed, others) from None

    def forget(self, name: str) -> str | None:
        """Drop a view that is not wanted any more; who keeps it from that."""
        try:
            self.drop([name])
        except _DependedOnError as refusal:
            del self.dropped[name]
            return refusal.others
        self.connection.execute(
            sqlalchemy.text("DELETE FROM weixin.view_version WHERE view_name = :name"),
            {"name": name},
        )
        return None

    def privileges(self, name: str) -> list[Row[Any]]:
        """Who may do what with the view, as statements."""
        found = self.connection.execute(statement("view_version/privileges.sql"), {"name": name})
        return list(found.all())

    def give_back(self, view: View) -> None:
        """Owner and privileges as they were before the view was dropped, and no others."""
        before = self.dropped.pop(view.full_name)
        for own in {row.own for row in before}:
            self.execute(own)
        for take in {row.take for row in self.privileges(view.full_name)}:
            self.execute(take)
        for row in before:
            if row.column_name is None or row.column_name in view.columns:
                self.execute(row.give)

    def execute(self, sql: str | Composable) -> None:
        """Send SQL that has no parameters: its percent signs are its own."""
        with closing(self.connection.connection.cursor()) as cursor:
            cursor.execute(sql)


class _DependedOnError(WarehouseError):
    """Somebody else's view or function stands on one that must be dropped."""

    def __init__(self, doomed: Sequence[str], others: Sequence[str]) -> None:
        is_one = len(others) == 1
        self.others = f"{', '.join(others)} {'stands' if is_one else 'stand'} on it"
        super().__init__(
            f"the columns of {', '.join(doomed)} change, so that they must be "
            f"dropped and created again, but {', '.join(others)} {'stands' if is_one else 'stand'} "
            "on them",
            f"drop {'it' if is_one else 'these'}, run `weixin-etl migrate` again, then "
            "create what you dropped",
        )


def _of(name: str) -> Composable:
    return Identifier(*name.split("."))


def _comments(view: View) -> Iterator[Composable]:
    """The statements; a function's parameters have no comments of their own."""
    comment = view.comment
    if view.kind is Kind.FUNCTION:
        comment = "\n".join([comment, *(f"{name}: {it}" for name, it in view.columns.items())])
    yield SQL("COMMENT ON {} {} IS {}").format(
        SQL(view.kind), _of(view.full_name), Literal(comment)
    )
    if view.kind is Kind.VIEW:
        for column, its in view.columns.items():
            place = Identifier(view.schema, view.name, column)
            yield SQL("COMMENT ON COLUMN {} IS {}").format(place, Literal(its))
