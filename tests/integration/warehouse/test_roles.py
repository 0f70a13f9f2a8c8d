"""What the roles weixin_loader and weixin_reader may do, tried as each of them."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError
from warehouse_loads import article, body, load_pairs, pair, rows

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import DATASETS

pytestmark = pytest.mark.every_postgres

HISTORIES = ("fact_history", "dim_article_title_history")
"""What was stays as it was: rows are added and read."""


def run(engine: Engine, sql: str) -> None:
    """Do it, and keep it."""
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


def refusal(engine: Engine, sql: str) -> str:
    """What Postgres says to the role that tries it; nothing when it lets it."""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)
    except ProgrammingError as error:
        return str(error.orig).splitlines()[0]
    return ""


def assert_refused(engine: Engine, *refused: tuple[str, str]) -> None:
    """Each statement, for want of a right on what it is named with."""
    said = {sql: refusal(engine, sql) for sql, _ in refused}
    assert [
        (sql, said[sql])
        for sql, what in refused
        if not (said[sql].startswith(("permission denied", "must be")) and said[sql].endswith(what))
    ] == []


RELATIONS = """
    SELECT relnamespace::regnamespace::text || '.' || relname FROM pg_class
    WHERE relnamespace::regnamespace::text IN ('weixin', 'analytics')
        AND relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'analytics.' || proname || '(now())' FROM pg_proc
    WHERE pronamespace = 'analytics'::regnamespace
