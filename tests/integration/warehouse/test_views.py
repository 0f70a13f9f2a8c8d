"""Views and functions follow their files: replaced, made anew, refused; never by CASCADE."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Engine

from weixin_etl import cli
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.views import View, in_order, parse_view

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

Ask = Callable[[str], list[tuple[Any, ...]]]
Follow = Callable[..., str]
Capture = pytest.CaptureFixture[str]


def view(name: str, query: str, *columns: str) -> View:
    """A view as its file would have it."""
    listed = ",\n".join(f"    -- Column {column}'s.\n    {column}" for column in columns)
    text = f"-- One row.\nCREATE VIEW analytics.{name} (\n{listed}\n) AS\n{query}\n"
    return parse_view(text, f"sql/analytics/{name}.sql")


def function(query: str, parameter: str = "number integer") -> View:
    """A function as its file would have it: of a table's rows."""
    return parse_view(
        "-- One row per thing.\nCREATE FUNCTION analytics.things(\n"
        f"    -- which of them\n    {parameter}\n)\n"
        f"RETURNS SETOF weixin.dim_account\nLANGUAGE sql STABLE\nBEGIN ATOMIC\n{query};\nEND\n",
        "sql/analytics/things.sql",
    )


BASE = view("base", "SELECT 1 AS one, '100%' AS two", "one", "two")
TOP = view("a_top", "SELECT one FROM analytics.base", "one")
OTHER_VALUES = view("base", "SELECT 2 AS one, '50%' AS two", "one", "two")
WIDER = view("base", "SELECT 2 AS one, '50%' AS two, 3 AS three", "one", "two", "three")
OTHER_COLUMNS = view("base", "SELECT 1 AS one, 3 AS three", "one", "three")
OTHER_TYPE = view("base", "SELECT 1 AS one, 2 AS two", "one", "two")
THINGS = function("SELECT * FROM weixin.dim_account")
OTHER_THINGS = function("SELECT * FROM weixin.dim_account WHERE appid = number::text")
OTHER_PARAMETER = function("SELECT * FROM weixin.dim_account", "place integer")
OTHER_PARAMETER_TYPE = function("SELECT * FROM weixin.dim_account", "number bigint")
ON_THINGS = view("on_things", "SELECT appid FROM analytics.things(1)", "appid")
FUNCTIONS = "SELECT oid, xmin::text FROM pg_proc WHERE proname = 'things'"
VIEWS = """
    SELECT relname, oid, xmin::text FROM pg_class
    WHERE relkind = 'v' AND relnamespace = 'analytics'::regnamespace
    ORDER BY 1
"""
COMMENTS = """
    SELECT relname || attnum AS name, col_description(attrelid, attnum) AS comment
    FROM pg_attribute INNER JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v' AND attnum > 0
    UNION ALL
    SELECT proname, obj_description(oid, 'pg_proc')
    FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace
"""
OURS = "SELECT viewname FROM pg_views WHERE schemaname = 'analytics' ORDER BY 1"
MAY_READ = """
    SELECT has_table_privilege('weixin_reader', 'analytics.base', 'SELECT'),
        has_table_privilege('weixin_reader', 'analytics.on_things', 'SELECT'),
        has_function_privilege('weixin_reader', 'analytics.things(integer)', 'EXECUTE')
"""


