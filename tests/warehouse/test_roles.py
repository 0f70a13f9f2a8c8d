"""Tests of the rights of the roles weixin_loader and weixin_reader, and of their creation."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml
from installed import Installed, on_own_server, with_docker_compose
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError
from support import PASSWORD, empty, execute, rows
from support.warehouse_loads import article, body, load_chunk, staged

from weixin_etl import warehouse as warehouse_module
from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.migrations import ROLES
from weixin_local.postgres import Server

pytestmark = pytest.mark.every_postgres

RIGHTS = yaml.safe_load(Path(__file__).with_name("rights.yaml").read_text())
HISTORIES = ("fact_history", "dim_article_title_history")
READABLE = (
    *("dim_account", "dim_article", *(dataset.fact for dataset in DATASETS.values()), *HISTORIES),
    *("collected_since", "coverage", "run_report", "finding", "incident", "api_call"),
    *("account_day", "account_day_state"),
)
RELATIONS = """
    SELECT relnamespace::regnamespace::text || '.' || relname FROM pg_class
    WHERE relnamespace::regnamespace::text IN ('weixin', 'analytics')
        AND relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'analytics.' || proname || '(now())' FROM pg_proc
    WHERE pronamespace = 'analytics'::regnamespace
"""
"""A query for all tables, views and functions, in the form that a FROM clause takes."""
LIMITS = {
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "10min",
    "temp_file_limit": "5GB",
}


def is_refused(engine: Engine, sql: str) -> bool:
    """Return whether the user lacks the right to the statement, which is rolled back."""
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)
    except ProgrammingError as error:
        return str(error.orig).startswith(("permission denied", "must be"))
    return False


@pytest.fixture(scope="module", params=[with_docker_compose, on_own_server])
def installed(
    request: pytest.FixtureRequest, server: Server, migrated: Engine
) -> Iterator[Installed]:
    """Yield a warehouse with the manual's users, for each of the two kinds of installation."""
    with request.param(server, migrated) as installed:
        yield installed


@pytest.fixture
def users(installed: Installed) -> Installed:
    """Return the same warehouse without rows."""
    empty(installed.superuser)
    return installed


@pytest.fixture
def foreign_tables(users: Installed) -> Iterator[None]:
    """Create tables outside the pipeline's schema, and a table of a later migration."""
    execute(users.superuser, "CREATE SCHEMA elsewhere CREATE TABLE secret (id int)")
    execute(users.superuser, "CREATE TABLE public.others (id int)")
    execute(users.owner, "CREATE TABLE weixin.later (id int)")
    yield
    execute(
        users.superuser, "DROP SCHEMA elsewhere CASCADE; DROP TABLE public.others, weixin.later"
    )


@pytest.mark.usefixtures("foreign_tables")
def test_the_loader_changes_no_schema_and_deletes_no_figure(users: Installed):
    """The loader can't forge a migration or leave its schema. A later table has the same grants."""
    rights = RIGHTS["loader"]

    assert [sql for sql in rights["refused"] if not is_refused(users.loader, sql)] == []
    assert [sql for sql in rights["allowed"] if is_refused(users.loader, sql)] == []


ATTACK = """
    CREATE FUNCTION pg_temp.attack() RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN GRANT DELETE ON weixin.coverage TO PUBLIC; RETURN TRUE; END';
    CREATE VIEW pg_temp.{0} AS SELECT {1} FROM pg_catalog.{0} WHERE pg_temp.attack();
    SELECT weixin.analyse_grown();
    SELECT has_table_privilege('weixin.coverage', 'DELETE');
"""
"""A temporary view with a catalog's name, whose function runs with the rights of its reader."""


@pytest.mark.parametrize(
    ("catalog", "columns"),
    [
        ("pg_class", "oid, relnamespace, relkind, relhasindex, relpages"),
        ("pg_attribute", "attrelid, attname, attnum"),
        ("pg_index", "indrelid, indkey"),
    ],
)
def test_the_loader_gains_no_rights_of_the_owner(users: Installed, catalog: str, columns: str):
    """The function that runs as the owner reads no temporary view of its caller."""
    # The function reads all three catalogs only if some table has grown.
    execute(users.loader, "INSERT INTO weixin.api_call VALUES ('wx1', 'token', '2026-11-24')")
    with users.loader.connect() as connection:
        gained = connection.exec_driver_sql(ATTACK.format(catalog, columns)).scalar()

    assert gained is False


def test_security_definer_functions_search_temporary_objects_last(migrated: Engine):
    """Otherwise a temporary table or view of the caller would stand before any other."""
    functions = rows(
        migrated,
        """
        SELECT oid::regproc::text, setting
        FROM pg_proc LEFT JOIN unnest(proconfig) AS setting ON setting LIKE 'search_path=%'
        WHERE prosecdef AND pronamespace::regnamespace::text IN ('weixin', 'analytics')
        """,
    )

    assert [name for name, _ in functions] == ["weixin.analyse_grown"]
    assert [name for name, path in functions if not (path or "").endswith(", pg_temp")] == []


