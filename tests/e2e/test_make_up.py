"""`make up` gives a working Airflow, and `make down` leaves nothing of it."""

import json
import re
import socket
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest
from people import Person, somebody
from rest import Rest, until

from weixin_etl.datasets import DATASETS
from weixin_local import machine, processes
from weixin_local.stack import AIRFLOW_COMMANDS, SANDBOX, SCHEDULER

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"


@pytest.fixture(scope="module")
def port() -> int:
    """A free port for the UI."""
    return machine.choose_port()


@pytest.fixture(scope="module")
def up(person: Person, port: int) -> CompletedProcess[str]:
    """What `make up` said."""
    said = person.types("make", "up", f"PORT={port}")
    assert said.returncode == 0, said.stdout + said.stderr
    return said


@pytest.fixture(scope="module")
def rest(up: CompletedProcess[str], port: int) -> Rest:
    """The API, entered with the password `make up` printed."""
    return Rest(port, re.findall(r"password +(\S+)", up.stdout)[0])


def pids(person: Person) -> dict[str, int]:
    """The recorded processes that are at work."""
    found = processes.recorded(person.home.processes)
    return {process.name: process.session for process in found if process.is_alive()}


def test_up_says_where_airflow_is_and_how_to_enter(
    person: Person, up: CompletedProcess[str], port: int
) -> None:
    """Address, user, password, the logs' folder, and whose the figures are."""
    sandbox_url = json.loads((person.home.state / "stack.json").read_text())["sandbox_url"]
    for said in (
        f"made up, by the sandbox at {sandbox_url}: no account is configured",
        f"http://localhost:{port}",
        "admin",
        str(person.home.logs),
        "make down",
    ):
        assert said in up.stdout


def test_airflow_is_healthy_with_an_unpaused_dag(rest: Rest) -> None:
    """A paused one never runs."""
    health = rest("GET", "monitor/health")

    assert {part["status"] for part in health.values()} == {"healthy"}
    assert rest("GET", f"dags/{DAG}")["is_paused"] is False
    assert rest("GET", "importErrors")["import_errors"] == []


@pytest.mark.usefixtures("up")
def test_no_task_starts_before_the_api_server_answers(person: Person) -> None:
    """One that does not reach it fails without a word, and people are told that it was killed."""
    log = (person.home.logs / "api-server.log").read_text()
    answers = re.search(r"^(\S+) .*Uvicorn running on", log, re.MULTILINE)
    found = processes.recorded(person.home.processes)
    (scheduler,) = [it for it in found if it.name == SCHEDULER]

    assert answers
    # its port is open a moment before the line is written; it takes seconds to get there
    assert scheduler.born_at > datetime.fromisoformat(answers[1]).timestamp() - 1


def test_dates_in_a_backfill_of_the_command_line_are_refused_by_its_runs(
    person: Person, rest: Rest
) -> None:
    """The command passes the API by: each run refuses them, before it asks WeChat."""
    morning = ("--from-date", "2026-11-20", "--to-date", "2026-11-20T23:59:59+08:00")
    days = json.dumps({"begin_date": "2026-11-01", "end_date": "2026-11-02"})
    command = ("airflow", "backfill", "create", "--dag-id", DAG, "--dag-run-conf", days)

    created = person.weixin(*command, *morning)

    assert created.returncode == 0, created.stderr
    (run,) = until(lambda: rest("GET", f"dags/{DAG}/dagRuns?run_type=backfill")["dag_runs"])
    assert rest.ended(DAG, run["dag_run_id"])["state"] == "failed"
    task = f"dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances/refresh_access_token"
    log = rest("GET", f"{task}/logs/1?full_content=true")["content"]
    assert "leave begin_date and end_date empty in a backfill" in json.dumps(log)


def test_airflows_own_command_works_on_it(person: Person, rest: Rest, tmp_path: Path) -> None:
    """Input, output and exit code are its own, and another Airflow's home is not touched."""
    own = {"HOME": str(tmp_path), "AIRFLOW_HOME": ""}
    listed = person.types("make", "airflow", "ARGS=dags list --output json", **own)
    wrong = person.weixin("airflow", "dags", "nonsense", **own)
    conf = json.dumps({"dry_run": True})
    triggered = person.weixin("airflow", "dags", "trigger", DAG, "--conf", conf, "-r", "me", **own)
    status = person.types("make", "etl", "ARGS=status", **own)
    asked = person.weixin("airflow", "dags", "delete", "nothing", **own, typed="n\n")

    assert {dag["dag_id"] for dag in json.loads(listed.stdout)} == {
        it.dag_id for it in DATASETS.values()
    }
    assert wrong.returncode == 2
    assert "accounts and datasets are in" in status.stdout
    assert triggered.returncode == 0, triggered.stderr
    assert rest("GET", f"dags/{DAG}/dagRuns/me")["conf"]["dry_run"] is True
    assert "Cancelled" in asked.stdout + asked.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("up")
