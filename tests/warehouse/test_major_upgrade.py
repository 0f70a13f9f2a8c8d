"""A test of the upgrade to a new major version of Postgres, by dump and restore."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url
from support import rows
from support.warehouse_loads import ACCOUNT, article, body, contents, know, load_chunk, staged

from weixin_etl import warehouse as warehouse_module
from weixin_local.postgres import Server, embedded

OWNER, DAILY, ANALYST = "upgrade_owner", "upgrade_daily", "upgrade_analyst"
ROLES = f"""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
            CREATE ROLE weixin_loader; CREATE ROLE weixin_reader;
        END IF;
    END $$;
    CREATE ROLE {OWNER} LOGIN PASSWORD 'of-the-test';
    CREATE ROLE {DAILY} LOGIN PASSWORD 'of-the-test' IN ROLE weixin_loader;
    CREATE ROLE {ANALYST} LOGIN PASSWORD 'of-the-test' IN ROLE weixin_reader;
"""
"""Statements for the roles, which a dump does not contain."""


def prepare(server: Server) -> None:
    """Create the roles and an empty database of the owner."""
    server.ask("postgres", ROLES)
    server.ask("postgres", f"CREATE DATABASE upgrade OWNER {OWNER}")


def as_user(server: Server, user: str) -> Engine:
    """Return an engine of the user."""
    url = make_url(server.url("upgrade")).set(username=user, password="of-the-test")
    return warehouse_module.engine(url)


@pytest.fixture
def new_server(embedded_server: Server) -> Iterator[Server]:
    """Yield the embedded Postgres 18 with the roles and the database for a restore."""
    prepare(embedded_server)
    yield embedded_server
    embedded_server.ask("postgres", "DROP DATABASE upgrade WITH (FORCE)")
    embedded_server.ask("postgres", f"DROP ROLE {OWNER}, {DAILY}, {ANALYST}")


def test_everything_works_after_a_dump_and_a_restore(
    oldest_server: Server, new_server: Server, tmp_path: Path
):
    """All rows are there. Loads, migrations and queries work, and no role has gained a right."""
    prepare(oldest_server)
    old, dump = as_user(oldest_server, OWNER), tmp_path / "weixin.dump"
    warehouse_module.migrate(old.url)
    know(old, ACCOUNT.appid)
    load_chunk(old, staged(body(article("1_1", {"20": {"share_count": 1}})), "22 10:30"))
    before = contents(old)

    assert oldest_server.binaries
    dumps = (oldest_server.binaries / "pg_dump", "--format=custom", f"--file={dump}")
    subprocess.run([*dumps, oldest_server.libpq_url("upgrade")], check=True)
    into = f"--dbname={new_server.libpq_url('upgrade')}"
    subprocess.run([embedded() / "pg_restore", "--exit-on-error", into, dump], check=True)

    restored, daily, analyst = (as_user(new_server, user) for user in (OWNER, DAILY, ANALYST))
    assert contents(restored) == before
    assert warehouse_module.migrate(restored.url) == ""
    next_day = body(article("1_1", {"20": {"share_count": 2}, "22": {}}))
    load_chunk(daily, staged(next_day, "23 10:30"))
    as_of = "SELECT share_count FROM analytics.article_total_as_of(now()) ORDER BY stat_date"
    assert rows(analyst, as_of) == [(2,), (None,)]
    assert rows(analyst, "SELECT share_count FROM analytics.article_7d") == [(2,)]
    rights = (
        f"SELECT has_table_privilege('{DAILY}', 'weixin.raw_response', 'DELETE'), "
        f"has_column_privilege('{ANALYST}', 'weixin.raw_response', 'body', 'SELECT')"
    )
    assert rows(restored, rights) == [(False, False)]
    for engine in (old, restored, daily, analyst):
        engine.dispose()
