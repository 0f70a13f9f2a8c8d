"""Connections and Variables for a command, which is no task: the ones that the DAG has."""

import os
import sys
from pathlib import Path

import sqlalchemy
from airflow import settings
from sqlalchemy.exc import SQLAlchemyError


def read_from_airflows_database() -> None:
    """
    Let this process find what was made in Airflow's UI, as Airflow's own commands do.

    A task asks Airflow's API server, with a token that only a task has. What reads in the name of
    the server (Airflow's commands set the same variable) has the same search path with Airflow's
    database in place of it.
    """
    engine: sqlalchemy.Engine = settings.get_engine()  # type: ignore[no-untyped-call] # Airflow's
    try:
        if has_database() and sqlalchemy.inspect(engine).has_table("connection"):
            os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    except SQLAlchemyError:
        sys.stderr.write(
            "weixin-etl: Airflow's database does not answer, so connections and Variables that are "
            "not in the environment are not found\n"
        )


def has_database() -> bool:
    """Whether there is an Airflow database to ask: SQLite would create an empty file."""
    engine: sqlalchemy.Engine = settings.get_engine()  # type: ignore[no-untyped-call] # Airflow's
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return not file or Path(file).exists()
