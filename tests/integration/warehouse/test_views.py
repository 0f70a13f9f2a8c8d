"""Views and functions follow their files: replaced, made anew, refused; never by CASCADE."""

import importlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from weixin_etl.warehouse import WarehouseError, migrate
from weixin_etl.warehouse.views import View, in_order, parse_view, update, update_views

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

Ask = Callable[[str], list[tuple[Any, ...]]]


def view(name: str, query: str, *columns: str, says: str = "One row.") -> View:
    """A view as its file would have it."""
    listed = ",\n".join(f"    -- Column {column}.\n    {column}" for column in columns)
    return parse_view(f"-- {says}\nCREATE VIEW analytics.{name} (\n{listed}\n) AS\n{query}\n")


def function(query: str, parameter: str = "number integer") -> View:
    """A function as its file would have it: of a table's rows."""
    return parse_view(
        "-- One row per thing.\nCREATE FUNCTION analytics.things(\n"
        f"    -- which of them\n    {parameter}\n)\n"
        f"RETURNS SETOF weixin.dim_account\nLANGUAGE sql STABLE\nBEGIN ATOMIC\n{query};\nEND\n"
    )


BASE = view("base", "SELECT 1 AS one, '100%' AS two", "one", "two")
TOP = view("a_top", "SELECT one FROM analytics.base", "one")
OTHER_VALUES = view("base", "SELECT 2 AS one, '50%' AS two", "one", "two")
OTHER_COLUMNS = view("base", "SELECT 1 AS one, 3 AS three", "one", "three")
OTHER_TYPE = view("base", "SELECT 1 AS one, 2 AS two", "one", "two")
THINGS = function("SELECT * FROM weixin.dim_account")
OTHER_THINGS = function("SELECT * FROM weixin.dim_account WHERE appid = number::text")
OTHER_PARAMETER = function("SELECT * FROM weixin.dim_account", "place integer")
OTHER_PARAMETER_TYPE = function("SELECT * FROM weixin.dim_account", "number bigint")
ON_THINGS = view("on_things", "SELECT appid FROM analytics.things(1)", "appid")
OF_THE_PIPELINE = parse_view(
    "-- One row.\nCREATE VIEW weixin.own (\n    -- The account\n    appid\n) AS\n"
    "SELECT appid FROM weixin.dim_account\n"
)
A_VIEW_ON_THINGS = (
    "CREATE SCHEMA own",
    "CREATE VIEW own.v AS SELECT * FROM analytics.things(1)",
)
"""Somebody else's."""
FUNCTIONS = "SELECT oid, xmin::text FROM pg_proc WHERE proname = 'things'"
VIEWS = "SELECT relname, oid, xmin::text FROM pg_class WHERE relkind = 'v' ORDER BY 1"
OURS = "SELECT viewname FROM pg_views WHERE schemaname = 'analytics' ORDER BY 1"
GRANTS = """
    SELECT relname, grantee::regrole::text, privilege_type, is_grantable
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl)
    WHERE relnamespace = 'analytics'::regnamespace AND grantee <> relowner
    UNION ALL
    SELECT attname, grantee::regrole::text, privilege_type, is_grantable
    FROM pg_attribute CROSS JOIN LATERAL aclexplode(attacl)
    WHERE attrelid IN ('analytics.base'::regclass, 'analytics.a_top'::regclass)
    UNION ALL
    SELECT viewname, viewowner, 'owner', FALSE FROM pg_views WHERE schemaname = 'analytics'
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def made(fresh: Engine, database: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A migrated database whose release has two views, one of which stands on the other."""
    monkeypatch.setattr(the_migrations, "all_views", lambda: in_order([TOP, BASE]))
    migrate(database)
    return fresh


def run(engine: Engine, *statements: str) -> None:
    """Do it, and keep it."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def refusal(engine: Engine, *wanted: View) -> str:
    """Why the views can't be brought to these."""
    with pytest.raises(WarehouseError) as refused:
        update_views(engine, in_order(wanted))
    return str(refused.value)


