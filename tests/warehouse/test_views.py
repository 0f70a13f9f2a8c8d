"""Views and functions follow their files: replaced, made anew, refused; never by CASCADE."""

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

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

Follow = Callable[..., str]


def view(name: str, query: str, *columns: str) -> View:
    """A view as its file would have it."""
    listed = ",\n".join(f"    -- Column {column}'s.\n    {column}" for column in columns)
    text = f"-- One row.\nCREATE VIEW analytics.{name} (\n{listed}\n) AS\n{query}\n"
    return parse_view(text, f"sql/analytics/{name}.sql")


def function(where: str = "TRUE", parameter: str = "number integer") -> View:
    """A function as its file would have it: of a table's rows."""
    return parse_view(
        "-- One row per thing.\nCREATE FUNCTION analytics.things(\n"
        f"    -- which of them\n    {parameter}\n)\n"
        "RETURNS SETOF weixin.dim_account\nLANGUAGE sql STABLE\nBEGIN ATOMIC\n"
        f"SELECT * FROM weixin.dim_account WHERE {where};\nEND\n",
        "sql/analytics/things.sql",
    )


BASE = view("base", "SELECT 1 AS one, '100%' AS two", "one", "two")
TOP = view("a_top", "SELECT one FROM analytics.base", "one")
THINGS, OTHER_THINGS = function(), function("appid = number::text")
ON_THINGS = view("on_things", "SELECT appid FROM analytics.things(1)", "appid")
OTHER_VALUES = view("base", "SELECT 2 AS one, '50%' AS two", "one", "two")
WIDER = view("base", "SELECT 2 AS one, '50%' AS two, 3 AS three", "one", "two", "three")
OTHER_COLUMNS = view("base", "SELECT 1 AS one, 3 AS three", "one", "three")
OTHER_TYPE = view("base", "SELECT 1 AS one, 2 AS two", "one", "two")
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
    """Migrate to a release that has these views."""

    def _follow(*wanted: View) -> str:
        monkeypatch.setattr(the_migrations, "all_views", lambda: sort_views(wanted))
        return migrate(fresh.url)

    return _follow


@pytest.fixture
def made(follow: Follow) -> None:
    """A release whose views and function stand on one another."""
    follow(TOP, BASE, ON_THINGS, THINGS)


@pytest.fixture
def outside(made: None, fresh: Engine) -> None:
    """Somebody else's views on ours, and their own in our schema."""
    execute(
        fresh,
        "CREATE SCHEMA own",
        "CREATE VIEW own.report AS SELECT one FROM analytics.a_top",
        "CREATE VIEW own.found AS SELECT appid FROM analytics.things(1)",
    )


@pytest.mark.usefixtures("made")
def test_they_are_made_with_their_comments(fresh: Engine):
    """Each after what it reads, whatever the order of the files; percent signs are their own."""
    comments = dict(rows(fresh, COMMENTS))

    assert rows(fresh, "SELECT one, two FROM analytics.base") == [(1, "100%")]
    assert comments["base2"] == "Column two's."
    assert comments["things"].startswith("One row per thing.\nnumber integer: which of them\n")
    assert rows(fresh, MAY_READ) == [(True,)]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("changed", [OTHER_VALUES, WIDER], ids=["values", "wider"])
def test_they_are_replaced_in_their_place(follow: Follow, fresh: Engine, changed: View):
    """New values, and a column behind the others: somebody else's views on them stay."""
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
def test_where_postgres_refuses_all_are_made_anew(
    follow: Follow, fresh: Engine, base: View, things: View
):
    """With what stands on them; none is left beside a new one, and the reader may read them."""
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
def test_a_view_of_somebody_else_stops_it(follow: Follow, fresh: Engine, wanted: list[View]):
    """It is named, and nothing has changed: not even a view that could be."""
    before = rows(fresh, OIDS)

    with pytest.raises(WarehouseError, match=r"view own\.report depends on view analytics\.a_top"):
        follow(view("another", "SELECT 1 AS one", "one"), *wanted, ON_THINGS, THINGS)

    assert rows(fresh, OIDS) == before


@pytest.mark.usefixtures("made")
def test_an_older_release_drops_what_it_does_not_have(follow: Follow, fresh: Engine):
    """Its texts are applied again; what somebody else has made in our schema stays."""
    execute(
        fresh,
        "CREATE VIEW analytics.theirs AS SELECT 1 AS one",
        "CREATE FUNCTION analytics.their(n bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    said = follow(view("base", "SELECT 1 AS one", "one"))

    assert "analytics.a_top, analytics.on_things, analytics.things" in said
    assert [name for name, _ in rows(fresh, OIDS)] == ["base", "their", "theirs"]


@pytest.mark.parametrize("name", ["analytics.metric", "article_total_as_of"])
def test_what_postgres_gets_is_printed(
    fresh: Engine, capsys: pytest.CaptureFixture[str], name: str
):
    """As SQL that makes the view where there is none, with its comments; no warehouse is asked."""
    assert cli.main(["migrate", "--print", name]) == 0
    sql = capsys.readouterr().out
    migrate(fresh.url)
    made = rows(fresh, COMMENTS)

    execute(fresh, "DROP SCHEMA analytics CASCADE", "CREATE SCHEMA analytics")
    with fresh.begin() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)

    assert set() < set(rows(fresh, COMMENTS)) < set(made)
    assert cli.main(["migrate", "--print", "nothing"]) == 1
