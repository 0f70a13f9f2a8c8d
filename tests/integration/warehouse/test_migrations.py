"""The baseline and what follows it: on every Postgres, over TCP and over a Unix socket."""

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ProgrammingError

from weixin_etl import warehouse as the_warehouse
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import locks, migrate, require_migrated
from weixin_etl.warehouse.views import parse_view
from weixin_local.postgres import Server

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

Ask = Callable[[str], list[tuple]]
ALL_OF_IT = "Applied: 0001_warehouse.sql\nBrought up to date: tables, roles, views."
TABLES_SQL = "SELECT tablename FROM pg_tables WHERE schemaname = 'weixin' ORDER BY 1"
CATALOGUE_SQL = """
    SELECT oid::regclass::text, xmin::text FROM pg_class
    WHERE relnamespace IN ('weixin'::regnamespace, 'analytics'::regnamespace)
    UNION ALL
    SELECT version, xmin::text FROM weixin.schema_migrations
    ORDER BY 1, 2
"""


@pytest.fixture
def later(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated database, of which a later release has a further migration: it adds a column."""
    assert migrate(database) == ALL_OF_IT
    path = tmp_path / "0002_next.sql"
    path.write_text("ALTER TABLE weixin.dim_account ADD next text")
    listed = [*the_warehouse.migrations(), path]
    monkeypatch.setattr(the_migrations, "migrations", lambda: listed)
    return path


def refused(engine: Engine) -> str:
    """What `migrate` and runs say where both refuse a warehouse."""
    with pytest.raises(WarehouseError) as of_migrate:
        migrate(engine.url)
    with pytest.raises(WarehouseError) as of_run:
        require_migrated(engine)
    assert str(of_run.value) == str(of_migrate.value)
    return str(of_run.value)


def test_again_changes_nothing(warehouse: Engine, loader: Engine):
    """Whoever may change nothing is not refused where there is nothing to do."""
    with warehouse.connect() as connection:
        before = connection.exec_driver_sql(CATALOGUE_SQL).all()
        assert (migrate(warehouse.url), migrate(loader.url)) == ("", "")
        assert connection.exec_driver_sql(CATALOGUE_SQL).all() == before


def test_three_at_once(database: str, ask: Ask):
    """Three processes may migrate at the same time; one of them does all of it."""
    with ThreadPoolExecutor(3) as pool:
        said = sorted(pool.map(migrate, [database] * 3))

    assert said == ["", "", ALL_OF_IT]
    assert ask("SELECT version FROM weixin.schema_migrations ORDER BY 1") == [
        ("0001",),
        ("declared",),
    ]


@pytest.mark.usefixtures("later")
def test_no_reader_holds_it_up(database: str, fresh: Engine):
    """A reader can't take its lock, and one who is reading is not waited for."""
    impatient = make_url(database).update_query_dict({"options": "-c lock_timeout=3s"})
    with fresh.connect() as reader:
        reader.exec_driver_sql("SET ROLE weixin_reader")
        reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ACCESS SHARE MODE")
        with pytest.raises(ProgrammingError, match="denied"), reader.begin_nested():
            reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ROW SHARE MODE")

        assert migrate(impatient).startswith("Applied: 0002_next.sql")


def test_one_that_fails_changes_nothing_and_is_named(database: str, fresh: Engine, ask: Ask):
    """Once what was in its way is gone, it is applied."""
    with fresh.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA analytics; CREATE TABLE analytics.calendar ()")

    with pytest.raises(WarehouseError, match=r"0001_warehouse\.sql: .*exists"):
        migrate(database)
    left = ask(TABLES_SQL)
    with fresh.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA analytics CASCADE")

    assert left == [("schema_migrations",)]
    assert migrate(database) == ALL_OF_IT


@pytest.mark.usefixtures("later")
def test_all_of_it_or_nothing(database: str, ask: Ask, monkeypatch: pytest.MonkeyPatch):
    """A view that Postgres refuses takes the migration back that was applied before it."""
    before = ask(CATALOGUE_SQL)
    bad = "-- One row.\nCREATE VIEW analytics.bad (\n    -- It\n    it\n) AS\nSELECT it\n"
    monkeypatch.setattr(the_migrations, "all_views", lambda: [parse_view(bad, "bad.sql")])

    with pytest.raises(WarehouseError, match=r'migrated: the views: column "it" does not exist'):
        migrate(database)

    assert ask(CATALOGUE_SQL) == before


@pytest.mark.usefixtures("later")
def test_a_reader_of_what_it_changes_is_waited_for_half_a_minute(
    database: str, fresh: Engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    """Then nothing has changed, and the sentence says how to find who holds it."""
    before = ask(CATALOGUE_SQL)
    assert locks.PATIENCE == "30s"
    monkeypatch.setattr(locks, "PATIENCE", "100ms")

    with fresh.connect() as reader:
        reader.exec_driver_sql("SELECT FROM weixin.fact_article_total")
        with pytest.raises(WarehouseError, match=r"pg_locks.*fact/table\.sql: .*lock timeout"):
            migrate(database)

    assert ask(CATALOGUE_SQL) == before


def test_over_a_unix_socket_and_over_tcp(server: Server, database: str):
    """However the connection names its place: as host, or as libpq's parameter."""
    folder, tcp = str(server.directory / "data"), make_url(server.url("postgres"))
    who, name = ("postgres", tcp.password), make_url(database).database
    found = []
    for url in (
        the_warehouse.url(folder, server.port, *who, name, {}),
        the_warehouse.url(None, server.port, *who, name, {"host": folder}),
        the_warehouse.url(tcp.host, tcp.port, *who, name, {}),
    ):
        migrate(url)
        engine = the_warehouse.engine(url)
        with engine.connect() as connection:
            found.append(connection.exec_driver_sql("SELECT host(inet_server_addr())").scalar())
        engine.dispose()

    assert found == [None, None, "127.0.0.1"]


def test_a_run_names_what_is_missing(fresh: Engine, later: Path):
    """Only that; with all of it there is nothing to say."""
    with pytest.raises(
        WarehouseError, match=r"run `weixin-etl migrate.*lacks migrations: 0002_next"
    ):
        require_migrated(fresh)

    migrate(fresh.url)
    require_migrated(fresh)


@pytest.mark.parametrize(
    ("parts", "why"),
    [({"database": "nowhere"}, 'database "nowhere" does not exist'), ({"port": 1}, "refused")],
)
def test_a_run_is_tried_again_where_nobody_answers(server: Server, parts: dict[str, Any], why: str):
    """The place is named without its password."""
    url = make_url(server.url("weixin")).set(**parts)

    with pytest.raises(WarehouseError, match=why) as nobody:
        require_migrated(the_warehouse.engine(url))

    assert nobody.value.kind.is_retried
    assert f", at {url.host}:{url.port}/{url.database})" in str(nobody.value)
    assert (url.password or "") not in str(nobody.value)


@pytest.mark.parametrize(
    ("theirs", "there"),
    [
        ("weixin.fans (id integer)", "fans"),
        ("weixin.schema_migrations AS SELECT '0001' AS version", "schema_migrations"),
    ],
    ids=["somebody's", "of an earlier commit, without checksums"],
)
def test_a_schema_of_others_is_refused(fresh: Engine, ask: Ask, theirs: str, there: str):
    """Nothing is done in it; its tables are named, and how to take answers along."""
    with fresh.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA weixin; CREATE TABLE {theirs}")

    said = refused(fresh)

    assert f"database fresh is not of this release: it holds {there})" in said
    assert "`weixin-etl answers` of an earlier commit prints" in said
    assert ask(TABLES_SQL) == [(there,)]


def test_an_edited_migration_is_refused(fresh: Engine, later: Path):
    """By its number: of this release, or of an earlier commit."""
    migrate(fresh.url)
    later.write_text("ALTER TABLE weixin.dim_account ADD another text")

    assert "not of this release: migration 0002 was another)" in refused(fresh)
