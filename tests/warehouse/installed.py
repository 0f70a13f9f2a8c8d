"""
Warehouses whose database users are created by the commands of the manual.

`with_docker_compose` and `on_own_server` are the manual's two kinds of installation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from support import PASSWORD, execute, temporary_server
from support.people import PROJECT, blocks, printed

from weixin_etl import warehouse as warehouse_module
from weixin_local.postgres import Server, embedded

SECRETS = ("AIRFLOW_DATABASE", "WEIXIN_OWNER", "WEIXIN_LOADER", "WEIXIN_PAGE")
TOOLS = ("superset", "dbt")
"""The folders of `analytics` whose README creates a database user."""


@dataclass(frozen=True)
class Installed:
    """Engines of a migrated warehouse, one for each user; `readers` are all reading users."""

    superuser: Engine
    owner: Engine
    loader: Engine
    analyst: Engine
    readers: tuple[Engine, ...]

    def dispose(self) -> None:
        """Close all connections."""
        for engine in (self.superuser, self.owner, self.loader, *self.readers):
            engine.dispose()


def run_file(server: Server, file: str, *variables: str, **environment: str) -> None:
    """Run a file of the folder `docker` as a superuser, with the psql of the server's version."""
    program = (server.binaries or embedded()) / "psql"
    settings = [f"--set={variable}" for variable in ("ON_ERROR_STOP=1", *variables)]
    path, url = PROJECT / "docker" / file, server.libpq_url("postgres")
    printed(program, "--no-psqlrc", *settings, f"--file={path}", url, **environment)


def as_user(superuser: Engine, name: str, password: str = PASSWORD) -> Engine:
    """Return an engine of the user."""
    return warehouse_module.engine(superuser.url.set(username=name, password=password))


@contextmanager
def with_docker_compose(server: Server, _: Engine) -> Iterator[Installed]:
    """Install what docker compose installs, where the migrating owner is no superuser."""
    passwords = {f"{secret}_PASSWORD": PASSWORD for secret in SECRETS}
    with temporary_server(server.binaries) as own:
        run_file(own, "databases.sql", **passwords)
        superuser = warehouse_module.engine(own.url("weixin"))
        owner = as_user(superuser, "weixin")
        warehouse_module.migrate(owner.url)
        run_file(own, "reader.sql", "reader=ann")
        execute(superuser, f"ALTER ROLE ann PASSWORD '{PASSWORD}'")
        loader, analyst, page = (
            as_user(superuser, name) for name in ("weixin_loader", "ann", "weixin_page")
        )
        yield (users := Installed(superuser, owner, loader, analyst, (analyst, page)))
        users.dispose()


@contextmanager
def on_own_server(server: Server, migrated: Engine) -> Iterator[Installed]:
    """Create users of a warehouse on a shared server, which a superuser has migrated."""
    execute(
        migrated,
        f"CREATE ROLE weixin_daily LOGIN PASSWORD '{PASSWORD}' IN ROLE weixin_loader",
        f"CREATE ROLE analyst LOGIN PASSWORD '{PASSWORD}'",
        *(readme_sql(tool) for tool in TOOLS),
    )
    run_file(server, "reader.sql", "reader=analyst")
    loader, analyst = (as_user(migrated, name) for name in ("weixin_daily", "analyst"))
    tools = [as_user(migrated, name, "choose-one") for name in ("superset", "li")]
    yield (users := Installed(migrated, migrated, loader, analyst, (analyst, *tools)))
    users.dispose()
    for name in ("weixin_daily", "analyst", "superset", "li"):
        execute(migrated, f"DROP OWNED BY {name}; DROP ROLE {name}")


def readme_sql(tool: str) -> str:
    """Return the SQL that an administrator runs after the README of a folder of `analytics`."""
    heading = {"superset": "Import it", "dbt": "A schema of your own"}[tool]
    (sql,) = blocks((PROJECT / f"analytics/{tool}/README.md").read_text(), heading, "sql")
    return sql
