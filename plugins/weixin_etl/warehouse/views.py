"""The views and functions under sql/analytics and sql/weixin, updated after the migrations."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import psycopg2
import sqlalchemy
from psycopg2.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse.errors import WarehouseError, diagnose
from weixin_etl.warehouse.locks import lock_changes
from weixin_etl.warehouse.statements import source, sql_directory, statement

SCHEMAS = ("analytics", "weixin")
"""Each a folder under `sql`; `weixin` holds nothing but views, its tables are migrations."""

_COMMENT = r"(?P<comment>(?:-- .*\n)+)"
_HEAD = r"CREATE (?P<kind>VIEW|FUNCTION) (?P<schema>\w+)\.(?P<name>\w+) ?\("
_BODY = r"\n(?P<columns>.*?)^\)(?: AS)?\n(?P<query>.*)"
_FILE = re.compile(_COMMENT + _HEAD + _BODY, re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w[\w ]*),?\n", re.MULTILINE)
_FUNCTION_BODY = re.compile(r"^BEGIN ATOMIC\n.*", re.DOTALL | re.MULTILINE)
_OF_A_DATASET = re.compile(r"^CREATE .*{{ dataset\.", re.MULTILINE)


Shape = list[tuple[str, str]]
"""What CREATE OR REPLACE keeps: names and types of columns, or a function's parameters and rows."""


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
    def identity(self) -> str:
        """What tells it from all others: its name, a function's with its parameters' types."""
        types = ", ".join(parameter.partition(" ")[2] for parameter in self.columns)
        return f"{self.full_name}({types})" if self.kind is Kind.FUNCTION else self.full_name

    @property
    def sha256(self) -> str:
        """Of the whole text, comments included."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def probe(self) -> "View":
        """One of the same shape by another name; a function's body says nothing of its shape."""
        probe = replace(self, name="view_version_probe")
        own, other = (f"CREATE {self.kind} {it.full_name}" for it in (self, probe))
        text = _FUNCTION_BODY.sub("AS ''", self.text.replace(own, other, 1))
        return replace(probe, text=text)


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
    with _told(warehouse), warehouse.begin() as connection:
        return update(connection, wanted)


def update(connection: Connection, wanted: Sequence[View]) -> list[str]:
    """See `update_views`: its transaction's work."""
    if _Update(connection, wanted).is_done():
        return []
    lock_changes(connection, "view_version")
    return _Update(connection, wanted).run()


def refuse_if_depended_on(warehouse: Engine, wanted: Sequence[View]) -> None:
    """
    Find out before the migrations whether somebody else's view stands on one that must be dropped.

    Waits for no reader, and changes nothing. A view that can't be made before the migrations is
    judged by the names of its columns: whether their types allow a replacement is known later. Says
    nothing of a warehouse that does not answer: migrating it tells what is wrong.

    Raises:
        WarehouseError: there is one; the sentence names it.

    """
    try:
        connection = warehouse.connect()
    except DBAPIError:
        return
    with _told(warehouse), connection:
        if connection.exec_driver_sql("SELECT to_regclass('weixin.view_version')").scalar():
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            _Update(connection, wanted).refuse()