@pytest.fixture
def outside(made: Engine) -> Iterator[None]:
    """Somebody else's view on one of ours."""
    run(made, "CREATE SCHEMA own", "CREATE VIEW own.report AS SELECT one FROM analytics.a_top")
    yield
    run(made, "DROP SCHEMA own CASCADE")


def test_they_are_made_with_their_comments(made: Engine, ask: Ask):
    """Each after what it reads, whatever the order of the files; percent signs are their own."""
    assert ask("SELECT one, two FROM analytics.base") == [(1, "100%")]
    assert ask("SELECT * FROM analytics.a_top") == [(1,)]
    assert ask(
        "SELECT obj_description('analytics.base'::regclass, 'pg_class'), "
        "col_description('analytics.base'::regclass, 2)"
    ) == [("One row.", "Column two.")]


def test_only_what_changed_is_touched(made: Engine, ask: Ask):
    """A view with the same columns is replaced in its place; the others are not even looked at."""
    before = {name: (oid, xmin) for name, oid, xmin in ask(VIEWS)}

    said = update_views(made, in_order([TOP, OTHER_VALUES]))
    after = {name: (oid, xmin) for name, oid, xmin in ask(VIEWS)}

    assert said == ["Updated the views analytics.base."]
    assert ask("SELECT * FROM analytics.base") == [(2, "50%")]
    assert after["a_top"] == before["a_top"]
    assert after["base"][0] == before["base"][0]
    assert update_views(made, in_order([TOP, OTHER_VALUES])) == []


@pytest.mark.parametrize("changed", [OTHER_COLUMNS, OTHER_TYPE], ids=["columns", "type"])
def test_grants_outlive_a_change_of_columns(made: Engine, ask: Ask, changed: View):
    """What must be dropped comes back with its owner and grants, and so does what stands on it."""
    run(
        made,
        "CREATE ROLE somebody",
        "GRANT USAGE, CREATE ON SCHEMA analytics TO somebody",
        "GRANT SELECT ON analytics.base TO somebody WITH GRANT OPTION",
        "GRANT SELECT, UPDATE ON analytics.a_top TO PUBLIC",
        "GRANT SELECT (one), UPDATE (two) ON analytics.base TO somebody",
        "REVOKE ALL ON analytics.base FROM weixin_reader",
        "ALTER VIEW analytics.a_top OWNER TO somebody",
        "GRANT SELECT ON analytics.base TO somebody",
    )
    try:
        granted = ask(GRANTS)
        said = update_views(made, in_order([TOP, changed]))
        kept = ask(GRANTS)
        rows = ask("SELECT * FROM analytics.a_top")
    finally:
        run(made, "DROP OWNED BY somebody", "DROP ROLE somebody")

    assert said == ["Updated the views analytics.base."]
    assert kept == [row for row in granted if row[0] != "two" or "two" in changed.columns]
    assert ("base", "weixin_reader", "SELECT", False) not in granted
    assert len(granted) >= 7
    assert rows == [(1,)]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    "wanted", [[TOP, OTHER_COLUMNS], [TOP, OTHER_TYPE], [BASE]], ids=["columns", "type", "gone"]
)
def test_a_view_of_somebody_else_stops_it(made: Engine, ask: Ask, wanted: list[View]):
    """It is named, and no view has changed: not even one that could be."""
    before = ask(VIEWS)

    said = refusal(made, view("another", "SELECT 1 AS one", "one"), *wanted)

    assert said.startswith("the analysts' views could not be updated: cannot drop ")
    assert said.endswith(
        "view own.report depends on view analytics.a_top; drop what depends on it, run "
        "`weixin-etl migrate` again, then create it again"
    )
    assert ask(VIEWS) == before


