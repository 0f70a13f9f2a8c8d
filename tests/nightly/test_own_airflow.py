"""
The manual's "Into your own Airflow", in a plain Airflow with a DAG of somebody else's.

A fresh environment with the lowest requirements, LocalExecutor on Postgres. It needs no container:
what matters is which packages there are.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from people import PROJECT
from rest import Rest, until
from sqlalchemy import make_url
from support import choose_port

from weixin_etl import __version__
from weixin_etl.datasets import DATASETS
from weixin_local import machine
from weixin_local.home import connection_of
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

DAG = "weixin_article_total"
PASSWORD = "somebody-s-own"
UV = [sys.executable, "-m", "uv"]
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
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


def blocks(language: str) -> list[str]:
    """What the section tells to type, or to put into a file."""
    page = (PROJECT / "docs/operating/install.md").read_text()
    section = page.split("\n## Into your own Airflow\n")[1]
    return re.findall(rf"```{language}\n(.*?)```", section.split("\n## ")[0], re.S)


@dataclass
class OwnAirflow:
    """Somebody's Airflow: an environment, a DAG folder, two databases of Postgres."""

    folder: Path
    server: Server
    port: int
    running: list[machine.Process] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Plain Airflow; nothing of it names weixin."""
        origin = f"http://127.0.0.1:{self.port}"
        foreign = ("AIRFLOW", "WEIXIN", "PYTEST", "MAKE", "VIRTUAL_ENV", "PYTHONPATH")
        own = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return {
            **own,
            "PATH": f"{self.folder / 'env/bin'}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": "cZfO0ig0kBQJ2B6qgRx9QFuUEm5n0vJZUu1sQk2uTgU=",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{origin}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.server.url("own_airflow"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": origin,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": "s" * 64,
            "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def start(self) -> None:
        """Start Airflow's processes."""
        self.running = [
            machine.start(
                ["sh", "-c", f"cd {self.folder} && exec env/bin/airflow {part} >{part}.log 2>&1"],
                self.environment,
            )
            for part in PARTS
        ]

    def stop(self) -> None:
        """Stop them."""
        machine.end(self.running, 10)

    def types(self, command: str) -> str:
        """Run a line of shell beside the wheel; what it prints."""
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.folder / "dist",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tables(self, database: str) -> set[str]:
        """Of all schemas but Postgres's own."""
        own = "table_schema NOT IN ('pg_catalog', 'information_schema')"
        name = "array_agg(table_schema || '.' || table_name)"
        statement = f"SELECT {name} FROM information_schema.tables WHERE {own}"
        return {*self.server.ask(database, statement)}


def page(rest: Rest, path: str) -> requests.Response:
    """What the page answers a person who is logged in."""
    return requests.get(f"{rest.origin}/weixin/{path}", headers=rest.headers, timeout=60)


def logged_in(own: OwnAirflow) -> Rest:
    """A session, once the API server answers."""

    def session() -> Rest | None:
        try:
            return Rest(own.port, PASSWORD)
        except requests.RequestException:
            return None

    rest: Rest = until(session)
    return rest


@pytest.fixture(scope="module")
def own(embedded_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnAirflow]:
    """It has somebody's DAG, and the wheel as the manual says; it runs, and knows no connection."""
    folder = tmp_path_factory.mktemp("own")
    own = OwnAirflow(folder, embedded_server, choose_port())
    for name in ("airflow", "dags", "dist"):
        (folder / name).mkdir()
    (folder / "passwords").write_text(json.dumps({"admin": PASSWORD}))
    (folder / "dags/others.py").write_text(OTHERS)
    for database in ("own_airflow", "own_figures"):
        embedded_server.create_database(database)
    python = str(folder / "env/bin/python")
    lowest = str(PROJECT / "requirements-lowest.txt")
    wheel = ["--target", "wheel", "--directory", str(folder / "dist")]
    for command in (
        [*UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(folder / "env")],
        [*UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lowest],
        [sys.executable, "-m", "hatchling", "build", *wheel],
    ):
        subprocess.run(command, cwd=PROJECT, check=True)
    for command in ("airflow db migrate", blocks("sh")[0], blocks("sh")[2]):
        own.types(command)
    own.start()
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture(scope="module")
def rest(own: OwnAirflow) -> Rest:
    """Its REST API, once it has parsed every DAG: ours, and one of somebody else."""
    rest = logged_in(own)
    until(lambda: rest("GET", "dags")["total_entries"] == len(DATASETS) + 1)
    return rest


def test_without_connections_others_work_and_the_page_says_what_is_missing(rest: Rest) -> None:
    """The DAG file imports; a task of somebody else's works; no answer is a 500."""
    problems = page(rest, "")

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
        assert {name: {*it} for name, it in json.loads(blocks("json")[0]).items()} == {
            "weixin_default": weixin.keys() - {"host"},
            "weixin_warehouse": warehouse.keys(),
        }
        (own.folder / "dist/connections.json").write_text(json.dumps(given))
        own.types(blocks("sh")[3])
        rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        assert rest.run(DAG)["state"] == "success"

    assert "calendar" in page(rest, "coverage?dataset=article_total").text
    assert page(rest, "static/htmx.min.js").status_code == 200
    assert {it.split(".")[0] for it in own.tables("own_figures")} == {"weixin", "analytics"}
    assert own.tables("own_airflow") == metadata
    assert [it["name"] for it in rest("GET", "pools")["pools"]] == ["default_pool"]
    assert rest("GET", "variables")["variables"] == []


def test_the_wheel_of_an_upgrade_takes_the_old_ones_place(own: OwnAirflow) -> None:
    """Also one of the same version, which pip would take for the one that is there."""
    (installed,) = own.folder.glob("env/lib/python3.*/site-packages/weixin_etl/clock.py")
    newest = installed.read_text()
    installed.write_text(f"{newest}# old\n")

    own.stop()
    own.types(blocks("sh")[4])
    own.start()
    logged_in(own)

    assert installed.read_text() == newest
