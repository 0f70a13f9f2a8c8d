"""What Airflow's programs on this machine are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dotenv import dotenv_values
from sqlalchemy import URL, make_url

from weixin_local.home import CONNECTION_VARIABLE, Home, Source
from weixin_local.machine import LOOPBACK, LocalError, say, step

READER_VARIABLE = "AIRFLOW_CONN_WEIXIN_READER"
ADMIN = "admin"
DEFAULT_PORT = 8080
SHARED = "docker/airflow.env"
PASSWORDS = "passwords.json"
AUTH = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


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
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__AUTH_MANAGER": AUTH,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(airflow_home / PASSWORDS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{LOOPBACK}:{port}/execution/",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": airflow_url(port),
    }
    return defaults | os.environ | ties


def migrate_metadata(environment: dict[str, str]) -> None:
    """Bring Airflow's own database to what is installed."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    with step("Airflow's own database"):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            say((done.stdout + done.stderr).decode(errors="replace"))
            raise LocalError("`airflow db migrate` failed: see the lines above.")


def airflow_url(port: int) -> str:
    """Where people open Airflow, and where links lead: a login is for one name of this machine."""
    return f"http://localhost:{port}"


def admin_password(home: Home) -> str:
    """The password that Airflow has made for its user `admin`."""
    passwords: dict[str, str] = json.loads((home.airflow / PASSWORDS).read_text())
    return passwords[ADMIN]


def postgres_connection(url: URL) -> str:
    """An Airflow connection of type `postgres`, as a URI."""
    return url.set(drivername="postgres").render_as_string(hide_password=False)
