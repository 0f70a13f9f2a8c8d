"""Airflow's API server with FAB, as docker compose has it: people, roles, hashed passwords.

`python fab_server.py PORT` with the environment of a running stack; its people log in with the
password in FAB_PASSWORD. Viewer may read; nobody's role may only log in.
"""

import os
import sys

import uvicorn
from airflow.api_fastapi.app import create_app
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.utils.session import create_session

ROLES = {"admin": "Admin", "viewer": "Viewer", "nobody": "Nobody"}


def main(port: int) -> None:
    """Migrate FAB's tables, make the people, serve."""
    with create_session() as session:
        FABDBManager(session).upgradedb()
    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        security.add_role("Nobody")
        for name, role in ROLES.items():
            security.add_user(
                name,
                name,
                name,
                f"{name}@localhost",
                security.find_role(role),
                os.environ["FAB_PASSWORD"],
            )
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
