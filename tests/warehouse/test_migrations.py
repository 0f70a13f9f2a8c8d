"""The baseline and what follows it, on every Postgres."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError
from support import execute, rows

from weixin_etl import warehouse as the_warehouse
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import locks, migrate, require_migrated
from weixin_etl.warehouse.views import parse_view

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

DECLARED = "Brought up to date: tables, roles, views."
ALL_OF_IT = f"Applied: 0001_warehouse.sql\n{DECLARED}"
TABLES_SQL = "SELECT tablename FROM pg_tables WHERE schemaname = 'weixin' ORDER BY 1"
CATALOGUE_SQL = """
    SELECT oid::regclass::text, xmin::text FROM pg_class
    WHERE relnamespace IN ('weixin'::regnamespace, 'analytics'::regnamespace)
    UNION ALL
    SELECT version, xmin::text FROM weixin.schema_migrations
    ORDER BY 1, 2
"""


@pytest.fixture
def later(fresh: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated database, of which a later release has a further migration: it adds a column."""
    assert migrate(fresh.url) == ALL_OF_IT
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
    before = rows(warehouse, CATALOGUE_SQL)

    assert (migrate(warehouse.url), migrate(loader.url)) == ("", "")
    assert rows(warehouse, CATALOGUE_SQL) == before


def test_three_at_once(fresh: Engine):
    """Three processes may migrate at the same time; one of them does all of it."""
    with ThreadPoolExecutor(3) as pool:
        said = sorted(pool.map(migrate, [fresh.url] * 3))

    assert said == ["", "", ALL_OF_IT]
    versions = rows(fresh, "SELECT version FROM weixin.schema_migrations ORDER BY 1")
    assert versions == [("0001",), ("declared",)]


@pytest.mark.usefixtures("later")
def test_no_reader_holds_it_up(fresh: Engine):
    """A reader can't take its lock, and one who is reading is not waited for."""
    impatient = fresh.url.update_query_dict({"options": "-c lock_timeout=3s"})
    with fresh.connect() as reader:
        reader.exec_driver_sql("SET ROLE weixin_reader")
        reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ACCESS SHARE MODE")
        with pytest.raises(ProgrammingError, match="denied"), reader.begin_nested():
            reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ROW SHARE MODE")

        assert migrate(impatient).startswith("Applied: 0002_next.sql")


@pytest.mark.usefixtures("later")
def test_all_of_it_or_nothing(fresh: Engine, monkeypatch: pytest.MonkeyPatch):
    """A view that Postgres refuses takes the migration back that was applied before it (0002)."""
    before = rows(fresh, CATALOGUE_SQL)
    bad = "-- One row.\nCREATE VIEW analytics.bad (\n    -- It\n    it\n) AS\nSELECT it\n"
    monkeypatch.setattr(the_migrations, "all_views", lambda: [parse_view(bad, "bad.sql")])

    with pytest.raises(WarehouseError, match=r'the views: column "it" does not exist'):
        migrate(fresh.url)

    assert rows(fresh, CATALOGUE_SQL) == before


@pytest.mark.usefixtures("later")
def test_a_reader_of_what_it_changes_is_waited_for_half_a_minute(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Then nothing has changed, and the sentence says how to find who holds it."""
    before = rows(fresh, CATALOGUE_SQL)
    assert locks.PATIENCE == "30s"
    monkeypatch.setattr(locks, "PATIENCE", "100ms")

    with fresh.connect() as reader:
        reader.exec_driver_sql("SELECT FROM weixin.fact_article_total")
        with pytest.raises(WarehouseError, match=r"pg_locks.*fact/table\.sql: .*lock timeout"):
            migrate(fresh.url)

    assert rows(fresh, CATALOGUE_SQL) == before


def test_a_run_names_what_is_missing(fresh: Engine, later: Path):
    """Only that; with all of it there is nothing to say."""
    with pytest.raises(WarehouseError, match=r"`weixin-etl migrate.*lacks migrations: 0002_next"):
        require_migrated(fresh)

    migrate(fresh.url)
    require_migrated(fresh)


@pytest.mark.parametrize(
    ("theirs", "there"),
    [
        ("weixin.fans (id integer)", "fans"),
        ("weixin.schema_migrations AS SELECT '0001' AS version", "schema_migrations"),
    ],
    ids=["somebody's", "of an earlier commit, without checksums"],
)
def test_a_schema_of_others_is_refused(fresh: Engine, theirs: str, there: str):
    """Nothing is done in it; its tables are named, and how to take answers along."""
    execute(fresh, "CREATE SCHEMA weixin", f"CREATE TABLE {theirs}")

    said = refused(fresh)

    assert f"not of this release: the database fresh holds {there})" in said
    assert "`weixin-etl answers` of an earlier commit prints" in said
    assert rows(fresh, TABLES_SQL) == [(there,)]


def test_an_edited_migration_is_refused(fresh: Engine, later: Path):
    """By its number: of this release, or of an earlier commit."""
    migrate(fresh.url)
    later.write_text("ALTER TABLE weixin.dim_account ADD another text")

    assert "not of this release: migration 0002 of the database fresh was another)" in refused(
        fresh
    )
