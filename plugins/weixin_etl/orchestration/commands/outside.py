"""
Access to Airflow's connections and Variables for a command, which runs outside of a task.

`weixin-etl` calls this before every command that needs Airflow.
"""

import os
import sys
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from weixin_etl.orchestration.insides import get_engine


def read_from_airflows_database() -> None:
    """
    Let this process read the connections and Variables that were created in Airflow's UI.

    A task reads them from Airflow's API server, with a token that only tasks have. Airflow's own
    commands set an environment variable that makes Airflow read its database instead. This function
    sets the same variable, if Airflow's database exists and has the table of connections. If the
    database does not answer, it prints a warning on stderr and the variable stays unset.
    """
    engine: sqlalchemy.Engine = get_engine()  # type: ignore[no-untyped-call] # Airflow's
    try:
        if has_database() and sqlalchemy.inspect(engine).has_table("connection"):
            os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    except SQLAlchemyError:
        sys.stderr.write(
            "weixin-etl: Airflow's database does not answer, so only the connections and Variables "
            "of the environment are found\n"
        )


def has_database() -> bool:
    """
    Return whether Airflow has a database: False only if its SQLite file is missing.

    Callers ask before they open the database, because opening a missing file would create it.
    """
    engine: sqlalchemy.Engine = get_engine()  # type: ignore[no-untyped-call] # Airflow's
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return not file or Path(file).exists()
