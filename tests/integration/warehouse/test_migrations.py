"""The baseline and what follows it: on every Postgres, over TCP and over a Unix socket."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ProgrammingError

from weixin_etl import warehouse as the_warehouse
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import locks, migrate, migrations, require_migrated
from weixin_etl.warehouse.views import parse_view
from weixin_local.postgres import Server

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

Ask = Callable[[str], list[tuple]]
TABLES_SQL = "SELECT tablename FROM pg_tables WHERE schemaname = 'weixin' ORDER BY 1"
CATALOGUE_SQL = """
    SELECT oid::regclass::text, xmin::text FROM pg_class
    WHERE relnamespace IN ('weixin'::regnamespace, 'analytics'::regnamespace)
    UNION ALL
    SELECT version, xmin::text FROM weixin.schema_migrations
    ORDER BY 1, 2
"""


def test_again_changes_nothing(database: str, ask: Callable[[str], list[tuple]]):
    """Migrating what is migrated does nothing, says nothing and touches no table or view."""
    said = migrate(database)
    catalogue = ask(CATALOGUE_SQL)

    assert said == "Applied: 0001_warehouse.sql\nBrought up to date: tables, roles, views."
    assert migrate(database) == ""
    assert ask(CATALOGUE_SQL) == catalogue
    assert len(catalogue) > 20


def test_three_at_once(database: str, ask: Callable[[str], list[tuple]]):
    """Three processes may migrate at the same time; one of them does all of it."""
    with ThreadPoolExecutor(3) as pool:
        said = [*pool.map(migrate, [database] * 3)]

    versions = [*((path.name[:4],) for path in migrations()), ("declared",)]
    assert ask("SELECT version FROM weixin.schema_migrations ORDER BY 1") == versions
    assert sorted(map(bool, said)) == [False, False, True]


def test_no_reader_holds_it_up(
    database: str, fresh: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A reader can't take its lock, and one who is reading is not waited for."""
    migrate(database)
    next_migration(tmp_path, monkeypatch)
    impatient = make_url(database).update_query_dict({"options": "-c lock_timeout=3s"})
    with fresh.connect() as reader:
        reader.exec_driver_sql("SET ROLE weixin_reader")
        reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ACCESS SHARE MODE")
        with pytest.raises(ProgrammingError, match="denied"), reader.begin_nested():
            reader.exec_driver_sql("LOCK TABLE weixin.schema_migrations IN ROW SHARE MODE")
        said = migrate(impatient)

    assert said.startswith("Applied: 0002_next.sql")


def next_migration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A later release's: it adds a column."""
    path = folder / "0002_next.sql"
    path.write_text("ALTER TABLE weixin.dim_account ADD next text")
    listed = [*migrations(), path]
    monkeypatch.setattr(the_migrations, "migrations", lambda: listed)
    return path


def test_one_that_fails_changes_nothing_and_is_named(database: str, fresh: Engine, ask: Ask):
    """Once what was in its way is gone, it is applied."""
    with fresh.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA analytics; CREATE TABLE analytics.calendar ()")

    with pytest.raises(WarehouseError, match=r"could not be migrated: 0001_warehouse\.sql: ") as it:
        migrate(database)
    left = ask(TABLES_SQL)
    with fresh.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA analytics CASCADE")

    assert "exists" in str(it.value)
    assert left == [("schema_migrations",)]
    assert "Applied: 0001_warehouse.sql" in migrate(database)


