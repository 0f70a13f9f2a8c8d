"""Tests that `migrate` brings views and functions in line with their files, without CASCADE."""

import importlib
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Engine
from support import execute, rows

from weixin_etl import cli
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.views import View, parse_view, sort_views

pytestmark = pytest.mark.every_postgres

migrations_module = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module; in the package its name belongs to a function."""

Follow = Callable[..., str]


def view(name: str, query: str, *columns: str) -> View:
    """Return a view with a comment for each column, as parsed from a file."""
    listed = ",\n".join(f"    -- Column {column}'s.\n    {column}" for column in columns)
    text = f"-- One row.\nCREATE VIEW analytics.{name} (\n{listed}\n) AS\n{query}\n"
    return parse_view(text, f"sql/analytics/{name}.sql")


def function(where: str = "TRUE", parameter: str = "number integer") -> View:
    """Return a function that returns rows of a table, as parsed from a file."""
    return parse_view(
        "-- One row per thing.\nCREATE FUNCTION analytics.things(\n"
        f"    -- which of them\n    {parameter}\n)\n"
        "RETURNS SETOF weixin.dim_account\nLANGUAGE sql STABLE\nBEGIN ATOMIC\n"
        f"SELECT * FROM weixin.dim_account WHERE {where};\nEND\n",
        "sql/analytics/things.sql",
    )


BASE = view("base", "SELECT 1 AS low, '100%' AS high", "low", "high")
TOP = view("a_top", "SELECT low FROM analytics.base", "low")
THINGS, OTHER_THINGS = function(), function("appid = number::text")
ON_THINGS = view("on_things", "SELECT appid FROM analytics.things(1)", "appid")
OTHER_VALUES = view("base", "SELECT 2 AS low, '50%' AS high", "low", "high")
WIDER = view("base", "SELECT 2 AS low, '50%' AS high, 3 AS three", "low", "high", "three")
OTHER_COLUMNS = view("base", "SELECT 1 AS low, 3 AS three", "low", "three")
OTHER_TYPE = view("base", "SELECT 1 AS low, 2 AS high", "low", "high")
OIDS = """
    SELECT relname::text, oid::bigint FROM pg_class
    WHERE relkind = 'v' AND relnamespace = 'analytics'::regnamespace
    UNION ALL
    SELECT proname::text, oid FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace
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
MAY_READ = """
    SELECT bool_and(has_table_privilege('weixin_reader', oid, 'SELECT')) FROM pg_class
    WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v'
"""


@pytest.fixture
def follow(fresh: Engine, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Return a function that migrates to a release with the given views."""

    def _follow(*wanted: View) -> str:
        monkeypatch.setattr(migrations_module, "all_views", lambda: sort_views(wanted))
        return migrate(fresh.url)

    return _follow


@pytest.fixture
def made(follow: Follow) -> None:
    """Migrate to a release whose views and function depend on one another."""
    follow(TOP, BASE, ON_THINGS, THINGS)


@pytest.fixture
def outside(made: None, fresh: Engine) -> None:
    """Create another user's views that read the release's views and function."""
    execute(
        fresh,
        "CREATE SCHEMA own",
        "CREATE VIEW own.report AS SELECT low FROM analytics.a_top",
        "CREATE VIEW own.found AS SELECT appid FROM analytics.things(1)",
    )


@pytest.mark.usefixtures("made")
def test_views_and_functions_are_created_with_their_comments(fresh: Engine):
    """Each view is created after the views it reads. Percent signs stay as they are."""
    comments = dict(rows(fresh, COMMENTS))

    assert rows(fresh, "SELECT low, high FROM analytics.base") == [(1, "100%")]
    assert comments["base2"] == "Column high's."
    assert comments["things"].startswith("One row per thing.\nnumber integer: which of them\n")
    assert rows(fresh, MAY_READ) == [(True,)]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("changed", [OTHER_VALUES, WIDER], ids=["values", "wider"])
def test_a_compatible_view_is_replaced_in_place(follow: Follow, fresh: Engine, changed: View):
    """Other users' views of a replaced view stay, also after a column is added at the end."""
    before = rows(fresh, OIDS)

    assert follow(TOP, changed, ON_THINGS, OTHER_THINGS) != ""

    assert rows(fresh, "SELECT * FROM own.report") == [(2,)]
    assert rows(fresh, OIDS) == before
    assert follow(TOP, changed, ON_THINGS, OTHER_THINGS) == ""


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("base", "things"),
    [
        *((OTHER_COLUMNS, THINGS), (OTHER_TYPE, THINGS)),
        *((BASE, function(parameter="place integer")), (BASE, function(parameter="number bigint"))),
    ],
    ids=["columns", "type", "parameter", "parameter's type"],
)
def test_an_incompatible_view_or_function_is_recreated_with_its_dependents(
    follow: Follow, fresh: Engine, base: View, things: View
):
    """No old version remains, and the reader keeps the right to read."""
    before = dict(rows(fresh, OIDS))

    follow(TOP, base, ON_THINGS, things)

    after = dict(rows(fresh, OIDS))
    assert after.keys() == before.keys()
    assert {*after.values()}.isdisjoint(before.values())
    assert rows(fresh, MAY_READ) == [(True,)]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    "wanted", [[TOP, OTHER_COLUMNS], [TOP, OTHER_TYPE], [BASE]], ids=["columns", "type", "gone"]
)
def test_a_foreign_view_stops_the_migration(follow: Follow, fresh: Engine, wanted: list[View]):
    """The error names the foreign view, and no view is changed."""
    before = rows(fresh, OIDS)

    with pytest.raises(WarehouseError, match=r"view own\.report depends on view analytics\.a_top"):
        follow(view("another", "SELECT 1 AS low", "low"), *wanted, ON_THINGS, THINGS)

    assert rows(fresh, OIDS) == before


@pytest.mark.usefixtures("made")
def test_an_older_release_drops_views_that_it_does_not_have(follow: Follow, fresh: Engine):
    """The older release's views are restored. Foreign views and functions in the schema stay."""
    execute(
        fresh,
        "CREATE VIEW analytics.foreign_view AS SELECT 1 AS low",
        "CREATE FUNCTION analytics.foreign_sql(n bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    dropped = follow(view("base", "SELECT 1 AS low", "low"))

    assert "analytics.a_top, analytics.on_things, analytics.things" in dropped
    assert [name for name, _ in rows(fresh, OIDS)] == ["base", "foreign_sql", "foreign_view"]


@pytest.mark.parametrize("name", ["analytics.metric", "article_total_as_of"])
def test_migrate_prints_the_sql_of_a_view(
    fresh: Engine, capsys: pytest.CaptureFixture[str], name: str
):
    """The SQL creates the view with its comments. Printing needs no warehouse."""
    assert cli.main(["migrate", "--print", name]) == 0
    sql = capsys.readouterr().out
    migrate(fresh.url)
    made = rows(fresh, COMMENTS)

    execute(fresh, "DROP SCHEMA analytics CASCADE", "CREATE SCHEMA analytics")
    with fresh.begin() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)

    assert set() < set(rows(fresh, COMMENTS)) < set(made)
    assert cli.main(["migrate", "--print", "nothing"]) == 1
