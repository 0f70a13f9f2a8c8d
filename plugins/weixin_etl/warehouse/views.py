"""The analysts' views under sql/analytics, brought up to date after the migrations."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import psycopg2
import sqlalchemy
from psycopg2.errors import DependentObjectsStillExist, InvalidTableDefinition
from psycopg2.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse.errors import WarehouseError, trouble
from weixin_etl.warehouse.statements import source, sql_directory, statement

_HEAD = r"(?P<comment>(?:-- .*\n)+)CREATE VIEW analytics\.(?P<name>\w+) \("
_BODY = r"\n(?P<columns>.*?)^\) AS\n(?P<query>.*)"
_FILE = re.compile(_HEAD + _BODY, re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r"(?P<comment>(?:^ +-- .*\n)+)^ +(?P<name>\w+),?\n", re.MULTILINE)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('weixin.view_version', 0))"


@dataclass(frozen=True, slots=True)
class View:
    """
    A view of schema `analytics`, as its file says.

    The comment on top of the file becomes the view's, the one above each column's name in the list
    that column's.
    """

    name: str
    text: str
    comment: str
    columns: dict[str, str]
    """Comments by the columns' names."""
    query: str

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
    return View(parts["name"], text, _words(parts["comment"]), columns, parts["query"])


def _words(comment: str) -> str:
    """A comment as Postgres keeps it: each part on a line of its own, however it is wrapped."""
    lines = re.findall(r"^ *-- (.*)", comment, re.MULTILINE)
    return "".join(f"{_before(line)}{line}" for line in lines).strip()


def _before(line: str) -> str:
    return "\n" if line.startswith(("中文：", "unit: ")) else " "


@cache
def views() -> tuple[View, ...]:
    """
    The views, each after those it reads.

    A file that names `dataset.suffix` is a view of each dataset.
    """
    texts = []
    for path in sorted((sql_directory() / "analytics").glob("*.sql")):
        name = f"analytics/{path.name}"
        is_of_a_dataset = "{{ dataset.suffix }}" in path.read_text()
        texts += (
            [source(name, it) for it in DATASETS.values()] if is_of_a_dataset else [source(name)]
        )
    return in_order(parse_view(text) for text in texts)


def in_order(unordered: Iterable[View]) -> tuple[View, ...]:
    """Each after those it reads."""
    named = {view.name: view for view in unordered}
    reads = {
        view.name: set(re.findall(r"\banalytics\.(\w+)", view.query)) & named.keys() - {view.name}
        for view in named.values()
    }
    return tuple(named[name] for name in TopologicalSorter(reads).static_order())


def update_views(warehouse: Engine, wanted: Sequence[View]) -> list[str]:
    """
    Bring the views to their texts, in one transaction; two processes do so one after the other.

    A view that was created by the same text is left alone. One that can't be replaced is dropped
    and created with its owner and its privileges, and so are those of ours that stand on it. One
    that is not wanted any more is dropped, unless somebody else's view stands on it.

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
                update.drop([view.name for view in wanted if update.has_other_columns(view)])
    except DBAPIError:
        return


class _Update:
    """One transaction's work."""

    def __init__(self, connection: Connection, wanted: Sequence[View]) -> None:
        self.connection = connection
        self.wanted = wanted
        connection.exec_driver_sql(_LOCK)
        versions = connection.exec_driver_sql(
            "SELECT view_name, text_sha256 FROM weixin.view_version"
        )
        self.known: dict[str, str] = {row[0]: row[1] for row in versions}
        columns = connection.execute(statement("view_version/columns.sql"))
        self.present: dict[str, list[str]] = {row[0]: row[1] for row in columns}
        self.dropped: dict[str, list[Row[Any]]] = {}
        """Privileges by view."""

    def run(self) -> list[str]:
        """Everything; see `update_views`."""
        updated = []
        for view in self.wanted:
            if self.is_stale(view):
                self.create(view)
                updated.append(view.name)
        gone = sorted(self.known.keys() - {view.name for view in self.wanted})
        kept = {name: others for name in gone if (others := self.forget(name))}
        dropped = [name for name in gone if name not in kept]
        return [
            *([f"Updated the views {', '.join(updated)}."] if updated else []),
            *([f"Dropped the views {', '.join(dropped)}: not of this release."] if dropped else []),
            *[f"Kept the view {name}, not of this release: {kept[name]}." for name in kept],
        ]

    def is_stale(self, view: View) -> bool:
        """Whether the view is not there as its text says."""
        is_there = view.name in self.present and view.name not in self.dropped
        return not is_there or self.known.get(view.name) != view.sha256

    def has_other_columns(self, view: View) -> bool:
        """Whether the view is there with columns that the new ones don't begin with."""
        present = self.present.get(view.name, [])
        return self.is_stale(view) and list(view.columns)[: len(present)] != present

    def create(self, view: View) -> None:
        """Replace it where its columns allow that, else drop it first."""
        if view.name in self.present and view.name not in self.known:
            raise WarehouseError(
                f"analytics.{view.name} exists and was not made by this project, "
                "which has a view of that name",
                "rename it",
            )
        if not self.replace(view):
            self.drop([view.name])
            self.replace(view)
        if view.name in self.dropped:
            self.give_back(view)
        self.connection.execute(
            statement("view_version/save.sql"),
            {"view_name": view.name, "text_sha256": view.sha256},
        )

    def replace(self, view: View) -> bool:
        """Whether Postgres takes the new columns for the old ones' place."""
        comments = [SQL("COMMENT ON VIEW {} IS {}").format(_of(view.name), Literal(view.comment))]
        for column, comment in view.columns.items():
            place = SQL("{}.{}").format(_of(view.name), Identifier(column))
            comments.append(SQL("COMMENT ON COLUMN {} IS {}").format(place, Literal(comment)))
        try:
            with self.connection.begin_nested():
                self.execute(view.text.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
                self.execute(SQL(";").join(comments))
        except InvalidTableDefinition:
            if view.name in self.dropped:
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
                self.execute(SQL("DROP VIEW {}").format(SQL(", ").join(map(_of, doomed))))
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
        before = self.dropped.pop(view.name)
        for own in {row.own for row in before}:
            self.execute(own)
        for take in {row.take for row in self.privileges(view.name)}:
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
            f"the columns of analytics.{', analytics.'.join(doomed)} change, so that they must be "
            f"dropped and created again, but {', '.join(others)} {'stands' if is_one else 'stand'} "
            "on them",
            f"drop {'it' if is_one else 'these'}, run `weixin-etl migrate` again, then "
            "create what you dropped",
        )


def _of(name: str) -> Composable:
    return Identifier("analytics", name)
