"""
Airflow's API server with FAB, as docker compose runs it, with users, roles and hashed passwords.

Run `python fab_server.py PORT` with the environment of a running stack. The users admin, viewer and
nobody log in with the password in FAB_PASSWORD. The role of nobody has no rights.
"""

import os
import sys

import uvicorn
from airflow.api_fastapi.app import create_app
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.utils.session import create_session

if __name__ == "__main__":
    with create_session() as session:
        FABDBManager(session).upgradedb()
    with get_application_builder() as builder:
        builder.sm.sync_roles()
        builder.sm.add_role("Nobody")
        for name in ("admin", "viewer", "nobody"):
            role = builder.sm.find_role(name.title())
            mail, password = f"{name}@localhost", os.environ["FAB_PASSWORD"]
            builder.sm.add_user(name, name, name, mail, role, password)
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