def test_all_of_it_or_nothing(
    database: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A view that Postgres refuses takes the migration back that was applied before it."""
    migrate(database)
    before = ask(CATALOGUE_SQL)
    next_migration(tmp_path, monkeypatch)
    bad = "-- One row.\nCREATE VIEW analytics.bad (\n    -- It\n    it\n) AS\nSELECT it\n"
    monkeypatch.setattr(the_migrations, "all_views", lambda: [parse_view(bad, "bad.sql")])

    with pytest.raises(WarehouseError, match=r'migrated: the views: column "it" does not exist'):
        migrate(database)

    assert ask(CATALOGUE_SQL) == before


def test_a_reader_of_what_it_changes_is_waited_for_half_a_minute(
    database: str, fresh: Engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    """Then nothing has changed, and who holds it is to be found."""
    migrate(database)
    with fresh.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.schema_migrations SET sha256 = 'x' || version WHERE version = 'declared'"
        )
    before = ask(CATALOGUE_SQL)
    assert locks.PATIENCE == "30s"
    monkeypatch.setattr(locks, "PATIENCE", "100ms")

    with fresh.connect() as reader:
        reader.exec_driver_sql("SELECT FROM weixin.fact_article_total")
        with pytest.raises(WarehouseError) as refused:
            migrate(database)

    assert str(refused.value) == (
        "the warehouse could not be migrated: fact/table.sql: canceling statement due to lock "
        "timeout; find the session that holds it: `SELECT * FROM pg_locks JOIN pg_stat_activity "
        "USING (pid)`"
    )
    assert ask(CATALOGUE_SQL) == before


def test_it_says_nothing_else(warehouse: Engine, tmp_path: Path):
    """Who may change nothing is told so; Airflow's log, as of a short password, goes to stderr."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE short LOGIN PASSWORD 'abc' IN ROLE weixin_loader")
    url = warehouse.url.set(drivername="postgresql", username="short", password="abc")
    found = {"AIRFLOW_CONN_WEIXIN_WAREHOUSE": url.render_as_string(hide_password=False)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "weixin_etl.cli", "migrate"],
            env={**os.environ, **found, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP ROLE short")

    assert done.returncode == 0, done.stderr
    assert "too short" in done.stderr
    assert done.stdout == "The warehouse is up to date.\n"


def socket_urls(server: Server, database: str) -> list[URL]:
    """The ways to name a Unix socket's folder: as host, and as libpq's parameter."""
    folder, password = str(server.directory / "data"), make_url(server.url(database)).password
    return [
        the_warehouse.url(folder, server.port, "postgres", password, database, {}),
        the_warehouse.url(None, server.port, "postgres", password, database, {"host": folder}),
    ]


def test_over_a_unix_socket_and_over_tcp(server: Server, database: str):
    """However the connection names its place; the session thinks in UTC."""
    tcp = make_url(server.url("postgres"))
    name = make_url(database).database or ""
    parts = (tcp.host, tcp.port, tcp.username, tcp.password, name, {})
    found = []
    for url in [*socket_urls(server, name), the_warehouse.url(*parts)]:
        migrate(url)
        engine = the_warehouse.engine(url)
        with engine.connect() as connection:
            found += connection.exec_driver_sql(
                "SELECT host(inet_server_addr()), current_setting('TimeZone')"
            ).all()
        require_migrated(engine)
        engine.dispose()

    assert found == [(None, "UTC"), (None, "UTC"), ("127.0.0.1", "UTC")]


class TestRequireMigrated:
    """`require_migrated` says in one sentence what is wrong and what to do."""

    @staticmethod
    def sentence(engine: Engine) -> tuple[str, bool]:
        with pytest.raises(WarehouseError) as refused:
            require_migrated(engine)
        engine.dispose()
        return str(refused.value), refused.value.kind.is_retried

    def test_what_is_missing(self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Only that is named; Airflow need not try again; a migrated warehouse is fine."""
        assert self.sentence(the_warehouse.engine(database)) == (
            "the warehouse lacks migrations: 0001_warehouse; run `weixin-etl migrate`",
            False,
        )

        migrate(database)
        require_migrated(the_warehouse.engine(database))

        next_migration(tmp_path, monkeypatch)
        assert self.sentence(the_warehouse.engine(database)) == (
            "the warehouse lacks migrations: 0002_next; run `weixin-etl migrate`",
            False,
        )

    @pytest.mark.parametrize(
        ("parts", "why"),
        [
            ({"database": "nowhere"}, 'database "nowhere" does not exist'),
            ({"port": 1}, "; start Postgres, or correct the connection weixin_warehouse"),
        ],
    )
    def test_no_answer(self, server: Server, parts: dict[str, Any], why: str):
        """The place is named without its password; it may come back: Airflow tries again."""
        url = make_url(server.url("weixin")).set(**parts)

        said, is_retryable = self.sentence(the_warehouse.engine(url))

        assert said.startswith("the warehouse does not answer: ")
        assert f", at {url.host}:{url.port}/{url.database}; start Postgres" in said
        assert why in said
        assert (url.password or "") not in said
        assert is_retryable


class TestNotOurWarehouse:
    """Nothing is migrated, not by half; `migrate` and runs say what is there and what to do."""

    @staticmethod
    def sentence(engine: Engine) -> str:
        """What both say."""
        with pytest.raises(WarehouseError) as refused:
            migrate(engine.url)
        with pytest.raises(WarehouseError) as run_refused:
            require_migrated(engine)
        assert str(run_refused.value) == str(refused.value)
        return str(refused.value)

    def test_of_another_encoding(self, server: Server):
        """Which can't hold, or does not check, what WeChat says."""
        admin = psycopg2.connect(server.libpq_url("postgres"))
        admin.autocommit = True
        admin.cursor().execute(
            "CREATE DATABASE old ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
        )
        admin.close()
        engine = the_warehouse.engine(server.url("old"))

        said = self.sentence(engine)

        assert said == (
            "the database old has the encoding SQL_ASCII, but texts are UTF-8; create a database "
            "with ENCODING 'UTF8' and point the connection weixin_warehouse at it"
        )
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT to_regnamespace('weixin')").scalar() is None
        engine.dispose()

    @pytest.mark.parametrize(
        ("theirs", "there"),
        [
            ("weixin.fans (id integer)", "fans"),
            ("weixin.schema_migrations (id integer)", "schema_migrations"),
            ("weixin.schema_migrations AS SELECT '20200101' AS version", "schema_migrations"),
        ],
    )
    def test_of_somebody_else(
        self, fresh: Engine, ask: Callable[[str], list[tuple]], theirs: str, there: str
    ):
        """A schema of that name with tables, whatever they are called."""
        with fresh.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA weixin; CREATE TABLE {theirs}")

        assert self.sentence(fresh) == (
            f"the schema weixin of the database fresh holds tables of others: {there}; point the "
            "connection weixin_warehouse at another database"
        )
        assert ask(TABLES_SQL) == [(there,)]

    @pytest.mark.parametrize(
        "before",
        [
            "UPDATE weixin.schema_migrations SET sha256 = 'another' WHERE version = '0001'",
            "ALTER TABLE weixin.schema_migrations DROP COLUMN sha256",
        ],
    )
    def test_of_an_earlier_commit(self, fresh: Engine, ask: Ask, before: str):
        """Its baseline was another one by the same number, with a checksum or none."""
        migrate(fresh.url)
        with fresh.begin() as connection:
            connection.exec_driver_sql(before)
        there = ask(TABLES_SQL)

        assert self.sentence(fresh) == (
            "the warehouse is of an earlier commit: migration 0001 was another then; undo an edit, "
            "or point the connection weixin_warehouse at an empty database and take the answers "
            "along: `weixin-etl answers` of that commit prints them, `weixin-etl import` of this "
            "one loads them"
        )
        assert ask(TABLES_SQL) == there

    def test_whose_migration_was_edited(
        self, fresh: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """After it was applied: both are named by its number."""
        path = next_migration(tmp_path, monkeypatch)
        migrate(fresh.url)
        path.write_text("ALTER TABLE weixin.dim_account ADD another text")

        assert "earlier commit: migration 0002 was another then; undo an edit" in self.sentence(
            fresh
        )