@pytest.mark.usefixtures("outside")
def test_a_view_of_somebody_else_may_stay_otherwise(made: Engine, ask: Ask):
    """New values, and a column behind the others, need no drop."""
    wider = view("base", "SELECT 2 AS one, '50%' AS two, 3 AS three", "one", "two", "three")

    assert update_views(made, in_order([TOP, wider])) == ["Updated the views analytics.base."]
    assert ask("SELECT * FROM own.report") == [(2,)]


@pytest.fixture
def with_function(made: Engine) -> Engine:
    """It has a function, a view of ours on that, and a view in the pipeline's schema too."""
    update_views(made, in_order([TOP, BASE, ON_THINGS, THINGS, OF_THE_PIPELINE]))
    return made


def test_functions_and_views_of_the_pipeline_are_made(with_function: Engine, ask: Ask):
    """Before what reads them, with their comments; weixin_reader may use both."""
    run(
        with_function,
        "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at) "
        "VALUES ('wx1', '', '', now())",
    )

    assert ask("SELECT * FROM analytics.on_things") == [("wx1",)]
    assert ask("SELECT obj_description('analytics.things'::regproc, 'pg_proc')") == [
        ("One row per thing.\nnumber integer: which of them",)
    ]
    assert ask(
        "SELECT has_function_privilege('weixin_reader', 'analytics.things(integer)', 'EXECUTE'), "
        "has_table_privilege('weixin_reader', 'weixin.own', 'SELECT')"
    ) == [(True, True)]


def test_a_function_with_the_same_parameters_is_replaced_in_its_place(
    with_function: Engine, ask: Ask
):
    """What stands on it, be it somebody else's, stays; and what has not changed is left alone."""
    run(with_function, *A_VIEW_ON_THINGS)
    views, ((oid, xmin),) = ask(VIEWS), ask(FUNCTIONS)
    wanted = in_order([TOP, BASE, ON_THINGS, OTHER_THINGS, OF_THE_PIPELINE])

    said = update_views(with_function, wanted)
    ((oid_then, xmin_then),) = ask(FUNCTIONS)

    assert said == ["Updated the views analytics.things."]
    assert (oid_then == oid, xmin_then == xmin, ask(VIEWS)) == (True, False, views)
    assert update_views(with_function, wanted) == []


@pytest.mark.parametrize("changed", [OTHER_PARAMETER, OTHER_PARAMETER_TYPE], ids=["name", "type"])
def test_a_function_with_other_parameters_is_made_anew(
    with_function: Engine, ask: Ask, changed: View
):
    """It and what stands on it, with their owners and grants; none is left beside it."""
    acl = "SELECT proowner::regrole::text, proacl::text FROM pg_proc WHERE proname = 'things'"
    run(
        with_function,
        "CREATE ROLE somebody",
        "GRANT USAGE, CREATE ON SCHEMA analytics TO somebody",
        "REVOKE EXECUTE ON FUNCTION analytics.things FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION analytics.things TO somebody WITH GRANT OPTION",
        "GRANT SELECT ON analytics.on_things TO somebody",
        "ALTER FUNCTION analytics.things OWNER TO somebody",
    )
    try:
        granted = ask(acl)
        said = update_views(with_function, in_order([TOP, BASE, ON_THINGS, changed]))
        kept, may = ask(acl), "has_table_privilege('somebody', 'analytics.on_things', 'SELECT')"
        may_still = ask(f"SELECT {may}")
    finally:
        run(
            with_function,
            "REASSIGN OWNED BY somebody TO current_user",
            "DROP OWNED BY somebody",
            "DROP ROLE somebody",
        )

    assert said == [
        "Updated the views analytics.things.",
        "Dropped the views weixin.own: not of this release.",
    ]
    assert kept == granted
    assert len(granted) == 1
    assert "PUBLIC" not in granted[0][1]
    assert may_still == [(True,)]


