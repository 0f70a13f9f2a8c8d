"""
Airflow in the tests' own process, as a pytest plugin.

The metadata database is in the embedded Postgres; environment variables set everything else.
"""

import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from support.people import PROJECT
from weixin_local.postgres import Server

SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    "AIRFLOW__API__BASE_URL": "http://airflow.example",
    "AIRFLOW__WEIXIN__CONCURRENCY": "1",
    "AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS": "0",
    "WEIXIN_IN_HASTE": "1",
}


@pytest.fixture(scope="session")
def metadata_url(embedded_server: Server) -> str:
    """Migrate a metadata database, connect this process's Airflow to it, and return its URL."""
    embedded_server.create_database("airflow_dags")
    url = embedded_server.url("airflow_dags")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        for name, value in SETTINGS.items():
            environment.setenv(name, value)
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, check=True, capture_output=True)

        # Other tests may have imported Airflow already, with its default database and key.
        from airflow import settings
        from airflow.models.crypto import get_fernet

        get_fernet.cache_clear()
        settings.configure_vars()
        settings.dispose_orm()
        settings.configure_orm()
    return url
