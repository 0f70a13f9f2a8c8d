"""What the roles weixin_loader and weixin_reader may do, tried as each of them."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError
from warehouse_loads import rows

HISTORIES = (
    "fact_article_total_history",
    "fact_article_total_detail_history",
    "dim_article_title_history",
)
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


def relations(engine: Engine, schema: str) -> list[str]:
    """Tables and views of the schema."""
    found = rows(
        engine,
        "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) "
        "AND relkind IN ('r', 'v', 'm', 'p') ORDER BY 1",
        schema=schema,
    )
    return [name for (name,) in found]


class TestLoader:
    """weixin_loader may do what the pipeline needs, and nothing more."""

    @pytest.mark.parametrize(
        ("sql", "what"),
        [
            ("CREATE TABLE weixin.own (id int)", "schema weixin"),
            ("CREATE SCHEMA own", "database weixin"),
            ("ALTER TABLE weixin.coverage ADD own int", "table coverage"),
            ("DROP TABLE weixin.fact_article_total", "table fact_article_total"),
            ("CREATE INDEX ON weixin.coverage (appid)", "table coverage"),
            ("CREATE ROLE own", "create role"),
            ("DELETE FROM weixin.fact_article_total", "table fact_article_total"),
            ("DELETE FROM weixin.raw_response", "table raw_response"),
            ("DELETE FROM weixin.coverage", "table coverage"),
            ("TRUNCATE weixin.fact_article_total", "table fact_article_total"),
            ("UPDATE weixin.raw_response SET body_zstd = ''", "table raw_response"),
            ("UPDATE weixin.rejected_row SET reason = ''", "table rejected_row"),
            *(
                (sql.format(history), f"table {history}")
                for history in HISTORIES
                for sql in ("UPDATE weixin.{} SET msgid = ''", "DELETE FROM weixin.{}")
            ),
            ("INSERT INTO weixin.schema_migrations VALUES ('9999')", "table schema_migrations"),
            ("INSERT INTO weixin.view_version VALUES ('v', '', now())", "table view_version"),
            ("UPDATE weixin.view_version SET text_sha256 = ''", "table view_version"),
            ("DELETE FROM weixin.schema_migrations", "table schema_migrations"),
            ("SELECT * FROM analytics.article", "schema analytics"),
            ("SELECT * FROM analytics.article_total_as_of(now())", "schema analytics"),
            ("CREATE VIEW analytics.own AS SELECT 1", "schema analytics"),
            ("SELECT * FROM elsewhere.secret", "schema elsewhere"),
            ("CREATE TABLE public.own (id int)", "schema public"),
            ("SELECT * FROM public.others", "table others"),
            ("INSERT INTO public.others VALUES (1)", "table others"),
            ("SELECT passwd FROM pg_shadow", "view pg_shadow"),
        ],
    )
    def test_may_not(self, warehouse: Engine, loader: Engine, sql: str, what: str):
        """No DDL, no deleted fact or answer, no forged migration, nothing outside its schema."""
        run(warehouse, "CREATE SCHEMA elsewhere CREATE TABLE secret (id int)")
        run(warehouse, "CREATE TABLE public.others (id int)")
        try:
            said = refusal(loader, sql)
        finally:
            run(warehouse, "DROP SCHEMA elsewhere CASCADE; DROP TABLE public.others")

        assert said.startswith(("permission denied", "must be owner"))
        assert said.endswith(what)

    def test_adds_to_the_histories(self, loader: Engine):
        """That is all that a load does with them."""
        said = [
            refusal(
                loader,
                f"INSERT INTO weixin.{fact}_history (appid, msgid, stat_date, publication_date, "  # noqa: S608 # facts
                "raw_response_id, fetched_at, loaded_at, changed_at, replaced_at, cause, "
                "changed_metrics) "
                "VALUES ('', '', now(), now(), 1, now(), now(), now(), now(), 'wechat', '{}')",
            )
            for fact in ("fact_article_total", "fact_article_total_detail")
        ]
        said += [refusal(loader, f"SELECT * FROM weixin.{history}") for history in HISTORIES]  # noqa: S608 # HISTORIES

        assert said == [""] * 5

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
        *("dim_account", "dim_article", "fact_article_total", "fact_article_total_detail"),
        *("first_daily_run", "coverage", "run_report", "article_sighting"),
        *("incident", "unwanted_range", "api_call"),
        *HISTORIES,
    )

    def test_reads_views_facts_and_dimensions(self, warehouse: Engine, reader: Engine):
        """Every view, and the tables of the page in Airflow; no answer, nor what was rejected."""
        views = relations(warehouse, "analytics")
        tables = relations(warehouse, "weixin")

        said = {
            f"{schema}.{name}": refusal(reader, f"SELECT * FROM {schema}.{name}")  # noqa: S608 # the catalogue's names
            for schema, names in (("analytics", views), ("weixin", tables))
            for name in names
        }

        assert len(views) >= 11
        assert {name for name, words in said.items() if not words} == {
            *(f"analytics.{view}" for view in views),
            *(f"weixin.{table}" for table in (*self.READABLE, "schema_migrations", "restatement")),
        }
        assert said["weixin.raw_response"] == "permission denied for table raw_response"
        assert said["weixin.rejected_row"] == "permission denied for table rejected_row"
        assert refusal(reader, "SELECT appid, loaded_at FROM weixin.raw_response") == ""
        assert refusal(reader, "SELECT appid, reason FROM weixin.rejected_row") == ""

    def test_calls_the_functions(self, warehouse: Engine, reader: Engine):
        """Each that stands in schema analytics, also where PUBLIC may call none."""
        functions = rows(
            warehouse,
            "SELECT proname FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace ORDER BY 1",
        )
        run(warehouse, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics FROM PUBLIC")
        try:
            said = [refusal(reader, f"SELECT * FROM analytics.{it}(now())") for (it,) in functions]  # noqa: S608 # the catalogue's names
        finally:
            run(warehouse, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO PUBLIC")

        assert functions == [("article_total_as_of",), ("article_total_detail_as_of",)]
        assert said == ["", ""]

    @pytest.mark.parametrize("verb", ["INSERT", "UPDATE", "DELETE", "TRUNCATE"])
    def test_writes_nothing(self, reader: Engine, verb: str):
        """Not one table or view can it write."""
        statements = {
            "INSERT": "INSERT INTO {} DEFAULT VALUES",
            "UPDATE": "UPDATE {} SET appid = ''",
            "DELETE": "DELETE FROM {}",
            "TRUNCATE": "TRUNCATE {}",
        }
        tables = [f"weixin.{name}" for name in self.READABLE]

        said = [refusal(reader, statements[verb].format(table)) for table in tables]

        assert said == [f"permission denied for table {name}" for name in self.READABLE]

    @pytest.mark.parametrize(
        ("sql", "what"),
        [
            ("CREATE TABLE weixin.own (id int)", "schema weixin"),
            ("CREATE VIEW analytics.own AS SELECT 1", "schema analytics"),
            ("CREATE TABLE public.own (id int)", "schema public"),
            ("DROP VIEW analytics.metric", "view metric"),
            ("ALTER TABLE weixin.dim_article ADD own int", "table dim_article"),
            ("SELECT nextval('weixin.raw_response_raw_response_id_seq')", "raw_response_id_seq"),
        ],
    )
    def test_may_not(self, reader: Engine, sql: str, what: str):
        """It creates and changes nothing."""
        said = refusal(reader, sql)

        assert said.startswith(("permission denied", "must be owner"))
        assert said.endswith(what)

    def test_later_views(self, warehouse: Engine, reader: Engine):
        """A view that a later migration creates can be read without another grant, a table not."""
        run(
            warehouse, "CREATE VIEW analytics.later AS SELECT 1; CREATE TABLE weixin.later (id int)"
        )
        try:
            said = [
                refusal(reader, "SELECT * FROM analytics.later"),
                refusal(reader, "SELECT * FROM weixin.later"),
            ]
        finally:
            run(warehouse, "DROP VIEW analytics.later; DROP TABLE weixin.later")

        assert said == ["", "permission denied for table later"]
