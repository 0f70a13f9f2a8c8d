"""What the roles weixin_loader and weixin_reader may do, and how a warehouse comes by them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import yaml
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError
from support import PASSWORD, execute, new_user, rows
from warehouse_loads import article, body, load_pairs, pair

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.migrations import ROLES
from weixin_local.postgres import Server

pytestmark = pytest.mark.every_postgres

RIGHTS = yaml.safe_load(Path(__file__).with_name("rights.yaml").read_text())
HISTORIES = ("fact_history", "dim_article_title_history")
READABLE = (
    *("dim_account", "dim_article", *(it.fact for it in DATASETS.values()), *HISTORIES),
    *("collected_since", "coverage", "run_report", "finding", "incident", "api_call"),
)
RELATIONS = """
    SELECT relnamespace::regnamespace::text || '.' || relname FROM pg_class
    WHERE relnamespace::regnamespace::text IN ('weixin', 'analytics')
        AND relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'analytics.' || proname || '(now())' FROM pg_proc
    WHERE pronamespace = 'analytics'::regnamespace
"""
"""Tables, views and functions, as one asks them."""


def is_refused(engine: Engine, sql: str) -> bool:
    """Whether the role has no right to it; nothing of it is kept."""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)
    except ProgrammingError as error:
        return str(error.orig).startswith(("permission denied", "must be"))
    return False


@pytest.fixture
def others(warehouse: Engine) -> Iterator[None]:
    """What is not the pipeline's, and a table that a later migration has made."""
    execute(warehouse, "CREATE SCHEMA elsewhere CREATE TABLE secret (id int)")
    execute(warehouse, "CREATE TABLE public.others (id int); CREATE TABLE weixin.later (id int)")
    yield
    execute(warehouse, "DROP SCHEMA elsewhere CASCADE; DROP TABLE public.others, weixin.later")


@pytest.mark.usefixtures("others")
def test_the_loader_changes_no_schema_and_deletes_no_figure(loader: Engine):
    """No forged migration, nothing outside its schema; a later table takes no other grant."""
    its = RIGHTS["loader"]

    assert [it for it in its["refused"] if not is_refused(loader, it)] == []
    assert [it for it in its["allowed"] if is_refused(loader, it)] == []


ATTACK = """
    CREATE FUNCTION pg_temp.rise() RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN ALTER ROLE thief SUPERUSER; RETURN TRUE; END';
    CREATE VIEW pg_temp.{0} AS SELECT {1} FROM pg_catalog.{0} WHERE pg_temp.rise();
    SELECT weixin.analyse_grown();
"""
"""A temporary view with a catalog's name. Its function runs with the rights of whoever reads it."""


@pytest.mark.parametrize(
    ("catalog", "columns"),
    [
        ("pg_class", "oid, relnamespace, relkind, relhasindex, relpages"),
        ("pg_attribute", "attrelid, attname, attnum"),
        ("pg_index", "indrelid, indkey"),
    ],
)
def test_a_loader_gains_no_rights_of_the_owner(warehouse: Engine, catalog: str, columns: str):
    """The function that runs as the owner reads no temporary view of its caller."""
    # The function reads all three catalogs only if some table has grown.
    execute(warehouse, "INSERT INTO weixin.api_call VALUES ('wx1', 'token', '2026-11-24')")
    with new_user(warehouse, "thief", "IN ROLE weixin_loader") as thief:
        execute(thief, ATTACK.format(catalog, columns))
        risen = rows(warehouse, "SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = 'thief'")

    assert risen == []


def test_security_definer_functions_search_temporary_objects_last(warehouse: Engine):
    """Otherwise a temporary table or view of the caller would stand before any other."""
    functions = rows(
        warehouse,
        """
        SELECT oid::regproc::text, setting
        FROM pg_proc LEFT JOIN unnest(proconfig) AS setting ON setting LIKE 'search_path=%'
        WHERE prosecdef AND pronamespace::regnamespace::text IN ('weixin', 'analytics')
        """,
    )

    assert [name for name, _ in functions] == ["weixin.analyse_grown"]
    assert [name for name, path in functions if not (path or "").endswith(", pg_temp")] == []