@contextmanager
def _told(warehouse: Engine) -> Iterator[None]:
    """A database's error becomes a sentence."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        failed = WarehouseError(
            f"the analysts' views could not be updated: {said}", "correct that and migrate again"
        )
        raise diagnose(error, warehouse) or failed from None


@dataclass(frozen=True, slots=True)
class _Version:
    """What a view was last created as."""

    identity: str
    sha256: str


class _Update:
    """One transaction's work."""

    def __init__(self, connection: Connection, wanted: Sequence[View]) -> None:
        self.connection = connection
        self.wanted = {view.full_name: view for view in wanted}
        versions = connection.exec_driver_sql(
            "SELECT view_name, text_sha256 FROM weixin.view_version"
        )
        self.known = {row[0].partition("(")[0]: _Version(*row) for row in versions}
        self.present = self.shapes()
        self.privileges: dict[str, list[Row[Any]]] = {}
        """Of what was dropped to be made anew, by full name."""

    def run(self) -> list[str]:
        """Everything; see `update_views`."""
        updated = []
        for view in self.wanted.values():
            if self.is_stale(view):
                self.create(view)
                updated.append(view.full_name)
        gone = sorted(self.known.keys() - self.wanted.keys())
        kept = {name: others for name in gone if (others := self.forget(name))}
        dropped = [name for name in gone if name not in kept]
        return [
            *([f"Updated the views {', '.join(updated)}."] if updated else []),
            *([f"Dropped the views {', '.join(dropped)}: not of this release."] if dropped else []),
            *[f"Kept the view {name}, not of this release: {kept[name]}." for name in kept],
        ]

    def is_done(self) -> bool:
        """Whether there is nothing to do; who may not change anything is not refused then."""
        is_stale = any(self.is_stale(view) for view in self.wanted.values())
        return not is_stale and self.known.keys() == self.wanted.keys()

    def refuse(self) -> None:
        """See `refuse_if_depended_on`."""
        for view in self.wanted.values():
            self.require_ours(view)
        doomed = [name for name, view in self.wanted.items() if self.must_be_dropped(view)]
        self.standing_on([self.known[name].identity for name in doomed])

    def is_stale(self, view: View) -> bool:
        """Whether it is not there, or was created by another text."""
        version = _Version(view.identity, view.sha256)
        return view.identity not in self.present or self.known.get(view.full_name) != version

    def must_be_dropped(self, view: View) -> bool:
        """Whether it is there as something that CREATE OR REPLACE can't make into the new one."""
        version = self.known.get(view.full_name)
        if version is None or version.identity not in self.present or not self.is_stale(view):
            return False
        if version.identity != view.identity:
            return True
        present = self.present[view.identity]
        return self.wanted_shape(view)[: len(present)] != present

    def wanted_shape(self, view: View) -> Shape:
        """
        What the view would be, made under another name and taken back.

        Where it can't be made of what is there, a column's type is taken to be what it was, and a
        function to have its old columns.
        """
        probe = view.probe
        try:
            with self.connection.begin_nested() as probing:
                self.execute("SET LOCAL check_function_bodies = off")
                self.execute(probe.text)
                shape = self.shapes()[probe.identity]
                probing.rollback()
        except psycopg2.Error:
            present = self.present[view.identity]
            if view.kind is Kind.FUNCTION:
                return present
            return [(column, dict(present).get(column, "")) for column in view.columns]
        return shape

    def shapes(self) -> dict[str, Shape]:
        """Of all that is in the schemas, by identity."""
        found = self.connection.execute(
            statement("view_version/shapes.sql"), {"schemas": [*SCHEMAS]}
        )
        return {row.identity: [*zip(row.columns, row.types, strict=True)] for row in found}

    def require_ours(self, view: View) -> None:
        """
        Make sure that what has the view's name is what we made.

        Raises:
            WarehouseError: it is somebody else's.

        """
        version = self.known.get(view.full_name)
        if view.identity in self.present and (not version or version.identity != view.identity):
            raise WarehouseError(
                f"{view.identity} exists and was not made by this project, which has a view of "
                "that name",
                "rename it",
            )

    def create(self, view: View) -> None:
        """Replace it where its columns allow that, else drop it first."""
        name = view.full_name
        version = self.known.get(name)
        self.require_ours(view)
        if version and self.must_be_dropped(view):
            self.drop([version.identity])
        self.execute(view.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1))
        self.execute(SQL(";").join(_comments(view)))
        if name in self.privileges:
            self.give_back(view)
        elif view.identity not in self.present:
            for give in self.connection.scalars(
                statement("view_version/grant.sql"), {"name": name, "kind": view.kind}
            ):
                self.execute(give)
        self.connection.execute(
            statement("view_version/save.sql"),
            {"view_name": view.identity, "text_sha256": view.sha256},
        )

    def drop(self, identities: Sequence[str]) -> None:
        """
        Drop views of ours with those of ours that stand on them, and keep their privileges in mind.

        Raises:
            WarehouseError: somebody else's view or function stands on one of them.

        """
        doomed = self.standing_on(identities)
        for identity in doomed:
            successor = self.wanted.get(identity.partition("(")[0])
            if successor and successor.kind is _kind(identity):
                self.privileges[successor.full_name] = self.privileges_of(identity, successor)
            del self.present[identity]
        for kind in Kind:
            if own := [identity for identity in doomed if _kind(identity) is kind]:
                self.execute(f"DROP {kind} {', '.join(own)}")

    def standing_on(self, identities: Sequence[str]) -> list[str]:
        """
        What of ours stands on these, and they themselves, where they are there.

        Raises:
            WarehouseError: somebody else's view or function does, too.

        """
        known = [version.identity for version in self.known.values()]
        found = self.connection.execute(
            statement("view_version/dependents.sql"), {"names": [*identities], "known": known}
        ).all()
        own = [row.own for row in found if row.own]
        if others := [row.other for row in found if not row.own]:
            raise _DependedOnError(own, others)
        return own

    def forget(self, name: str) -> str | None:
        """Drop a view that is not wanted any more; who keeps it from that."""
        identity = self.known[name].identity
        try:
            self.drop([identity])
        except _DependedOnError as refusal:
            return refusal.others
        self.connection.execute(
            sqlalchemy.text("DELETE FROM weixin.view_version WHERE view_name = :name"),
            {"name": identity},
        )
        return None

    def privileges_of(self, identity: str, successor: View) -> list[Row[Any]]:
        """Who may do what with it, as statements about what is made in its place."""
        found = self.connection.execute(
            statement("view_version/privileges.sql"),
            {"identity": identity, "successor": successor.identity},
        )
        return list(found.all())

    def give_back(self, view: View) -> None:
        """Owner and privileges as they were before the view was dropped, and no others."""
        before = self.privileges.pop(view.full_name)
        for own in {row.own for row in before}:
            self.execute(own)
        for take in {row.take for row in self.privileges_of(view.identity, view)}:
            self.execute(take)
        for row in before:
            if row.column_name is None or row.column_name in view.columns:
                self.execute(row.give)

    def execute(self, sql: str | Composable) -> None:
        """See `execute`."""
        execute(self.connection, sql)