@pytest.fixture
def follow(database: str, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Migrate to a release that has these views."""

    def _follow(*wanted: View) -> str:
        monkeypatch.setattr(the_migrations, "all_views", lambda: in_order(wanted))
        return migrate(database)

    return _follow


@pytest.fixture
def made(fresh: Engine, follow: Follow) -> Engine:
    """A migrated database whose release has two views, one of which stands on the other."""
    follow(TOP, BASE)
    return fresh


@pytest.fixture
def with_function(made: Engine, follow: Follow) -> Engine:
    """It has a function too, and a view of ours on that."""
    follow(TOP, BASE, ON_THINGS, THINGS)
    return made


def run(engine: Engine, *statements: str) -> None:
    """Do it, and keep it."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def outside(made: Engine) -> Iterator[None]:
    """Somebody else's view on one of ours."""
    run(made, "CREATE SCHEMA own", "CREATE VIEW own.report AS SELECT one FROM analytics.a_top")
    yield
    run(made, "DROP SCHEMA own CASCADE")


@pytest.mark.usefixtures("made")
def test_they_are_made_with_their_comments(ask: Ask):
    """Each after what it reads, whatever the order of the files; percent signs are their own."""
    assert ask("SELECT one, two FROM analytics.base") == [(1, "100%")]
    assert ask("SELECT * FROM analytics.a_top") == [(1,)]
    assert ask(
        "SELECT obj_description('analytics.base'::regclass, 'pg_class'), "
        "col_description('analytics.base'::regclass, 2)"
    ) == [("One row.\nfile: sql/analytics/base.sql", "Column two's.")]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("changed", [OTHER_VALUES, WIDER], ids=["values", "wider"])
def test_they_are_replaced_in_their_place(follow: Follow, ask: Ask, changed: View):
    """New values, and a column behind the others: somebody else's view on them stays."""
    before = [(name, oid) for name, oid, _ in ask(VIEWS)]

    said = follow(TOP, changed)

    assert said == "Brought up to date: tables, roles, views."
    assert ask("SELECT one, two FROM analytics.base") == [(2, "50%")]
    assert ask("SELECT * FROM own.report") == [(2,)]
    assert [(name, oid) for name, oid, _ in ask(VIEWS)] == before
    assert follow(TOP, changed) == ""


@pytest.mark.usefixtures("with_function")
@pytest.mark.parametrize("changed", [OTHER_COLUMNS, OTHER_TYPE], ids=["columns", "type"])
def test_where_postgres_refuses_all_are_made_anew(follow: Follow, ask: Ask, changed: View):
    """With what stands on them, and weixin_reader may read them as before."""
    before = {oid for _, oid, _ in ask(VIEWS)}

    follow(TOP, changed, ON_THINGS, THINGS)

    assert ask("SELECT * FROM analytics.a_top") == [(1,)]
    assert before.isdisjoint(oid for _, oid, _ in ask(VIEWS))
    assert ask(MAY_READ) == [(True, True, True)]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    "wanted", [[TOP, OTHER_COLUMNS], [TOP, OTHER_TYPE], [BASE]], ids=["columns", "type", "gone"]
)
def test_a_view_of_somebody_else_stops_it(follow: Follow, ask: Ask, wanted: list[View]):
    """It is named, and nothing has changed: not even a view that could be."""
    before = ask(VIEWS)

    with pytest.raises(WarehouseError) as refused:
        follow(view("another", "SELECT 1 AS one", "one"), *wanted)

    said = str(refused.value)
    assert said.startswith("the warehouse could not be migrated: the views: cannot drop ")
    assert said.endswith(
        "view own.report depends on view analytics.a_top; drop what depends on it, run "
        "`weixin-etl migrate` again, then create it again"
    )
    assert ask(VIEWS) == before


def test_functions_are_made(with_function: Engine, ask: Ask):
    """Before what reads them, with their comments; weixin_reader may use both."""
    run(
        with_function,
        "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at) "
        "VALUES ('wx1', '', '', now())",
    )

    assert ask("SELECT * FROM analytics.on_things") == [("wx1",)]
    assert ask("SELECT obj_description('analytics.things'::regproc, 'pg_proc')") == [
        ("One row per thing.\nnumber integer: which of them\nfile: sql/analytics/things.sql",)
    ]
    assert ask(MAY_READ) == [(True, True, True)]


def test_a_function_with_the_same_parameters_is_replaced_in_its_place(
    with_function: Engine, follow: Follow, ask: Ask
):
    """What stands on it, be it somebody else's, stays."""
    run(with_function, "CREATE SCHEMA own")
    run(with_function, "CREATE VIEW own.v AS SELECT * FROM analytics.things(1)")
    ((oid, xmin),) = ask(FUNCTIONS)

    follow(TOP, BASE, ON_THINGS, OTHER_THINGS)

    ((oid_then, xmin_then),) = ask(FUNCTIONS)
    assert (oid_then == oid, xmin_then == xmin) == (True, False)
    assert ask("SELECT * FROM own.v") == []