def test_a_second_up_says_that_it_runs(person: Person, port: int) -> None:
    """It starts nothing and still tells where to enter, whatever port it was given."""
    before = pids(person)

    said = person.types("make", "up")

    assert said.returncode == 0
    assert "running already" in said.stdout
    assert f"http://localhost:{port}" in said.stdout
    assert pids(person) == before


@pytest.mark.usefixtures("up")
def test_run_uses_the_airflow_that_runs(person: Person) -> None:
    """A second Airflow on the same database would race the scheduler."""
    said = person.weixin("run")

    assert said.returncode == 0, said.stderr
    assert "runs on the Airflow of `make up`" in said.stdout
    assert "✓ ingest 1/1" in said.stdout
    assert list(person.home.logs.glob("run-*")) == []


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("command", ["run", "up", "airflow"])
def test_another_account_than_the_running_airflow_is_refused(person: Person, command: str) -> None:
    """Credentials that came after `make up` are not in force there."""
    said = person.weixin(command, WEIXIN_APPID="wx1", WEIXIN_SECRET="secret")

    assert said.returncode == 1
    assert "started for another account" in said.stderr


def test_run_on_a_paused_dag_says_so(person: Person, rest: Rest) -> None:
    """The run would wait for ever."""
    rest("PATCH", f"dags/{DAG}", {"is_paused": True})

    said = person.weixin("run")

    assert said.returncode == 1
    assert f"{DAG} is paused in Airflow" in said.stderr


@pytest.mark.usefixtures("up")
def test_half_a_stack_is_named_and_down_ends_it(person: Person) -> None:
    """`down` works when a part has died; nothing of it is left, Postgres included."""
    everything = {*AIRFLOW_COMMANDS, SANDBOX}
    sessions = pids(person)
    assert set(sessions) == everything
    assert len(person.alive({*sessions.values()})) > len(everything)
    psutil.Process(sessions["scheduler"]).kill()

    refused = person.weixin("run")
    down = person.types("make", "down")
    again = person.types("make", "down")

    assert refused.returncode == 1
    assert "only api-server, dag-processor, sandbox, triggerer still runs" in refused.stderr
    assert down.returncode == 0
    assert {*re.findall(r"[\w-]+", down.stdout)} >= everything | {"Postgres"}
    assert person.processes() == []
    assert person.alive({*sessions.values()}) == []
    assert (again.returncode, again.stdout) == (0, "Nothing was running.\n")
    without = person.weixin("airflow", "dags", "list")
    assert without.returncode == 1
    assert without.stderr == "weixin-etl: Airflow is not running: `make up` starts it.\n"


def test_a_taken_port_is_one_sentence(person: Person) -> None:
    """It says how to use another one, and starts nothing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said = person.types("make", "up", f"PORT={taken}")

    assert said.returncode != 0
    assert f"Port {taken} is taken by another program" in said.stderr
    assert f"make up PORT={taken + 1}" in said.stderr
    assert person.processes() == []


def test_a_process_that_dies_at_the_start_is_named_and_the_others_are_stopped(
    person: Person,
) -> None:
    """The sentence has its log's name and last error."""
    said = person.weixin(
        "up", "--port", str(machine.choose_port()), AIRFLOW__CORE__PARALLELISM="many"
    )

    assert said.returncode == 1
    assert re.search(r"scheduler ended while starting, see \S+scheduler\.log: .*many", said.stderr)
    assert "Traceback" not in said.stderr
    assert person.processes() == []


def test_a_stack_is_not_another_homes(person: Person) -> None:
    """`down` stops what was started for its own state folder only."""
    with somebody() as other:
        other.weixin("psql", "-c", "SELECT 1")
        before = other.processes()

        person.weixin("down")

        assert before
        assert other.processes() == before
