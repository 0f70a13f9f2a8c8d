"""
Tests of the manual's "Into your own Airflow", in a plain Airflow with a foreign DAG.

The environment is new and has the lowest requirements. Airflow runs LocalExecutor on Postgres.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support import choose_port
from support.people import PROJECT, blocks, printed, serving
from support.rest import Rest, until

from weixin_etl import __version__
from weixin_etl.datasets import DATASETS
from weixin_local.home import connection_of
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

DAG = "weixin_article_total"
PASSWORD = "somebody-s-own"
MANUAL = (PROJECT / "docs/operating/install.md").read_text()
INSTALL, _, PUT_DAGS, IMPORT, UPGRADE = blocks(MANUAL, "Into your own Airflow")
(CONNECTIONS,) = blocks(MANUAL, "Into your own Airflow", "json")
FOREIGN_DAG = """
from airflow.sdk import dag, task

@dag(schedule=None, is_paused_upon_creation=False)
def somebody_elses():
    @task
    def work():
        pass

    work()

somebody_elses()
"""


@dataclass(frozen=True)
class OwnAirflow:
    """A user's own Airflow: an environment, a DAG folder and two databases of Postgres."""

    folder: Path
    server: Server
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a plain Airflow, without a setting of this project."""
        return {
            "PATH": f"{self.folder / 'env/bin'}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.server.url("own_airflow"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            # On a busy machine the API server's first answer to a task takes half a minute.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "300",
        }

    def types(self, command: str) -> str:
        """Run a line of shell in the wheel's folder, and return its output."""
        return printed("sh", "-ec", command, folder=self.folder / "dist", **self.environment)

    def tables(self, database: str) -> set[str]:
        """Return the tables of a database in all schemas except Postgres' own."""
        own = "table_schema NOT IN ('pg_catalog', 'information_schema')"
        name = "array_agg(table_schema || '.' || table_name)"
        statement = f"SELECT {name} FROM information_schema.tables WHERE {own}"
        return {*self.server.ask(database, statement)}


@pytest.fixture(scope="module")
def own(embedded_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnAirflow]:
    """Run an Airflow with a foreign DAG and the wheel, installed by the manual, no connections."""
    folder = tmp_path_factory.mktemp("own")
    own = OwnAirflow(folder, embedded_server, choose_port())
    for name in ("dags", "dist"):
        (folder / name).mkdir()
    passwords = folder / "simple_auth_manager_passwords.json.generated"
    passwords.write_text(json.dumps({"admin": PASSWORD}))
    (folder / "dags/others.py").write_text(FOREIGN_DAG)
    for database in ("own_airflow", "own_figures"):
        embedded_server.create_database(database)
    uv, env = f"{sys.executable} -m uv", folder / "env"
    lowest = f"--require-hashes -r {PROJECT}/requirements-lowest.txt"
    for command in (
        f"{uv} venv --quiet --seed --python {sys.executable} {env}",
        f"{uv} pip install --quiet --python {env}/bin/python {lowest}",
        f"{sys.executable} -m hatchling build --target wheel --directory {folder}/dist",
    ):
        printed("sh", "-ec", command)
    for command in ("airflow db migrate", INSTALL, PUT_DAGS):
        own.types(command)
    command = [env / "bin/airflow", "standalone"]
    with serving(command, own.port, folder / "log", **own.environment):
        yield own


@pytest.fixture(scope="module")
def rest(own: OwnAirflow) -> Rest:
    """Return a session of its REST API, once Airflow has parsed every DAG."""
    rest = Rest(own.port, PASSWORD)
    until(lambda: rest("GET", "dags")["total_entries"] == len(DATASETS) + 1)
    return rest


def test_without_connections_the_page_names_the_missing_one_and_other_dags_run(rest: Rest) -> None:
    problems = rest.request("GET", "weixin/")

    assert rest("GET", "importErrors")["total_entries"] == 0
    assert rest.run("somebody_elses")["state"] == "success"
    assert problems.status_code == 200
    assert "weixin_warehouse" in problems.text


def test_with_the_manuals_connections_a_run_succeeds_and_the_page_shows_it(
    own: OwnAirflow, rest: Rest
) -> None:
    """The warehouse gets only the project's schemas. Airflow's database gets no table or pool."""
    metadata, account = own.tables("own_airflow"), DEFAULT_ACCOUNT
    assert own.types("weixin-etl --version") == f"weixin-etl {__version__}\n"
    url = make_url(own.server.url("own_figures"))
    warehouse = {
        "conn_type": "postgres",
        "host": url.host,
        "port": url.port,
        "login": url.username,
        "password": url.password,
        "schema": url.database,
    }
    with Sandbox().serve() as base_url:
        weixin = json.loads(connection_of(account.appid, account.secret, base_url, account.name))
        given = {"weixin_default": weixin, "weixin_warehouse": warehouse}
        assert {name: {*fields} for name, fields in json.loads(CONNECTIONS).items()} == {
            "weixin_default": weixin.keys() - {"host"},
            "weixin_warehouse": warehouse.keys(),
        }
        (own.folder / "dist/connections.json").write_text(json.dumps(given))
        own.types(IMPORT)
        rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        assert rest.run(DAG)["state"] == "success"

    assert "calendar" in rest.request("GET", "weixin/coverage?dataset=article_total").text
    assert rest.request("GET", "weixin/static/htmx.min.js").status_code == 200
    assert {table.split(".")[0] for table in own.tables("own_figures")} == {"weixin", "analytics"}
    assert own.tables("own_airflow") == metadata
    assert [pool["name"] for pool in rest("GET", "pools")["pools"]] == ["default_pool"]
    assert rest("GET", "variables")["variables"] == []


def test_an_upgrade_replaces_the_wheel_even_if_its_version_is_the_same(own: OwnAirflow) -> None:
    (installed,) = own.folder.glob("env/lib/python3.*/site-packages/weixin_etl/clock.py")
    newest = installed.read_text()
    installed.write_text(f"{newest}# old\n")

    own.types(UPGRADE)

    assert installed.read_text() == newest
