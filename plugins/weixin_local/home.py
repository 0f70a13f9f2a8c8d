"""Where the local commands keep what, and whose figures they collect."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

import weixin_etl
from weixin_etl import warehouse
from weixin_etl.model import DEFAULT_BASE_URL
from weixin_local import postgres
from weixin_local.machine import LocalError, say
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

METADATA_DATABASE = "airflow"
WAREHOUSE_DATABASE = "weixin"
SANDBOX_DATABASE = "weixin_sandbox"
"""Made-up figures have a warehouse of their own, so that they never mix with real ones."""

CONNECTION_VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
WAREHOUSE_VARIABLE = "AIRFLOW_CONN_WEIXIN_WAREHOUSE"
_SECRET = re.compile("SECRET|PASSWORD|KEY")


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
    """Whose figures are collected, and where they are kept."""

    connection: str
    """`AIRFLOW_CONN_WEIXIN_DEFAULT`."""
    warehouse_url: str
    is_sandbox: bool
    who: str
    """For a sentence."""


def find() -> Home:
    """
    The home of the checkout this package was installed from; its folders are created.

    Raises:
        LocalError: the package is not part of a checkout, or its state is another user's.
    """
    project = Path(weixin_etl.__file__).resolve().parents[2]
    if not (project / "dags").is_dir():
        raise LocalError(
            "This command works in a checkout of the project: clone it and run `make setup` there."
        )
    home = Home(project, Path(os.environ.get("WEIXIN_HOME") or project / ".weixin").resolve())
    for folder in (home.state, home.airflow, home.logs):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise LocalError(f"{folder} is another user's: work as that user, or take it over.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_private(home.project / ".env")
    return home


@contextmanager
def opened(home: Home, scenario: str | None = None) -> Iterator[Source]:
    """
    The warehouse, migrated, and WeChat or the sandbox to answer for as long as the block lasts.

    Raises:
        LocalError: the sandbox would fill a warehouse that the caller's environment names, or a
            scenario was named for WeChat itself.
        WarehouseError: the warehouse could not be migrated.
    """
    connection = configured_connection(home)
    own = os.environ.get(WAREHOUSE_VARIABLE)
    if connection is None and own:
        raise LocalError(
            f"{WAREHOUSE_VARIABLE} names a warehouse, but no account is configured, and the "
            "sandbox's figures do not belong there: fill in .env, or unset the variable."
        )
    if connection and scenario:
        raise LocalError("A scenario is the sandbox's, and an account is configured: empty .env.")
    with home.server.running():
        url = _own_url() if own else _embedded_url(home, is_sandbox=connection is None)
        _migrate(url)
        if connection:
            yield Source(connection, url, False, f"of weixin_default, from {_place(home)}")
            return
        with Sandbox(scenarios=_scenarios(scenario)).serve() as base_url:
            yield Source(_of_sandbox(base_url), url, True, f"made up, by the sandbox at {base_url}")


def _scenarios(name: str | None) -> list[Scenario]:
    try:
        return [Scenario(name)] if name else []
    except ValueError as error:
        raise LocalError(str(error)) from None


def _migrate(url: str) -> None:
    warehouse.migrate(url)
    if missing := warehouse.missing_roles(url):
        say(f"! {missing}")


def _embedded_url(home: Home, *, is_sandbox: bool) -> str:
    name = SANDBOX_DATABASE if is_sandbox else WAREHOUSE_DATABASE
    home.server.create_database(name)
    return home.server.url(name)


def _own_url() -> str:
    from weixin_etl.orchestration.connections.warehouse import open_warehouse  # seconds: Airflow

    return open_warehouse().url.render_as_string(hide_password=False)


def configured_connection(home: Home) -> str | None:
    """
    What `AIRFLOW_CONN_WEIXIN_DEFAULT` shall be: the caller's, or made from the credentials.

    `WEIXIN_APPID` and `WEIXIN_SECRET` come from the environment, else from `.env`. None means that
    there are none, so that the sandbox has to answer.

    Raises:
        LocalError: one of the two is there without the other.
    """
    if os.environ.get(CONNECTION_VARIABLE):
        return os.environ[CONNECTION_VARIABLE]
    values = {**dotenv_values(home.project / ".env"), **os.environ}
    appid, secret = values.get("WEIXIN_APPID"), values.get("WEIXIN_SECRET")
    if not appid and not secret:
        return None
    if not appid or not secret:
        missing, given = ("SECRET", "APPID") if appid else ("APPID", "SECRET")
        raise LocalError(
            f"WEIXIN_{given} is set and WEIXIN_{missing} is not: add it to .env, "
            "or empty both to use the sandbox."
        )
    return connection(appid, secret, DEFAULT_BASE_URL, name=appid)


def connection(appid: str, secret: str, base_url: str, name: str) -> str:
    """An Airflow connection of type `weixin`, as JSON."""
    fields = {"conn_type": "weixin", "login": appid, "password": secret, "host": base_url}
    return json.dumps({**fields, "extra": {"name": name}})


def _of_sandbox(base_url: str) -> str:
    it = DEFAULT_ACCOUNT
    return connection(it.appid, it.secret, base_url, name=it.name)


def _place(home: Home) -> str:
    if os.environ.get(CONNECTION_VARIABLE):
        return f"the environment variable {CONNECTION_VARIABLE}"
    place = "the environment" if os.environ.get("WEIXIN_APPID") else str(home.project / ".env")
    return f"WEIXIN_APPID and WEIXIN_SECRET in {place}"


def keep_private(env_file: Path) -> None:
    """Make a `.env` with a secret readable by its owner alone, and say so."""
    secret = any(value for name, value in dotenv_values(env_file).items() if _SECRET.search(name))
    if secret and env_file.stat().st_mode & 0o077:
        env_file.chmod(0o600)
        say(f"! Others could read the secrets in {env_file}: now only its owner can.")
