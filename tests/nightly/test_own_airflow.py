"""
The manual's "Into your own Airflow", in a plain Airflow with a DAG of somebody else's.

A fresh environment with the lowest requirements, LocalExecutor on Postgres. It needs no container:
what matters is which packages there are.
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
OTHERS = """
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
    """Somebody's Airflow: an environment, a DAG folder, two databases of Postgres."""

    folder: Path
    server: Server
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """Plain Airflow; nothing of it names weixin."""
        return {
            "PATH": f"{self.folder / 'env/bin'}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.server.url("own_airflow"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            # the server's first answer to a task takes half a minute on a busy machine
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "300",
        }

    def types(self, command: str) -> str:
        """Run a line of shell beside the wheel; what it prints."""
        return printed("sh", "-ec", command, folder=self.folder / "dist", **self.environment)

    def tables(self, database: str) -> set[str]:
        """Of all schemas but Postgres's own."""
        own = "table_schema NOT IN ('pg_catalog', 'information_schema')"
        name = "array_agg(table_schema || '.' || table_name)"
        statement = f"SELECT {name} FROM information_schema.tables WHERE {own}"
        return {*self.server.ask(database, statement)}


@pytest.fixture(scope="module")
def own(embedded_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnAirflow]:
    """It has somebody's DAG, and the wheel as the manual says; it runs, and knows no connection."""
    folder = tmp_path_factory.mktemp("own")
    own = OwnAirflow(folder, embedded_server, choose_port())
    for name in ("dags", "dist"):
        (folder / name).mkdir()
    passwords = folder / "simple_auth_manager_passwords.json.generated"
    passwords.write_text(json.dumps({"admin": PASSWORD}))
    (folder / "dags/others.py").write_text(OTHERS)
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
    """Its REST API, once it has parsed every DAG: ours, and one of somebody else."""
    rest = Rest(own.port, PASSWORD)
    until(lambda: rest("GET", "dags")["total_entries"] == len(DATASETS) + 1)
    return rest


def test_without_connections_others_work_and_the_page_says_what_is_missing(rest: Rest) -> None:
    """The DAG file imports; a task of somebody else's works; no answer is a 500."""
    problems = rest.request("GET", "weixin/")

    assert rest("GET", "importErrors")["total_entries"] == 0
    assert rest.run("somebody_elses")["state"] == "success"
    assert problems.status_code == 200
    assert "weixin_warehouse" in problems.text


def test_it_runs_and_shows_and_keeps_to_its_schemas(own: OwnAirflow, rest: Rest) -> None:
    """By the two connections of the manual; nothing is added to Airflow's own."""
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
        assert {name: {*it} for name, it in json.loads(CONNECTIONS).items()} == {
            "weixin_default": weixin.keys() - {"host"},
            "weixin_warehouse": warehouse.keys(),
        }
        (own.folder / "dist/connections.json").write_text(json.dumps(given))
        own.types(IMPORT)
        rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        assert rest.run(DAG)["state"] == "success"

    assert "calendar" in rest.request("GET", "weixin/coverage?dataset=article_total").text
    assert rest.request("GET", "weixin/static/htmx.min.js").status_code == 200
    assert {it.split(".")[0] for it in own.tables("own_figures")} == {"weixin", "analytics"}
    assert own.tables("own_airflow") == metadata
    assert [it["name"] for it in rest("GET", "pools")["pools"]] == ["default_pool"]
    assert rest("GET", "variables")["variables"] == []


def test_the_wheel_of_an_upgrade_takes_the_old_ones_place(own: OwnAirflow) -> None:
    """Also one of the same version, which pip would take for the one that is there."""
    (installed,) = own.folder.glob("env/lib/python3.*/site-packages/weixin_etl/clock.py")
    newest = installed.read_text()
    installed.write_text(f"{newest}# old\n")

    own.types(UPGRADE)

    assert installed.read_text() == newest
