"""To a new major version of Postgres by dump and restore, as the manual says."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Engine, make_url
from warehouse_loads import ACCOUNT, article, body, contents, know, load_pairs, pair, rows

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server, embedded

OWNER = "upgrade_owner"
ROLES = f"""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weixin_loader') THEN
            CREATE ROLE weixin_loader; CREATE ROLE weixin_reader;
        END IF;
    END $$;
    CREATE ROLE {OWNER} LOGIN PASSWORD 'of-the-test';
    CREATE ROLE upgrade_daily LOGIN PASSWORD 'of-the-test' IN ROLE weixin_loader;
    CREATE ROLE upgrade_analyst LOGIN PASSWORD 'of-the-test' IN ROLE weixin_reader;
"""


def execute(server: Server, *statements: str) -> None:
    """As the superuser, each by itself."""
    connection = psycopg2.connect(server.libpq_url("postgres"))
    connection.autocommit = True
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


def engine(server: Server, user: str) -> Engine:
    """The warehouse as a user sees it."""
    url = make_url(server.url("upgrade")).set(username=user, password="of-the-test")
    return the_warehouse.engine(url)


def prepare(server: Server) -> None:
    """Roles, and an empty database: what a dump does not hold."""
    execute(server, ROLES, f"CREATE DATABASE upgrade OWNER {OWNER}")


@pytest.fixture
def new_server(embedded_server: Server) -> Iterator[Server]:
    """The embedded Postgres 18, with what is needed before a restore."""
    prepare(embedded_server)
    yield embedded_server
    execute(
        embedded_server,
        "DROP DATABASE upgrade WITH (FORCE)",
        f"DROP ROLE {OWNER}, upgrade_daily, upgrade_analyst",
    )


MORNING = pair(body(article("1_1", {"20": {"share_count": 1}})), "22 10:30")
NEXT = pair(body(article("1_1", {"20": {"share_count": 2}, "22": {}})), "23 10:30")


def test_everything_goes_on_after_a_dump_and_a_restore(
    oldest_server: Server, new_server: Server, tmp_path: Path
):
    """Every row and view; loads, migrations and questions as before, and no one may do more."""
    prepare(oldest_server)
    old = engine(oldest_server, OWNER)
    the_warehouse.migrate(old.url)
    know(old, ACCOUNT.appid)
    load_pairs(old, MORNING)
    before = contents(old)
    asked = "SELECT msgid, share_count FROM analytics.article_7d ORDER BY 1"
    assert oldest_server.binaries
    dump = tmp_path / "weixin.dump"

    subprocess.run(
        [
            *(oldest_server.binaries / "pg_dump", "--format=custom", f"--file={dump}"),
            oldest_server.libpq_url("upgrade"),
        ],
        check=True,
    )
    subprocess.run(
        [
            *(embedded() / "pg_restore", "--exit-on-error"),
            f"--dbname={new_server.libpq_url('upgrade')}",
            dump,
        ],
        check=True,
    )

    restored, daily = engine(new_server, OWNER), engine(new_server, "upgrade_daily")
    analyst = engine(new_server, "upgrade_analyst")
    assert contents(restored) == before
    assert the_warehouse.migrate(restored.url) == ""
    assert rows(analyst, asked) == [("1_1", 1)]
    load_pairs(daily, NEXT)
    assert rows(analyst, asked) == [("1_1", 2)]
    as_of = "SELECT share_count FROM analytics.article_total_as_of(now()) ORDER BY stat_date"
    assert rows(analyst, as_of) == [(2,), (None,)]
    assert rows(
        restored,
        "SELECT has_table_privilege('upgrade_daily', 'weixin.raw_response', 'DELETE'), "
        "has_column_privilege('upgrade_analyst', 'weixin.raw_response', 'body', 'SELECT')",
    ) == [(False, False)]
    for it in (old, restored, daily, analyst):
        it.dispose()