def execute(connection: Connection, sql: str | Composable) -> None:
    """Send SQL that has no parameters: its percent signs are its own."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)


class _DependedOnError(WarehouseError):
    """Somebody else's view or function stands on one that must be dropped."""

    def __init__(self, doomed: Sequence[str], others: Sequence[str]) -> None:
        theirs, stand = ", ".join(others), "stands" if len(others) == 1 else "stand"
        self.others = f"{theirs} {stand} on it"
        super().__init__(
            f"the columns of {', '.join(doomed)} change, so that they must be dropped and created "
            f"again, but {theirs} {stand} on them",
            f"drop {theirs}, run `weixin-etl migrate` again, then create what you dropped",
        )


def _kind(identity: str) -> Kind:
    return Kind.FUNCTION if "(" in identity else Kind.VIEW


def _comments(view: View) -> Iterator[Composable]:
    """The statements; a function's parameters have no comments of their own."""
    comment = view.comment
    if view.kind is Kind.FUNCTION:
        comment = "\n".join([comment, *(f"{name}: {it}" for name, it in view.columns.items())])
    yield SQL("COMMENT ON {} {} IS {}").format(SQL(view.kind), SQL(view.identity), Literal(comment))
    if view.kind is Kind.VIEW:
        for column, its in view.columns.items():
            place = Identifier(view.schema, view.name, column)
            yield SQL("COMMENT ON COLUMN {} IS {}").format(place, Literal(its))
