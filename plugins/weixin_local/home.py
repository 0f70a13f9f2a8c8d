"""Where the local commands keep what, whose figures they collect, and what Airflow is told."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy import URL, make_url

import weixin_etl
from weixin_etl import warehouse
from weixin_etl.model import DEFAULT_BASE_URL
from weixin_local import postgres
from weixin_local.machine import LOOPBACK, LocalError, say
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

METADATA_DATABASE = "airflow"
WAREHOUSE_DATABASE = "weixin"
SANDBOX_DATABASE = "weixin_sandbox"
"""Made-up figures have a warehouse of their own, so that they never mix with real ones."""

CONNECTION_VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
ADMIN = "admin"
DEFAULT_PORT = 8080
SHARED = "docker/airflow.env"


@dataclass(frozen=True)
class Home:
    """A checkout and its state: `WEIXIN_HOME`, or the checkout's `.weixin`."""

    project: Path
    state: Path

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME` of `make up`."""
        return self.state / "airflow"

    @property
    def logs(self) -> Path:
        """One file per `run`."""
        return self.state / "logs"

    @property
    def server(self) -> Server:
        """The embedded Postgres; root's data lie where its user reaches them."""
        if os.geteuid() != 0:
            return Server(self.state / "postgres")
        name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Server(postgres.ROOTS_FOLDER / name)


@dataclass(frozen=True)
class Source:
    """Whose figures are collected (`AIRFLOW_CONN_WEIXIN_DEFAULT`), and where they are kept."""

    connection: str
    warehouse_url: str
    is_sandbox: bool
    who: str
    """For a sentence."""


def find() -> Home:
    """The home of the checkout this package was installed from; its folders are created."""
    project = Path(weixin_etl.__file__).resolve().parents[2]
    home = Home(project, Path(os.environ.get("WEIXIN_HOME") or project / ".weixin").resolve())
    for folder in (home.state, home.airflow, home.logs):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise LocalError(f"{folder} is another user's: work as that user, or take it over.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_private(project / ".env")
    return home


@contextmanager
def opened(home: Home, scenario: str | None = None) -> Iterator[Source]:
    """The warehouse, migrated, and WeChat or the sandbox to answer for as long as it lasts."""
    connection = configured_connection(home)
    if connection and scenario:
        raise LocalError("A scenario is the sandbox's, and an account is configured: empty .env.")
    with home.server.running():
        database = WAREHOUSE_DATABASE if connection else SANDBOX_DATABASE
        home.server.create_database(database)
        url = home.server.url(database)
        warehouse.migrate(url)
        if connection:
            yield Source(connection, url, False, "of weixin_default")
            return
        with Sandbox(scenarios=_scenarios(scenario)).serve() as base_url:
            it = DEFAULT_ACCOUNT
            made_up = connection_of(it.appid, it.secret, base_url, it.name)
            yield Source(made_up, url, True, f"made up, by the sandbox at {base_url}")


def _scenarios(name: str | None) -> list[Scenario]:
    try:
        return [Scenario(name)] if name else []
    except ValueError as error:
        raise LocalError(str(error)) from None


def configured_connection(home: Home) -> str | None:
    """
    `AIRFLOW_CONN_WEIXIN_DEFAULT`, or a connection of the environment's credentials, or `.env`'s.

    None means that there are none, so that the sandbox has to answer.
    """
    if os.environ.get(CONNECTION_VARIABLE):
        return os.environ[CONNECTION_VARIABLE]
    values = {**dotenv_values(home.project / ".env"), **os.environ}
    appid, secret = values.get("WEIXIN_APPID"), values.get("WEIXIN_SECRET")
    if appid and secret:
        return connection_of(appid, secret, DEFAULT_BASE_URL, appid)
    if not appid and not secret:
        return None
    missing, given = ("SECRET", "APPID") if appid else ("APPID", "SECRET")
    raise LocalError(
        f"WEIXIN_{given} is set and WEIXIN_{missing} is not: add it to .env, "
        "or empty both to use the sandbox."
    )


def connection_of(appid: str, secret: str, base_url: str, name: str) -> str:
    """An Airflow connection of type `weixin`, as JSON."""
    fields = {"conn_type": "weixin", "login": appid, "password": secret, "host": base_url}
    return json.dumps({**fields, "extra": {"name": name}})


def keep_private(env_file: Path) -> None:
    """Make a `.env` with a secret readable by its owner alone, and say so."""
    values = dotenv_values(env_file).items()
    secret = any(value for name, value in values if re.search("SECRET|PASSWORD|KEY", name))
    if secret and env_file.stat().st_mode & 0o077:
        env_file.chmod(0o600)
        say(f"! Others could read the secrets in {env_file}: now only its owner can.")


def airflow_environment(
    home: Home, source: Source, metadata_url: str, airflow_home: Path, port: int = DEFAULT_PORT
) -> dict[str, str]:
    """
    The caller's environment with what makes Airflow use this home.

    What the caller set stays, a connection for example, except for what ties the programs to this
    home. `docker/airflow.env` is what docker compose has as well.
    """
    defaults = {
        **{it: value or "" for it, value in dotenv_values(home.project / SHARED).items()},
        CONNECTION_VARIABLE: source.connection,
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.project / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__WORKERS": "1",
        # Airflow would print it on stdout, where it spoils the output for who reads it as JSON
        "PYTHONWARNINGS": "ignore:Could not import graphviz",
    }
    ties = {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW_CONN_WEIXIN_WAREHOUSE": postgres_connection(make_url(source.warehouse_url)),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": airflow_url(port),
    }
    return defaults | os.environ | ties


def migrate_metadata(environment: dict[str, str]) -> None:
    """Bring Airflow's own database to what is installed."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        say((done.stdout + done.stderr).decode(errors="replace"))
        raise LocalError("`airflow db migrate` failed: see the lines above.")
    say("✓ Airflow's own database")


def airflow_url(port: int) -> str:
    """Where people open Airflow, and where links lead: a login is for one name of this machine."""
    return f"http://localhost:{port}"


def admin_password(home: Home) -> str:
    """The password that Airflow has made for its user `admin`."""
    made = home.airflow / "simple_auth_manager_passwords.json.generated"
    passwords: dict[str, str] = json.loads(made.read_text())
    return passwords[ADMIN]


def postgres_connection(url: URL) -> str:
    """An Airflow connection of type `postgres`, as a URI."""
    return url.set(drivername="postgres").render_as_string(hide_password=False)