"""
"""Tables, views and functions, as one asks them."""


class TestLoader:
    """weixin_loader may do what the pipeline needs, and nothing more."""

    def test_may_not(self, warehouse: Engine, loader: Engine):
        """No DDL, no deleted fact or answer, no forged migration, nothing outside its schema."""
        run(warehouse, "CREATE SCHEMA elsewhere CREATE TABLE secret (id int)")
        run(warehouse, "CREATE TABLE public.others (id int)")
        try:
            assert_refused(
                loader,
                ("CREATE TABLE weixin.own (id int)", "schema weixin"),
                ("ALTER TABLE weixin.coverage ADD own int", "table coverage"),
                ("DROP TABLE weixin.fact_article_total", "table fact_article_total"),
                ("CREATE ROLE own", "create role"),
                ("DELETE FROM weixin.fact_article_total", "table fact_article_total"),
                ("DELETE FROM weixin.raw_response", "table raw_response"),
                ("DELETE FROM weixin.coverage", "table coverage"),
                ("TRUNCATE weixin.fact_article_total", "table fact_article_total"),
                ("UPDATE weixin.raw_response SET body = ''", "table raw_response"),
                ("UPDATE weixin.rejected_row SET reason = ''", "table rejected_row"),
                *((f"UPDATE weixin.{it} SET appid = ''", f"table {it}") for it in HISTORIES),
                *((f"DELETE FROM weixin.{it}", f"table {it}") for it in HISTORIES),
                (
                    "INSERT INTO weixin.schema_migrations VALUES ('9', '')",
                    "table schema_migrations",
                ),
                ("UPDATE weixin.schema_migrations SET sha256 = ''", "table schema_migrations"),
                ("SELECT * FROM analytics.article_7d", "schema analytics"),
                ("CREATE VIEW analytics.own AS SELECT 1", "schema analytics"),
                ("SELECT * FROM elsewhere.secret", "schema elsewhere"),
                ("CREATE TABLE public.own (id int)", "schema public"),
                ("INSERT INTO public.others VALUES (1)", "table others"),
                ("SELECT passwd FROM pg_shadow", "view pg_shadow"),
            )
        finally:
            run(warehouse, "DROP SCHEMA elsewhere CASCADE; DROP TABLE public.others")

    def test_later_tables(self, warehouse: Engine, loader: Engine):
        """A table that a later migration creates can be loaded without another grant."""
        run(warehouse, "CREATE TABLE weixin.later (id int)")
        try:
            said = [
                refusal(loader, sql)
                for sql in (
                    "INSERT INTO weixin.later VALUES (1)",
                    "UPDATE weixin.later SET id = 2",
                    "SELECT * FROM weixin.later",
                    "DELETE FROM weixin.later",
                )
            ]
        finally:
            run(warehouse, "DROP TABLE weixin.later")

        assert said == ["", "", "", "permission denied for table later"]


class TestReader:
    """weixin_reader may read what analysts and the page need, and nothing else."""

    READABLE = (
        *("dim_account", "dim_article", *(it.fact for it in DATASETS.values())),
        *("collected_since", "coverage", "run_report"),
        *("finding", "incident", "api_call"),
        *HISTORIES,
    )

    def test_reads(self, warehouse: Engine, reader: Engine):
        """Each view, each function where PUBLIC may call none; no answer, nor rejected parts."""
        relations = [name for (name,) in rows(warehouse, RELATIONS)]
        run(warehouse, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics FROM PUBLIC")
        try:
            said = {name: refusal(reader, f"SELECT * FROM {name}") for name in relations}
        finally:
            run(warehouse, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO PUBLIC")

        assert len([it for it in relations if it.endswith("(now())")]) == len(DATASETS) + 2
        assert {name for name, words in said.items() if not words} == {
            *(it for it in relations if it.startswith("analytics.")),
            *(f"weixin.{table}" for table in (*self.READABLE, "schema_migrations")),
        }
        assert refusal(reader, "SELECT appid, fetched_at FROM weixin.raw_response") == ""
        assert refusal(reader, "SELECT appid, reason FROM weixin.rejected_row") == ""


ANALYST = "analyst_of_the_test"


class TestAttacker:
    """An analyst who means harm: a login of its own that is a member of weixin_reader."""

    @pytest.fixture
    def analyst(self, warehouse: Engine) -> Iterator[Engine]:
        """The warehouse as that login sees it."""
        run(warehouse, f"CREATE ROLE {ANALYST} LOGIN PASSWORD '{ANALYST}' IN ROLE weixin_reader")
        engine = the_warehouse.engine(warehouse.url.set(username=ANALYST, password=ANALYST))
        yield engine
        engine.dispose()
        run(warehouse, f"DROP ROLE {ANALYST}")

    @pytest.fixture
    def closed(self, warehouse: Engine) -> Iterator[None]:
        """The database as `docker/databases.sql` makes it."""
        run(warehouse, "REVOKE ALL ON DATABASE weixin, postgres, template1 FROM PUBLIC")
        yield
        run(warehouse, "GRANT CONNECT, TEMPORARY ON DATABASE weixin, postgres, template1 TO PUBLIC")

    def test_holds_up_no_load(self, warehouse: Engine, analyst: Engine):
        """Whatever it locks that can be locked by who only reads."""
        impatient = the_warehouse.engine(warehouse.url, {"lock_timeout": "2s"})
        answer = pair(body(article("1_1", {"20": {"share_user": 5}})), "22 08:30")
        with analyst.begin() as connection:
            for table in TestReader.READABLE:
                connection.exec_driver_sql(f"LOCK TABLE weixin.{table} IN ACCESS SHARE MODE")
            for key in ("wx1", "load:wx1", "ingest:article_total:wx1", "incident:article_total"):
                connection.exec_driver_sql(
                    f"SELECT pg_advisory_xact_lock(hashtextextended('{key}', 0))"
                )
            connection.exec_driver_sql("LISTEN anything; NOTIFY anything")
            (judged,) = load_pairs(impatient, answer)
        impatient.dispose()

        assert judged.counts.inserted == 1

    def test_may_not(self, analyst: Engine):
        """It writes no table, makes nothing that stays, reaches no file, becomes nobody else."""
        writes = (
            *("INSERT INTO {} DEFAULT VALUES", "UPDATE {} SET appid = ''"),
            *("DELETE FROM {}", "TRUNCATE {}"),
        )
        forbidden = (
            *(it.format(f"weixin.{name}") for name in TestReader.READABLE for it in writes),
            "CREATE TABLE weixin.own (id int)",
            "DROP VIEW analytics.metric",
            "ALTER TABLE weixin.dim_article ADD own int",
            "LOCK TABLE weixin.coverage IN ROW SHARE MODE",
            "CREATE FUNCTION public.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "SELECT setval('weixin.raw_response_raw_response_id_seq', 1)",
            "CREATE SCHEMA own",
            "SET ROLE weixin_loader",
            "SET temp_file_limit = -1",
            "ALTER ROLE weixin_reader RESET ALL",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY (SELECT 1) TO '/tmp/own'",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT body FROM weixin.raw_response",
            "SELECT access_token FROM weixin.platform_token",
        )
        assert_refused(analyst, *((sql, "") for sql in forbidden))

    @pytest.mark.usefixtures("closed")
    def test_makes_no_temporary_table_where_the_database_is_the_warehouses_own(
        self, analyst: Engine
    ):
        """As with docker compose."""
        assert_refused(analyst, ("CREATE TEMPORARY TABLE own (id int)", ""))

    @pytest.mark.usefixtures("closed")
    @pytest.mark.parametrize("other", ["postgres", "template1"])
    def test_enters_no_other_database(self, analyst: Engine, other: str):
        """As with docker compose."""
        engine = the_warehouse.engine(analyst.url.set(database=other))

        with pytest.raises(DBAPIError, match="permission denied for database"):
            engine.connect()


def test_the_readers_own_login_is_limited(reader: Engine):
    """A statement, a transaction that waits, and temporary files, which no session may change."""
    own = psycopg2.connect(reader.url.set(drivername="postgresql").render_as_string(False))
    with own, own.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), current_setting('temp_file_limit'), "
            "current_setting('idle_in_transaction_session_timeout')"
        )
        said = cursor.fetchone()
    own.close()

    assert said == ("10min", "5GB", "10min")
