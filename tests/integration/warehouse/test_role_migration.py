"""The roles: where the owner may create none, twice on one server, created later."""

from collections.abc import Iterator

import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy import Engine, make_url
from warehouse_loads import rows

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import DATASETS
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.migrations import ROLES
from weixin_etl.warehouse.views import views
from weixin_local.postgres import Server

pytestmark = pytest.mark.every_postgres

OWNER = "owner_of_the_test"
PASSWORD = "of-the-test"
GRANTS = """
    SELECT grantee, privilege_type, count(*)
    FROM information_schema.role_table_grants
    WHERE grantee IN ('weixin_loader', 'weixin_reader') GROUP BY 1, 2
    UNION ALL
    SELECT grantee, privilege_type, count(*) FROM information_schema.column_privileges
    WHERE grantee = 'weixin_loader' AND column_name = 'last_seen_at' GROUP BY 1, 2
    UNION ALL
    SELECT nspname || defaclacl::text, '', 1
    FROM pg_default_acl INNER JOIN pg_namespace ON pg_namespace.oid = defaclnamespace
    UNION ALL
    SELECT role, schema, 1
    FROM unnest(ARRAY['weixin_loader', 'weixin_reader']) AS role,
        unnest(ARRAY['weixin', 'analytics']) AS schema
    WHERE has_schema_privilege(role, schema, 'USAGE')
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg2.extensions.cursor]:
    """The server's superuser, outside any transaction."""
    connection = psycopg2.connect(server.libpq_url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


@pytest.fixture
def owned(server: Server, admin: psycopg2.extensions.cursor) -> Iterator[str]:
    """The URL of a new database for its owner, who may create no roles."""
    admin.execute(f"CREATE ROLE {OWNER} LOGIN NOCREATEROLE PASSWORD '{PASSWORD}'")
    admin.execute(f"CREATE DATABASE owned OWNER {OWNER}")
    url = make_url(server.url("owned")).set(username=OWNER, password=PASSWORD)
    yield url.render_as_string(hide_password=False)
    admin.execute("DROP DATABASE owned WITH (FORCE)")
    admin.execute(f"DROP ROLE {OWNER}")


@pytest.fixture
def no_roles(migrated: Engine, admin: psycopg2.extensions.cursor) -> Iterator[None]:
    """The server has no roles of ours: those of the shared warehouse have other names meanwhile."""
    for role in ROLES:
        admin.execute(f"ALTER ROLE {role} RENAME TO {role}_of_others")
    yield
    for role in ROLES:
        admin.execute(f"ALTER ROLE {role}_of_others RENAME TO {role}")


def ask(url: str, sql: str) -> list[tuple]:
    engine = the_warehouse.engine(url)
    found = rows(engine, sql)
    engine.dispose()
    return found


@pytest.mark.usefixtures("migrated")
def test_a_second_warehouse_of_the_server(server: Server, migrated: Engine, owned: str):
    """It has the same grants to the same roles, also for an owner who may create no roles."""
    first = rows(migrated, GRANTS.replace("defaclacl::text", "''"))

    assert migrate(owned).endswith("Brought up to date: tables, roles, views.")
    assert ask(server.url("owned"), GRANTS.replace("defaclacl::text", "''")) == first


@pytest.mark.usefixtures("no_roles")
def test_roles_an_administrator_created_later(
    server: Server, admin: psycopg2.extensions.cursor, owned: str
):
    """
    Without the right to create any, the warehouse is whole, and `migrate` says what is missing.

    Once they exist, it grants them what it could not, and is done.
    """
    said = migrate(owned)
    found = ask(owned, "SELECT count(*) FROM analytics.article_7d")
    for role in ROLES:
        admin.execute(f"CREATE ROLE {role}")
    superuser = the_warehouse.engine(server.url("owned"))
    try:
        then, granted, again = migrate(owned), rows(superuser, GRANTS), migrate(owned)
    finally:
        with superuser.begin() as connection:
            for role in ROLES:
                connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
        superuser.dispose()

    assert found == [(0,)]
    assert "The roles weixin_loader and weixin_reader don't exist" in said
    assert (then, again) == ("Brought up to date: tables, roles, views.", "")
    names = [(grantee, what) for grantee, what, _ in granted]
    assert ("weixin_loader", "INSERT") in names
    (selected,) = (count for *who, count in granted if who == ["weixin_reader", "SELECT"])
    assert selected > len(views()) + len(DATASETS)
