"""The environment of Airflow's processes on this machine."""

import base64
import json
import os
import secrets
from collections.abc import Mapping

from sqlalchemy import URL, make_url

from weixin_local import ports
from weixin_local.account import CONNECTION_VARIABLE
from weixin_local.files import write_private
from weixin_local.home import METADATA_DATABASE, Home

WAREHOUSE_VARIABLE = "AIRFLOW_CONN_WEIXIN_WAREHOUSE"
ADMIN = "admin"
DEFAULT_PORT = 8080


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


def _defaults(home: Home, connection: str, warehouse_url: str) -> dict[str, str]:
    return {
        CONNECTION_VARIABLE: connection,
        WAREHOUSE_VARIABLE: _postgres_connection(make_url(warehouse_url)),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__WORKERS": "1",
    }


def _ties(home: Home, port: int) -> dict[str, str]:
    kept = _secrets(home)
    passwords = home.airflow / "passwords.json"
    write_private(passwords, json.dumps({ADMIN: kept["admin_password"]}))
    origin = f"http://{ports.LOOPBACK}:{port}"
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
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{origin}/execution/",
        "AIRFLOW__API__HOST": ports.LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": origin,
        "AIRFLOW__API__SECRET_KEY": kept["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt_secret"],
    }


def _postgres_connection(url: URL) -> str:
    """An Airflow connection of type `postgres`, as JSON."""
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": url.host,
            "port": url.port,
            "login": url.username,
            "password": url.password,
            "schema": url.database,
            "extra": dict(url.query),
        }
    )


def _secrets(home: Home) -> Mapping[str, str]:
    """The keys of this home, made on the first call."""
    path = home.airflow / "secrets.json"
    if not path.exists():
        made = {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret_key": secrets.token_urlsafe(48),
            "jwt_secret": secrets.token_urlsafe(64),
            "admin_password": secrets.token_urlsafe(12),
        }
        write_private(path, json.dumps(made))
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
