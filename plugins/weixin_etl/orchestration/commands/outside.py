"""Connections and Variables for a command, which is no task: the ones that the DAG has."""

import os
from pathlib import Path

import sqlalchemy
from airflow import settings
from sqlalchemy.exc import SQLAlchemyError

_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"


def read_from_airflows_database() -> str | None:
    """
    Let this process find what was made in Airflow's UI, as Airflow's own commands do.

    A task asks Airflow's API server, with a token that only a task has. What reads in the name of
    the server (Airflow's commands set the same variable) has the same search path with Airflow's
    database in place of it: a secrets backend first, then the environment, then the database.

    Returns:
        Why it can't be read, if so: then there is what the environment holds. None as well when
        there is no such database yet, and so nothing to find.
    """
    if not has_database():
        return None
    engine: sqlalchemy.Engine = settings.get_engine()  # type: ignore[no-untyped-call]
    try:
        with engine.connect() as connection:
            is_migrated = sqlalchemy.inspect(connection).has_table("connection")
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", error)).splitlines()[0]
        return (
            "Airflow's database does not answer, so connections and Variables that are not in the "
            f"environment are not found ({why})"
        )
    if is_migrated:
        os.environ[_CONTEXT] = "server"
    return None


def has_database() -> bool:
    """Whether there is an Airflow database to ask: SQLite would create an empty file."""
    engine: sqlalchemy.Engine = settings.get_engine()  # type: ignore[no-untyped-call]
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return not file or Path(file).exists()
