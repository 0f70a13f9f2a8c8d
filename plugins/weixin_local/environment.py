"""What Airflow's processes on this machine are told: whose figures, which warehouse, which keys."""

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping

from dotenv import dotenv_values
from sqlalchemy import URL, make_url

from weixin_etl.model import DEFAULT_BASE_URL
from weixin_local import machine
from weixin_local.home import METADATA_DATABASE, Home
from weixin_local.machine import LocalError, write_private

CONNECTION_VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
WAREHOUSE_VARIABLE = "AIRFLOW_CONN_WEIXIN_WAREHOUSE"
READER_VARIABLE = "AIRFLOW_CONN_WEIXIN_READER"
ADMIN = "admin"
DEFAULT_PORT = 8080
_SECRET = re.compile("SECRET|PASSWORD|KEY")


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


def keep_private(home: Home, say: Callable[[str], None]) -> None:
    """Make a `.env` with a secret readable by its owner alone; say so, or why it is not."""
    path = home.project / ".env"
    secret = any(value for name, value in dotenv_values(path).items() if _SECRET.search(name))
    if not secret or not path.stat().st_mode & 0o077:
        return
    try:
        path.chmod(0o600)
    except OSError as error:
        say(f"! Others can read the secrets in {path}, and that can't be changed: {error.strerror}")
    else:
        say(f"! Others could read the secrets in {path}: now only its owner can.")


def where_configured(home: Home) -> str:
    """Where `configured_connection` finds the account, for a sentence."""
    if os.environ.get(CONNECTION_VARIABLE):
        return f"the environment variable {CONNECTION_VARIABLE}"
    place = "the environment" if os.environ.get("WEIXIN_APPID") else str(home.project / ".env")
    return f"WEIXIN_APPID and WEIXIN_SECRET in {place}"


def sandbox_connection(base_url: str) -> str:
    """The connection to the sandbox's own account."""
    from weixin_sandbox import DEFAULT_ACCOUNT

    return connection(
        DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, base_url, name=DEFAULT_ACCOUNT.name
    )


def connection(appid: str, secret: str, base_url: str, name: str) -> str:
    """An Airflow connection of type `weixin`, as JSON."""
    return json.dumps(
        {
            "conn_type": "weixin",
            "login": appid,
            "password": secret,
            "host": base_url,
            "extra": {"name": name},
        }
    )


def airflow_environment(
    home: Home, connection: str, warehouse_url: str, port: int = DEFAULT_PORT
) -> dict[str, str]:
    """
    The caller's environment with what makes Airflow use this home.

    What the caller set stays, a connection for example, except for what ties the processes to
    this home: its database, its port, its keys. `connection` is the value of the connection to the
    account, `port` the UI's.
    """
    return _defaults(home, connection, warehouse_url) | os.environ | _ties(home, port)


def admin_password(home: Home) -> str:
    """The password of the user `admin` of the UI."""
    return _secrets(home)["admin_password"]


def page_password(home: Home) -> str:
    """The password of the Postgres user that the page reads the warehouse as."""
    return _secrets(home)["page_password"]


def _defaults(home: Home, connection: str, warehouse_url: str) -> dict[str, str]:
    return {
        CONNECTION_VARIABLE: connection,
        WAREHOUSE_VARIABLE: postgres_connection(make_url(warehouse_url)),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.dags),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES": "config,ticket",
        "AIRFLOW__API__DEFAULT_WRAP": "True",
        "AIRFLOW__API__WORKERS": "1",
        # on a busy machine; a task that gets no answer in time ends without a word
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }


def airflow_url(port: int) -> str:
    """Where people open Airflow, and where links lead: a login is for one name of this machine."""
    return f"http://localhost:{port}"


def _ties(home: Home, port: int) -> dict[str, str]:
    kept = _secrets(home)
    passwords = home.airflow / "passwords.json"
    write_private(passwords, json.dumps({ADMIN: kept["admin_password"]}))
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "WEIXIN_HOME": str(home.state),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": home.server.url(METADATA_DATABASE),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet_key"],
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{machine.LOOPBACK}:{port}/execution/",
        "AIRFLOW__API__HOST": machine.LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": airflow_url(port),
        "AIRFLOW__API__SECRET_KEY": kept["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
    }


def postgres_connection(url: URL) -> str:
    """An Airflow connection of type `postgres`, as a URI."""
    return url.set(drivername="postgres").render_as_string(hide_password=False)


def _secrets(home: Home) -> Mapping[str, str]:
    """The keys of this home, made on the first call."""
    path = home.airflow / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "secret_key": secrets.token_urlsafe(48),
        "jwt_secret": secrets.token_urlsafe(64),
        "admin_password": secrets.token_urlsafe(12),
        "page_password": secrets.token_urlsafe(24),
    }
    if not made.keys() <= kept.keys():
        kept = made | kept
        write_private(path, json.dumps(kept))
    return kept