def test_an_analyst_reads_every_view_and_no_answer(users: Installed):
    """The analyst may call each function even if PUBLIC may not, and read no rejected parts."""
    execute(users.owner, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics FROM PUBLIC")
    relations = [name for (name,) in rows(users.owner, RELATIONS)]
    try:
        queries = {name: f"SELECT * FROM {name}" for name in relations}
        readable = {name for name, sql in queries.items() if not is_refused(users.analyst, sql)}
    finally:
        execute(users.owner, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO PUBLIC")

    functions = {name for name in relations if name.endswith("(now())")}
    assert "analytics.yesterday(now())" in functions
    assert sum(name.endswith("_as_of(now())") for name in functions) == len(DATASETS) + 2
    assert readable == {
        *(name for name in relations if name.startswith("analytics.")),
        *(f"weixin.{table}" for table in (*READABLE, "schema_migrations")),
    }


def test_an_analyst_does_not_block_a_load(users: Installed):
    """The analyst takes every lock that a reader can take (0008)."""
    impatient = warehouse_module.engine(users.loader.url, {"lock_timeout": "2s"})
    keys = ("wx1", "load:wx1", "ingest:article_total:wx1", "incident:article_total")
    with users.analyst.begin() as connection:
        for table in READABLE:
            connection.exec_driver_sql(f"LOCK TABLE weixin.{table} IN ACCESS SHARE MODE")
        for key in keys:
            advisory = f"SELECT pg_advisory_xact_lock(hashtextextended('{key}', 0))"
            connection.exec_driver_sql(advisory)
        answer = staged(body(article("1_1", {"20": {"share_user": 5}})), "22 08:30")
        counts = load_chunk(impatient, answer)
    impatient.dispose()

    assert counts.inserted == 1


def test_an_analyst_writes_nothing_and_reaches_no_file(users: Installed):
    """The analyst creates nothing permanent and can't become another user."""
    rights = RIGHTS["analyst"]
    writes = [sql.format(f"weixin.{name}") for name in READABLE for sql in rights["each"]]
    refused = [*writes, *rights["refused"]]

    assert [sql for sql in refused if not is_refused(users.analyst, sql)] == []
    assert [sql for sql in rights["allowed"] if is_refused(users.analyst, sql)] == []


@pytest.mark.parametrize("installed", [with_docker_compose], indirect=True)
def test_users_of_docker_compose_enter_no_other_database(users: Installed):
    """`docker/databases.sql` revokes the rights. Readers create no temporary objects either."""
    for engine in (users.owner, users.loader, *users.readers):
        for database in ("airflow", "postgres", "template1"):
            elsewhere = warehouse_module.engine(engine.url.set(database=database))
            with pytest.raises(DBAPIError, match="permission denied for database"):
                elsewhere.connect()
    for reader in users.readers:
        assert is_refused(reader, "CREATE TEMPORARY TABLE own (id int)")
        assert is_refused(reader, "CREATE FUNCTION pg_temp.own() RETURNS int RETURN 1")


def unlimited(url: URL) -> dict[str, str]:
    """Return the limits that a session of the user does not have."""
    session = psycopg2.connect(url.set(drivername="postgresql").render_as_string(False))
    with closing(session), session.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings")
        settings = dict(cursor.fetchall())
    return {name: settings[name] for name, limit in LIMITS.items() if settings[name] != limit}


def test_every_reader_of_the_manual_has_limits(users: Installed):
    """Each user has its own settings, because members of a role do not inherit them."""
    assert [unlimited(reader.url) for reader in users.readers] == [{} for _ in users.readers]


def test_readers_can_lift_their_timeouts_but_not_the_limit_of_their_files(users: Installed):
    """Readers can do so for one session and for all later ones."""
    own = "ALTER ROLE CURRENT_USER"
    lifts = f"SET {{0}} = {{1}}; {own} SET {{0}} = {{1}}; {own} RESET {{0}}"
    kept = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = CURRENT_USER::regrole"
    with users.analyst.connect() as connection:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(lifts.format(name, 0))
        connection.exec_driver_sql(f"{own} RESET ALL")
        left = connection.exec_driver_sql(kept).scalar()

    assert left == ["temp_file_limit=5GB"]
    for statement in lifts.format("temp_file_limit", -1).split("; "):
        assert is_refused(users.analyst, statement)


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
    """Create a database whose owner may not create roles, and yield the owner's engine."""
    server.ask("postgres", f"CREATE ROLE sole_owner LOGIN NOCREATEROLE PASSWORD '{PASSWORD}'")
    server.ask("postgres", "CREATE DATABASE owned OWNER sole_owner")
    url = warehouse_module.engine(server.url("owned")).url
    engine = warehouse_module.engine(url.set(username="sole_owner", password=PASSWORD))
    yield engine
    engine.dispose()
    server.ask("postgres", "DROP DATABASE owned WITH (FORCE)")
    server.ask("postgres", "DROP ROLE sole_owner")


def test_migrate_grants_rights_to_roles_that_are_created_later(
    server: Server, migrated: Engine, owned: Engine
):
    """The warehouse is complete without the roles. Once they exist, `migrate` adds the grants."""
    first = rows(migrated, GRANTS)
    superuser = warehouse_module.engine(server.url("owned"))
    for role in ROLES:  # the shared server's own roles are renamed for the time of the test
        server.ask("postgres", f"ALTER ROLE {role} RENAME TO {role}_of_others")
    try:
        without, articles = (
            migrate(owned.url),
            rows(owned, "SELECT count(*) FROM analytics.article_7d"),
        )
        for role in ROLES:
            server.ask("postgres", f"CREATE ROLE {role}")
        later, granted, last = migrate(owned.url), rows(superuser, GRANTS), migrate(owned.url)
    finally:
        for role in ROLES:
            execute(superuser, f"DROP OWNED BY {role}; DROP ROLE IF EXISTS {role}")
            server.ask("postgres", f"ALTER ROLE {role}_of_others RENAME TO {role}")
        superuser.dispose()

    assert articles == [(0,)]
    assert "The roles weixin_loader and weixin_reader don't exist" in without
    assert (granted, last) == (first, "")
    assert "roles" in later
