"""
The folders of the local commands, the source of their figures, and Airflow's environment.

Every command finds its `Home` and opens a `Source`: the configured account, or the sandbox.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy import URL, make_url

import weixin_etl
from weixin_etl import warehouse
from weixin_etl.model import DEFAULT_BASE_URL
from weixin_local.machine import LOOPBACK, LocalError, say
from weixin_local.postgres import METADATA_DATABASE, Server, open_to_server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

WAREHOUSE_DATABASE = "weixin"
SANDBOX_DATABASE = "weixin_sandbox"
"""The warehouse for made-up figures, so that they never mix with real ones."""

CONNECTION_VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
DEFAULT_PORT = 8080


@dataclass(frozen=True)
class Home:
    """A checkout and its state: `WEIXIN_HOME`, or the checkout's `.weixin`."""

    project: Path
    state: Path

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.state / "airflow"

    @property
    def server(self) -> Server:
        """The embedded Postgres."""
        return Server(self.state / "postgres")

    @property
    def admin_password(self) -> str:
        """The password that Airflow generated for its user `admin` when it first started."""
        file = self.airflow / "simple_auth_manager_passwords.json.generated"
        return str(json.loads(file.read_text())["admin"])


@dataclass(frozen=True)
class Source:
    """The Airflow connection whose figures are collected, and the URL of their warehouse."""

    connection: str
    warehouse_url: str


def find() -> Home:
    """
    Return the home of the checkout that this package was installed from.

    Create its folders. Make the checkout's `.env`, if there is one, readable for its owner only.

    Raises:
        LocalError: the folder belongs to another user.
    """
    project = Path(weixin_etl.__file__).resolve().parents[2]
    home = Home(project, Path(os.environ.get("WEIXIN_HOME") or project / ".weixin").resolve())
    try:
        open_to_server(home.state)
        home.airflow.mkdir(mode=0o700, exist_ok=True)
    except PermissionError:
        raise LocalError(f"{home.state} is another user's: be that user, or delete it.") from None
    with suppress(OSError):
        (project / ".env").chmod(0o600)  # it may hold a secret
    return home


@contextmanager
def opened(home: Home, scenarios: Sequence[Scenario] = ()) -> Iterator[Source]:
    """
    Yield the source of the figures, with Postgres and, if needed, the sandbox running.

    Start Postgres, create the databases of Airflow and of the warehouse, and migrate the warehouse.
    The sandbox is used if no account is configured. It has a warehouse of its own, so that made-up
    figures never mix with real ones.

    Args:
        home: the folders of the databases.
        scenarios: the effects of the sandbox; with any, the sandbox is used in any case.

    Raises:
        LocalError: only one of AppID and secret is configured, or Postgres can't be started.
        WarehouseError: the warehouse can't be migrated.
    """
    connection = None if scenarios else configured_connection(home)
    with home.server.running():
        database = WAREHOUSE_DATABASE if connection else SANDBOX_DATABASE
        for name in (METADATA_DATABASE, database):
            home.server.create_database(name)
        url = home.server.url(database)
        warehouse.migrate(url)
        if connection:
            yield Source(connection, url)
            return
        with Sandbox(scenarios=scenarios).serve() as base_url:
            say(f"  The sandbox answers at {base_url}: all figures are made up.")
            account = DEFAULT_ACCOUNT
            connection = connection_of(account.appid, account.secret, base_url, account.name)
            yield Source(connection, url)


def configured_connection(home: Home) -> str | None:
    """
    Return the Airflow connection to collect from: a URI or JSON.

    It is the value of `AIRFLOW_CONN_WEIXIN_DEFAULT`, or else a connection with `WEIXIN_APPID` and
    `WEIXIN_SECRET` of the environment or the checkout's `.env`; the environment wins. Return None
    if there are no credentials: then the sandbox is used.

    Raises:
        LocalError: only one of AppID and secret is there.
    """
    if os.environ.get(CONNECTION_VARIABLE):
        return os.environ[CONNECTION_VARIABLE]
    values = {**dotenv_values(home.project / ".env"), **os.environ}
    appid, secret = (values.get(name) or "" for name in ("WEIXIN_APPID", "WEIXIN_SECRET"))
    if bool(appid) != bool(secret):
        raise LocalError("Fill in both WEIXIN_APPID and WEIXIN_SECRET in .env, or neither.")
    return connection_of(appid, secret, DEFAULT_BASE_URL, appid) if appid else None


def connection_of(appid: str, secret: str, base_url: str, name: str) -> str:
    """Return an Airflow connection of type `weixin`, as JSON, from its fields."""
    fields = {"conn_type": "weixin", "login": appid, "password": secret, "host": base_url}
    return json.dumps({**fields, "extra": {"name": name}})


def airflow_environment(
    home: Home, source: Source, port: int = DEFAULT_PORT, metadata_url: str = ""
) -> dict[str, str]:
    """
    Return the caller's environment, with the variables that make Airflow use this home.

    The caller's own variables win over the defaults, but not over the variables that tie Airflow to
    this home. Docker Compose uses the defaults of `docker/airflow.env` as well.

    Args:
        home: the folders of the state.
        source: the connection and the warehouse.
        port: the port of Airflow's API server.
        metadata_url: the URL of Airflow's own database; empty for the embedded Postgres.
    """
    shared = home.project / "docker/airflow.env"
    defaults = {
        **{name: value or "" for name, value in dotenv_values(shared).items()},
        CONNECTION_VARIABLE: source.connection,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.project / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # Airflow prints this warning on stdout, where it breaks JSON output
        "PYTHONWARNINGS": "ignore:Could not import graphviz",
    }
    database = metadata_url or home.server.url(METADATA_DATABASE)
    ties = {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE": postgres_connection(make_url(source.warehouse_url)),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": airflow_url(port),
    }
    return defaults | os.environ | ties


def migrate_metadata(environment: dict[str, str]) -> None:
    """
    Migrate Airflow's own database, which the environment names, to the installed release.

    Print a line on stderr at the end.

    Raises:
        LocalError: `airflow db migrate` failed. Its output was printed on stderr.
    """
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True)
    if done.returncode:
        say((done.stdout + done.stderr).decode(errors="replace"))
        raise LocalError("`airflow db migrate` failed: see the lines above.")
    say("✓ Airflow's own database")


def airflow_url(port: int) -> str:
    """Return Airflow's address for people and links; a login is valid for one host name only."""
    return f"http://localhost:{port}"


def postgres_connection(url: URL) -> str:
    """Return an Airflow connection of type `postgres`, as a URI."""
    return url.set(drivername="postgres").render_as_string(hide_password=False)
