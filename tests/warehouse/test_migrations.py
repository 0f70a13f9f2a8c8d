"""Tests of `migrate`: the baseline, later migrations, locks and refusals."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError
from support import execute, rows

from weixin_etl import warehouse as warehouse_module
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import locks, migrate, require_migrated
from weixin_etl.warehouse.views import parse_view

pytestmark = pytest.mark.every_postgres

migrations_module = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module; in the package its name belongs to a function."""

UPDATED = "Brought up to date: tables, roles, views."
COMPLETE = f"Applied: 0001_warehouse.sql\n{UPDATED}"
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
    """Migrate a database, and give the release a further migration. Return the migration's path."""
    assert migrate(fresh.url) == COMPLETE
    path = tmp_path / "0002_next.sql"
    path.write_text("ALTER TABLE weixin.dim_account ADD next text")
    listed = [*warehouse_module.migrations(), path]
    monkeypatch.setattr(migrations_module, "migrations", lambda: listed)
    return path


def refused(engine: Engine) -> str:
    """Return the one error with which `migrate` and a run both refuse the warehouse."""
    with pytest.raises(WarehouseError) as of_migrate:
        migrate(engine.url)
    with pytest.raises(WarehouseError) as of_run:
        require_migrated(engine)
    assert str(of_run.value) == str(of_migrate.value)
    return str(of_run.value)


def test_a_second_migrate_changes_nothing(warehouse: Engine, loader: Engine):
    """A user without rights is not refused if there is nothing to do."""
    before = rows(warehouse, CATALOGUE_SQL)

    assert (migrate(warehouse.url), migrate(loader.url)) == ("", "")
    assert rows(warehouse, CATALOGUE_SQL) == before


def test_three_processes_can_migrate_at_once(fresh: Engine):
    """The first process applies everything; the others find nothing to do."""
    with ThreadPoolExecutor(3) as pool:
        results = sorted(pool.map(migrate, [fresh.url] * 3))

    assert results == ["", "", COMPLETE]
    versions = rows(fresh, "SELECT version FROM weixin.schema_migrations ORDER BY 1")
    assert versions == [("0001",), ("account_days",), ("declared",)]


def test_migrate_sets_nothing_for_the_database(migrated: Engine):
    """Other programs may use the database."""
    settings = (
        "SELECT setconfig FROM pg_db_role_setting INNER JOIN pg_database "
        "ON pg_database.oid = setdatabase WHERE datname = current_database()"
    )
    assert rows(migrated, settings) == []


@pytest.mark.usefixtures("later")
def test_a_reader_does_not_delay_migrate(fresh: Engine):
    """A reader can't take the lock of `migrate`, and `migrate` does not wait for other queries."""
    impatient = fresh.url.update_query_dict({"options": "-c lock_timeout=3s"})
    with fresh.connect() as reader:
        reader.exec_driver_sql("SET ROLE weixin_reader")
        reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ACCESS SHARE MODE")
        with pytest.raises(ProgrammingError, match="denied"), reader.begin_nested():
            reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ROW SHARE MODE")

        assert migrate(impatient).startswith("Applied: 0002_next.sql")


@pytest.mark.usefixtures("later")
def test_migrate_applies_everything_or_nothing(fresh: Engine, monkeypatch: pytest.MonkeyPatch):
    """If Postgres refuses a view, the migration before it is rolled back too (0002)."""
    before = rows(fresh, CATALOGUE_SQL)
    bad = "-- One row.\nCREATE VIEW analytics.bad (\n    -- No\n    no\n) AS\nSELECT no\n"
    monkeypatch.setattr(migrations_module, "all_views", lambda: [parse_view(bad, "bad.sql")])

    with pytest.raises(WarehouseError, match=r'the views: column "no" does not exist'):
        migrate(fresh.url)

    assert rows(fresh, CATALOGUE_SQL) == before


@pytest.mark.usefixtures("later")
def test_migrate_waits_half_a_minute_for_readers_of_a_table_that_it_changes(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Then nothing is changed, and the error says how to find the session with the lock."""
    before = rows(fresh, CATALOGUE_SQL)
    assert locks.PATIENCE == "30s"
    monkeypatch.setattr(locks, "PATIENCE", "100ms")

    with fresh.connect() as reader:
        reader.exec_driver_sql("SELECT FROM weixin.fact_article_total")
        with pytest.raises(WarehouseError, match=r"pg_locks.*fact/table\.sql: .*lock timeout"):
            migrate(fresh.url)

    assert rows(fresh, CATALOGUE_SQL) == before


def test_a_run_names_the_missing_migration(fresh: Engine, later: Path):
    with pytest.raises(WarehouseError, match=r"`weixin-etl migrate.*lacks migrations: 0002_next"):
        require_migrated(fresh)

    migrate(fresh.url)
    require_migrated(fresh)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("weixin.fans (id integer)", "fans"),
        ("weixin.schema_migrations AS SELECT '0001' AS version", "schema_migrations"),
    ],
    ids=["somebody's", "of an earlier commit, without checksums"],
)
def test_a_foreign_schema_is_refused(fresh: Engine, table: str, name: str):
    """The error names the schema's tables, and how to export answers. No table is changed."""
    execute(fresh, "CREATE SCHEMA weixin", f"CREATE TABLE {table}")

    message = refused(fresh)

    assert f"not of this release: the database fresh holds {name})" in message
    assert "`weixin-etl answers` of an earlier commit prints" in message
    assert rows(fresh, TABLES_SQL) == [(name,)]


def test_an_edited_migration_is_refused(fresh: Engine, later: Path):
    """The error names the migration's number."""
    migrate(fresh.url)
    later.write_text("ALTER TABLE weixin.dim_account ADD another text")

    assert "not of this release: migration 0002 of the database fresh was another)" in refused(
        fresh
    )