def test_the_reader_reads_every_view_and_no_answer(warehouse: Engine, reader: Engine):
    """And each function where PUBLIC may call none; of answers and rejected parts not what's in."""
    execute(warehouse, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics FROM PUBLIC")
    relations = [name for (name,) in rows(warehouse, RELATIONS)]
    try:
        readable = {it for it in relations if not is_refused(reader, f"SELECT * FROM {it}")}
    finally:
        execute(warehouse, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO PUBLIC")

    assert sum(it.endswith("(now())") for it in relations) == len(DATASETS) + 2
    assert readable == {
        *(it for it in relations if it.startswith("analytics.")),
        *(f"weixin.{table}" for table in (*READABLE, "schema_migrations")),
    }


@pytest.fixture
def analyst(warehouse: Engine) -> Iterator[Engine]:
    """An analyst who means harm: a login of its own that is a member of weixin_reader."""
    with new_user(warehouse, "analyst", "IN ROLE weixin_reader") as engine:
        yield engine


def test_an_analyst_holds_up_no_load(warehouse: Engine, analyst: Engine):
    """Whatever it locks that can be locked by who only reads (0008)."""
    impatient = the_warehouse.engine(warehouse.url, {"lock_timeout": "2s"})
    keys = ("wx1", "load:wx1", "ingest:article_total:wx1", "incident:article_total")
    with analyst.begin() as connection:
        for table in READABLE:
            connection.exec_driver_sql(f"LOCK TABLE weixin.{table} IN ACCESS SHARE MODE")
        for key in keys:
            advisory = f"SELECT pg_advisory_xact_lock(hashtextextended('{key}', 0))"
            connection.exec_driver_sql(advisory)
        answer = pair(body(article("1_1", {"20": {"share_user": 5}})), "22 08:30")
        counts = load_pairs(impatient, answer)
    impatient.dispose()

    assert counts.inserted == 1


def test_an_analyst_writes_nothing_and_reaches_no_file(analyst: Engine):
    """It makes nothing that stays, and becomes nobody else."""
    its = RIGHTS["analyst"]
    writes = [it.format(f"weixin.{name}") for name in READABLE for it in its["each"]]

    assert [it for it in (*writes, *its["refused"]) if not is_refused(analyst, it)] == []
    assert [it for it in its["allowed"] if is_refused(analyst, it)] == []


def test_an_analyst_enters_no_other_database(warehouse: Engine, analyst: Engine):
    """As with docker compose, by `docker/databases.sql`; nor does it fill the disk."""
    databases = "DATABASE weixin, postgres, template1"
    execute(warehouse, f"REVOKE ALL ON {databases} FROM PUBLIC")
    try:
        assert is_refused(analyst, "CREATE TEMPORARY TABLE own (id int)")
        for other in ("postgres", "template1"):
            engine = the_warehouse.engine(analyst.url.set(database=other))
            with pytest.raises(DBAPIError, match="permission denied for database"):
                engine.connect()
    finally:
        execute(warehouse, f"GRANT CONNECT, TEMPORARY ON {databases} TO PUBLIC")


def test_the_readers_own_login_is_limited(reader: Engine):
    """A statement, a transaction that waits, and temporary files, which no session may change."""
    own = psycopg2.connect(reader.url.set(drivername="postgresql").render_as_string(False))
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "temp_file_limit")
    with own, own.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'current_setting({it!r})' for it in names)}")
        said = cursor.fetchone()
    own.close()

    assert said == ("10min", "10min", "5GB")


GRANTS = """
    SELECT grantee, privilege_type, count(*)::integer
    FROM information_schema.role_table_grants
    WHERE grantee IN ('weixin_loader', 'weixin_reader') GROUP BY 1, 2
    UNION ALL
    SELECT grantee, privilege_type || ' of a column', count(*)
    FROM information_schema.column_privileges
    WHERE grantee = 'weixin_loader' AND column_name = 'last_seen_at' GROUP BY 1, 2
    UNION ALL
    SELECT role, schema, 1
    FROM unnest(ARRAY['weixin_loader', 'weixin_reader']) AS role,
        unnest(ARRAY['weixin', 'analytics']) AS schema
    WHERE has_schema_privilege(role, schema, 'USAGE')
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def owned(server: Server) -> Iterator[Engine]:
    """A new database of its owner, who may create no roles."""
    server.ask("postgres", f"CREATE ROLE owner_of_it LOGIN NOCREATEROLE PASSWORD '{PASSWORD}'")
    server.ask("postgres", "CREATE DATABASE owned OWNER owner_of_it")
    theirs = the_warehouse.engine(server.url("owned")).url
    engine = the_warehouse.engine(theirs.set(username="owner_of_it", password=PASSWORD))
    yield engine
    engine.dispose()
    server.ask("postgres", "DROP DATABASE owned WITH (FORCE)")
    server.ask("postgres", "DROP ROLE owner_of_it")


def test_roles_that_an_administrator_creates_later(server: Server, migrated: Engine, owned: Engine):
    """The warehouse is whole without them; once they exist, `migrate` grants what it could not."""
    first = rows(migrated, GRANTS)
    superuser = the_warehouse.engine(server.url("owned"))
    for role in ROLES:  # those of the shared warehouse have other names meanwhile
        server.ask("postgres", f"ALTER ROLE {role} RENAME TO {role}_of_others")
    try:
        said, found = migrate(owned.url), rows(owned, "SELECT count(*) FROM analytics.article_7d")
        for role in ROLES:
            server.ask("postgres", f"CREATE ROLE {role}")
        then, granted, again = migrate(owned.url), rows(superuser, GRANTS), migrate(owned.url)
    finally:
        for role in ROLES:
            execute(superuser, f"DROP OWNED BY {role}; DROP ROLE IF EXISTS {role}")
            server.ask("postgres", f"ALTER ROLE {role}_of_others RENAME TO {role}")
        superuser.dispose()

    assert found == [(0,)]
    assert "The roles weixin_loader and weixin_reader don't exist" in said
    assert (granted, again) == (first, "")
    assert "roles" in then
