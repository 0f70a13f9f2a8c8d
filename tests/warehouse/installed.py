"""Warehouses whose users are made as the manual makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from support import PASSWORD, execute, temporary_server
from support.people import PROJECT, blocks, printed

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server, embedded

SECRETS = ("AIRFLOW_DATABASE", "WEIXIN_OWNER", "WEIXIN_LOADER", "WEIXIN_PAGE")
TOOLS = ("superset", "dbt")
"""The folders of `analytics` whose README makes a user."""


@dataclass(frozen=True)
class Installed:
    """A migrated warehouse as its users see it; `readers` are all whom the manual makes."""

    superuser: Engine
    owner: Engine
    loader: Engine
    analyst: Engine
    readers: tuple[Engine, ...]

    def dispose(self) -> None:
        """Close the connections."""
        for engine in (self.superuser, self.owner, self.loader, *self.readers):
            engine.dispose()


def run_file(server: Server, file: str, *variables: str, **environment: str) -> None:
    """Run a file of the folder `docker` as a superuser, with the psql of the server's version."""
    program = (server.binaries or embedded()) / "psql"
    options = ["--no-psqlrc", "--set=ON_ERROR_STOP=1", *(f"--set={it}" for it in variables)]
    path = PROJECT / "docker" / file
    printed(program, *options, f"--file={path}", server.libpq_url("postgres"), **environment)


def as_user(superuser: Engine, name: str, password: str = PASSWORD) -> Engine:
    """Return the warehouse as the user sees it."""
    return the_warehouse.engine(superuser.url.set(username=name, password=password))


@contextmanager
def with_docker_compose(server: Server, _: Engine) -> Iterator[Installed]:
    """Install what docker compose installs, where the migrating owner is no superuser."""
    passwords = {f"{it}_PASSWORD": PASSWORD for it in SECRETS}
    with temporary_server(server.binaries) as own:
        run_file(own, "databases.sql", **passwords)
        superuser = the_warehouse.engine(own.url("weixin"))
        owner = as_user(superuser, "weixin")
        the_warehouse.migrate(owner.url)
        run_file(own, "reader.sql", "reader=ann")
        execute(superuser, f"ALTER ROLE ann PASSWORD '{PASSWORD}'")
        loader, analyst, page = (
            as_user(superuser, it) for it in ("weixin_loader", "ann", "weixin_page")
        )
        yield (users := Installed(superuser, owner, loader, analyst, (analyst, page)))
        users.dispose()


@contextmanager
def on_own_server(server: Server, migrated: Engine) -> Iterator[Installed]:
    """Make users of a warehouse that a superuser has migrated; others may use the server."""
    execute(
        migrated,
        f"CREATE ROLE weixin_daily LOGIN PASSWORD '{PASSWORD}' IN ROLE weixin_loader",
        f"CREATE ROLE analyst LOGIN PASSWORD '{PASSWORD}'",
        *(readme_sql(tool) for tool in TOOLS),
    )
    run_file(server, "reader.sql", "reader=analyst")
    loader, analyst = (as_user(migrated, it) for it in ("weixin_daily", "analyst"))
    tools = [as_user(migrated, it, "choose-one") for it in ("superset", "li")]
    yield (users := Installed(migrated, migrated, loader, analyst, (analyst, *tools)))
    users.dispose()
    for name in ("weixin_daily", "analyst", "superset", "li"):
        execute(migrated, f"DROP OWNED BY {name}; DROP ROLE {name}")


def readme_sql(tool: str) -> str:
    """Return what the README of a folder of `analytics` lets an administrator run."""
    heading = {"superset": "Import it", "dbt": "A schema of your own"}[tool]
    (sql,) = blocks((PROJECT / f"analytics/{tool}/README.md").read_text(), heading, "sql")
    return sql
