"""Where Airflow finds a connection: in the environment first, then among those made in its UI."""

import os

from airflow.sdk import Connection
from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
from airflow.secrets.environment_variables import CONN_ENV_PREFIX, EnvironmentVariablesBackend

from weixin_etl.accounts.entries import nearest_first


def variable_name(conn_id: str) -> str:
    """The environment variable that would hold the connection."""
    return f"{CONN_ENV_PREFIX}{conn_id.upper()}"


def variable_of(conn_id: str) -> str:
    """The environment variable Airflow reads the connection from, or "" when it does not."""
    return variable_name(conn_id) if _in_environment(conn_id) else ""


def connections_like(conn_id: str, conn_type: str) -> str:
    """The environment's connections of a type, nearest name first, and where the others are."""
    ids = [
        name.removeprefix(CONN_ENV_PREFIX).lower()
        for name in os.environ
        if name.startswith(CONN_ENV_PREFIX)
    ]
    alike = [it for it in ids if (found := _in_environment(it)) and found.conn_type == conn_type]
    named = nearest_first(conn_id, {it: [it] for it in alike})
    others = "one of Admin → Connections"
    return f"{', '.join(named)} (environment) or {others}" if named else others


def _in_environment(conn_id: str) -> Connection | None:
    """The connection, if Airflow reads it from a variable: one it can't read is none for it."""
    first = ensure_secrets_backend_loaded()[0]
    if not isinstance(first, EnvironmentVariablesBackend):
        return None  # a secrets backend of this installation comes first, and may have it
    try:
        found: Connection | None = first.get_connection(conn_id)
    except Exception:
        return None
    return found