@pytest.mark.usefixtures("with_function")
@pytest.mark.parametrize("changed", [OTHER_PARAMETER, OTHER_PARAMETER_TYPE], ids=["name", "type"])
def test_a_function_with_other_parameters_is_made_anew(follow: Follow, ask: Ask, changed: View):
    """With what stands on it; none is left beside it."""
    follow(TOP, BASE, ON_THINGS, changed)

    parameters = "SELECT pg_get_function_identity_arguments(oid) FROM pg_proc"
    assert ask(f"{parameters} WHERE proname = 'things'") == [(*changed.columns,)]
    assert ask("SELECT * FROM analytics.on_things") == []


def test_what_somebody_else_has_made_stays(made: Engine, follow: Follow, ask: Ask):
    """Only what names a file of this project is dropped where a release does not have it."""
    run(
        made,
        "CREATE VIEW analytics.theirs AS SELECT 1 AS one",
        "CREATE FUNCTION analytics.their(n bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )

    follow(TOP, OTHER_COLUMNS)

    assert ask("SELECT one, analytics.their(1) FROM analytics.theirs") == [(1, 1)]


def test_whoever_migrates_lets_the_reader_read_it(made: Engine, ask: Ask, database: str):
    """Default privileges are those of the administrator who migrated before."""
    run(made, "CREATE ROLE another SUPERUSER LOGIN PASSWORD 'choose-one'")
    newest = in_order([TOP, BASE, view("newest", "SELECT 1 AS one", "one")])
    url = made.url.set(username="another", password="choose-one")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(the_migrations, "all_views", lambda: newest)
            migrate(url)
        may = ask(
            "SELECT viewowner, has_table_privilege('weixin_reader', 'analytics.newest', 'SELECT') "
            "FROM pg_views WHERE viewname = 'newest'"
        )
    finally:
        run(made, "DROP OWNED BY another CASCADE", "DROP ROLE another")

    assert may == [("another", True)]


def test_what_fails_leaves_all_as_it_was(made: Engine, follow: Follow, ask: Ask):
    """A view whose text Postgres refuses takes those before it back."""
    before = ask(VIEWS)

    with pytest.raises(WarehouseError, match='views: column "nothing" does not exist'):
        follow(OTHER_VALUES, view("a_top", "SELECT nothing FROM analytics.base", "one"))

    assert ask(VIEWS) == before


@pytest.mark.usefixtures("made")
def test_down_to_an_older_release(follow: Follow, ask: Ask):
    """Its texts are applied again, and the views it does not have are dropped."""
    standing = view("newest", "SELECT three FROM analytics.newer", "three")
    newer = [TOP, OTHER_COLUMNS, view("newer", "SELECT three FROM analytics.base", "three")]
    follow(*newer, standing, THINGS)

    said = follow(TOP, BASE)

    assert said.endswith(
        "Dropped the views analytics.newer, analytics.newest, analytics.things: not of this "
        "release."
    )
    assert ask(OURS) == [("a_top",), ("base",)]
    assert ask(FUNCTIONS) == []
    assert follow(TOP, BASE) == ""


def test_a_column_without_a_comment_is_no_view():
    """Whoever writes a view is told before it reaches a database."""
    with pytest.raises(ValueError, match="no view with a comment on everything"):
        parse_view("-- One row.\nCREATE VIEW analytics.v (\n    one\n) AS\nSELECT 1 AS one\n", "v")


@pytest.mark.parametrize("name", ["analytics.metric", "article_total_as_of"])
def test_what_postgres_gets_is_printed(fresh: Engine, ask: Ask, capsys: Capture, name: str):
    """As SQL that makes the view where there is none, with its comments; no warehouse is asked."""
    assert cli.main(["migrate", "--print", name]) == 0
    sql = capsys.readouterr().out
    migrate(fresh.url)
    made = ask(COMMENTS)

    with fresh.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA analytics CASCADE; CREATE SCHEMA analytics")
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(sql)

    assert len(ask(COMMENTS)) > 0
    assert set(ask(COMMENTS)) < set(made)


def test_a_view_that_is_none_is_named(capsys: Capture):
    """In a sentence."""
    assert cli.main(["migrate", "--print", "nothing"]) == 1
    assert capsys.readouterr().err.endswith("no view or function is called nothing\n")
