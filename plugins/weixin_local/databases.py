"""The databases of this machine: started, brought to what is installed, opened at a prompt."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from psycopg2.errors import DuplicateObject
from psycopg2.sql import SQL, Identifier, Literal
from sqlalchemy import URL, make_url

from weixin_etl import warehouse
from weixin_local import postgres
from weixin_local.environment import WAREHOUSE_VARIABLE, configured_connection
from weixin_local.home import METADATA_DATABASE, SANDBOX_DATABASE, WAREHOUSE_DATABASE, Home, find
from weixin_local.logs import last_complaint
from weixin_local.machine import LocalError
from weixin_local.progress import Steps

PAGE_USER = "weixin_page"
TERMINFO_DIRS = "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"
"""The wheel's `psql` was built on a machine that keeps its terminals elsewhere."""


def start_postgres(home: Home, steps: Steps) -> None:
    """Start the embedded Postgres with its databases."""
    server = home.server
    with steps.step("Postgres"):
        server.start()
        for name in (METADATA_DATABASE, WAREHOUSE_DATABASE, SANDBOX_DATABASE):
            server.create_database(name)


def open_warehouse(steps: Steps) -> str:
    """The URL of the warehouse: the caller's own, else the embedded one, which is started."""
    own = _own_warehouse_url()
    if own:
        return own
    found = find()
    start_postgres(found, steps)
    return warehouse_url(found, is_sandbox=configured_connection(found) is None)


def warehouse_url(home: Home, *, is_sandbox: bool) -> str:
    """
    The URL of the warehouse of a started home; made-up figures have one of their own.

    Raises:
        LocalError: they would go to the warehouse that the caller's environment names.
    """
    own = _own_warehouse_url()
    if own and is_sandbox:
        raise LocalError(
            f"{WAREHOUSE_VARIABLE} names a warehouse, but no account is configured, and the "
            "sandbox's figures do not belong there: fill in .env, or unset the variable."
        )
    return own or home.server.url(SANDBOX_DATABASE if is_sandbox else WAREHOUSE_DATABASE)


def migrate(home: Home, environment: dict[str, str], warehouse_url: str, steps: Steps) -> None:
    """
    Bring Airflow's own database and the warehouse to what is installed.

    Raises:
        LocalError: Airflow's could not be.
        WarehouseError: the warehouse could not be.
    """
    _migrate_metadata(home, environment, steps)
    migrate_warehouse(warehouse_url, steps)


def migrate_warehouse(warehouse_url: str, steps: Steps) -> None:
    """
    Bring the warehouse to what is installed.

    Raises:
        WarehouseError: it could not be done.
    """
    with steps.step("Tables of the warehouse"):
        warehouse.migrate(warehouse_url)
        missing = warehouse.missing_roles(warehouse_url)
    if missing:
        steps.line("!", missing)


def page_url(home: Home, warehouse_url: str, password: str) -> str | None:
    """
    The migrated warehouse's URL for the page, whose user can only read and is made when needed.

    None when the warehouse is the caller's own server: its users are theirs to make.
    """
    if make_url(warehouse_url).port != home.server.port:
        return None
    url = make_url(warehouse_url).set(username=PAGE_USER, password=password)
    with suppress(DuplicateObject):
        home.server.ask(METADATA_DATABASE, f"CREATE ROLE {PAGE_USER} LOGIN IN ROLE weixin_reader")
    alter = SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(PAGE_USER), Literal(password))
    home.server.ask(METADATA_DATABASE, alter)
    return url.render_as_string(hide_password=False)


def psql(arguments: Sequence[str], steps: Steps) -> None:
    """Become `psql` on the warehouse, with the analysts' schema first in the search path."""
    url = make_url(open_warehouse(steps))
    program = postgres.embedded() / "psql"
    without_password = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    ).render_as_string()
    environment = {
        "TERMINFO_DIRS": TERMINFO_DIRS,
        "PGOPTIONS": "-c search_path=analytics,weixin,public",
        **os.environ,
        "PGPASSWORD": url.password or "",
    }
    # it looks for its own files where its first argument says it is
    command = [str(program), without_password, *arguments]
    os.execve(program, command, environment)  # noqa: S606 -- no shell is meant


def _own_warehouse_url() -> str | None:
    if not os.environ.get(WAREHOUSE_VARIABLE):
        return None
    from weixin_etl.orchestration.connections.warehouse import (
        open_warehouse as named_warehouse,  # imports Airflow: seconds
    )

    return named_warehouse().url.render_as_string(hide_password=False)


def _migrate_metadata(home: Home, environment: dict[str, str], steps: Steps) -> None:
    """A migration takes seconds even when there is nothing to do: hence the note."""
    installed = f"airflow {importlib.metadata.version('apache-airflow-core')}"
    by = home.server.ask(METADATA_DATABASE, warehouse.source("local/metadata_version.sql"))
    if by == installed:
        return
    log = home.logs / "db-migrate.log"
    with steps.step("Airflow's own database"), log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise LocalError(f"`airflow db migrate` failed, see {log}: {last_complaint(log)}")
    note = SQL("COMMENT ON DATABASE {} IS {}")
    home.server.ask(
        METADATA_DATABASE, note.format(Identifier(METADATA_DATABASE), Literal(installed))
    )