def test_what_somebody_else_has_made_is_not_replaced(with_function: Engine, ask: Ask):
    """A name that was taken before is refused; of a function with the types of its parameters."""
    run(
        with_function,
        "CREATE VIEW analytics.theirs AS SELECT 1 AS one",
        "CREATE FUNCTION analytics.things(n bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )

    said = [
        refusal(with_function, BASE, *its)
        for its in ([view("theirs", "SELECT 2 AS one", "one")], [TOP, OTHER_PARAMETER_TYPE])
    ]

    assert "theirs" in said[0]
    assert "things" in said[1]
    assert all("already exists" in it for it in said)
    assert ask("SELECT one, analytics.things(1::bigint) FROM analytics.theirs") == [(1, 1)]


def test_two_at_once_and_a_kill_in_between(made: Engine, ask: Ask):
    """The second waits for the first; when that one is killed nothing of its work is there."""
    before = ask(VIEWS)
    wanted = in_order([TOP, OTHER_COLUMNS, THINGS])
    with ThreadPoolExecutor(1) as pool, made.connect() as first:
        pid = first.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        update(first, wanted)
        second = pool.submit(update_views, made, wanted)
        seen = waits_for_a_lock(ask), ask(VIEWS)
        run(made, f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(OperationalError):
            first.exec_driver_sql("SELECT 1")
        said = second.result(30)

    assert seen == (True, before)
    assert said == ["Updated the views analytics.base, analytics.things."]
    assert ask("SELECT * FROM analytics.base") == [(1, 3)]
    assert len(ask(FUNCTIONS)) == 1


def waits_for_a_lock(ask: Ask) -> bool:
    """Whether somebody does, before ten seconds have passed."""
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    for _ in range(100):
        if ask(sql) == [(1,)]:
            return True
        time.sleep(0.1)
    return False


def test_whoever_makes_a_view_lets_the_reader_read_it(made: Engine, ask: Ask):
    """Default privileges are those of the administrator who applied the migrations."""
    run(made, "CREATE ROLE another SUPERUSER LOGIN PASSWORD 'choose-one'")
    another = sqlalchemy.create_engine(made.url.set(username="another", password="choose-one"))
    try:
        update_views(another, in_order([TOP, BASE, view("newest", "SELECT 1 AS one", "one")]))
        may = ask(
            "SELECT viewowner, has_table_privilege('weixin_reader', 'analytics.newest', 'SELECT') "
            "FROM pg_views WHERE viewname = 'newest'"
        )
    finally:
        another.dispose()
        run(made, "DROP OWNED BY another CASCADE", "DROP ROLE another")

    assert may == [("another", True)]


def test_what_fails_leaves_all_as_it_was(made: Engine, ask: Ask):
    """A view whose text Postgres refuses takes those before it back."""
    before = ask(VIEWS)

    said = refusal(made, OTHER_VALUES, view("a_top", "SELECT nothing FROM analytics.base", "one"))

    assert said.startswith("the analysts' views could not be updated: ")
    assert 'column "nothing" does not exist' in said
    assert ask(VIEWS) == before


def test_down_to_an_older_release(made: Engine, ask: Ask):
    """Its texts are applied again, and the views it does not have are dropped."""
    standing = view("newest", "SELECT three FROM analytics.newer", "three")
    newer = [TOP, OTHER_COLUMNS, view("newer", "SELECT three FROM analytics.base", "three")]
    update_views(made, in_order([*newer, standing, THINGS]))

    said = update_views(made, in_order([TOP, BASE]))

    assert said == [
        "Updated the views analytics.base.",
        "Dropped the views analytics.newer, analytics.newest, analytics.things: not of this "
        "release.",
    ]
    assert ask(OURS) == [("a_top",), ("base",)]
    assert ask(FUNCTIONS) == []
    assert update_views(made, in_order([TOP, BASE])) == []


def test_a_column_without_a_comment_is_no_view():
    """Whoever writes a view is told before it reaches a database."""
    with pytest.raises(ValueError, match="no view with a comment on everything"):
        parse_view("-- One row.\nCREATE VIEW analytics.v (\n    one\n) AS\nSELECT 1 AS one\n")
