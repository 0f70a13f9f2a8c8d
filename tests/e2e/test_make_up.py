"""`make up` gives a working Airflow until Ctrl-C, and nothing outlives it."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from people import Person, somebody
from rest import Rest, until
from support import choose_port

from weixin_etl.datasets import DATASETS

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"


@pytest.fixture(scope="module")
def port() -> int:
    """A free port for the UI."""
    return choose_port()


@pytest.fixture(scope="module")
def up(person: Person, port: int) -> Iterator[Path]:
    """What `make up` says."""
    with person.up(port, "--scenario", "fewer-articles") as said:
        yield said


@pytest.fixture(scope="module")
def rest(up: Path, port: int) -> Rest:
    """The API, entered with the password `make up` printed."""
    return Rest(port, re.findall(r"  password +(\S+)", up.read_text())[0])


def test_up_says_where_airflow_is_and_whose_the_figures_are(up: Path, port: int) -> None:
    """Beside its components' own lines, with their names."""
    said = up.read_text()

    assert f"  Airflow     http://localhost:{port}\n  user        admin\n" in said
    assert re.search(r"figures     made up, by the sandbox at http://127\.0\.0\.1:\d+", said)
    assert re.search(r"^scheduler +\| .*Starting the scheduler", said, re.M)


def test_no_task_starts_before_the_api_server_answers(up: Path) -> None:
    """One that does not reach it fails without a word, and people are told that it was killed."""
    said = up.read_text()

    assert said.index("api-server    | ") < said.index("scheduler     | ")
    assert said.index("Simple auth manager") < said.index("scheduler     | ")


def test_airflow_is_healthy_with_an_unpaused_dag(rest: Rest) -> None:
    """A paused one never runs."""
    health = rest("GET", "monitor/health")

    assert {part["status"] for part in health.values()} == {"healthy"}
    assert rest("GET", f"dags/{DAG}")["is_paused"] is False
    assert rest("GET", "importErrors")["import_errors"] == []


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


def test_airflows_own_command_works_beside_it(person: Person, rest: Rest, tmp_path: Path) -> None:
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
def test_a_second_up_says_where_the_first_is(person: Person, port: int) -> None:
    """It starts nothing, whatever port it was given."""
    said = person.types("make", "up")

    assert said.returncode != 0
    assert f"Airflow runs already, at http://localhost:{port}" in said.stderr


@pytest.mark.usefixtures("up")
def test_nothing_is_reset_while_it_runs(person: Person) -> None:
    """Nor without a yes."""
    refused = person.types("make", "reset", typed="no\n")
    running = person.types("make", "reset", typed="yes\n")

    assert "Nothing was deleted" in refused.stderr
    assert "Airflow runs already" in running.stderr
    assert person.home.airflow.exists()


def test_ctrl_c_ends_everything_and_reset_takes_away_what_is_kept() -> None:
    """No process of it is left, no file after the reset."""
    with somebody() as person:
        with person.up(choose_port()):
            before = person.processes()
        after = person.processes()
        said = person.types("make", "reset", typed="yes\n")

        assert len(before) > 4
        assert after == []
        assert said.returncode == 0, said.stderr
        assert not person.home.state.exists()
        assert not person.home.server.directory.exists()


def test_a_killed_terminal_leaves_nothing_that_the_next_command_does_not_take_over(
    person: Person,
) -> None:
    """Airflow ends by itself; Postgres ends with the next command that needed it."""
    with somebody() as other, other.up(choose_port()):
        (command,) = [it for it in other.processes() if "weixin_local" in it.cmdline()]
        command.send_signal(signal.SIGKILL)
        until(lambda: {it.name() for it in other.processes()} <= {"postgres"})

        answer = other.asks("SELECT 1")

        assert answer == ["1"]
        assert other.processes() == []
    assert person.home.state != other.home.state


def test_a_taken_port_is_a_sentence(person: Person) -> None:
    """Nothing is started; the sentence says what to type."""
    with somebody() as other, socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        said = other.types("make", "up", f"PORT={number}")

        assert said.returncode != 0
        assert f"Port {number} is taken by another program" in said.stderr
        assert f"make up PORT={number + 1}" in said.stderr
        assert other.processes() == []


def test_a_component_that_ends_is_named_and_the_others_are_stopped() -> None:
    """Its own lines above the sentence say why."""
    with somebody() as person:
        port = str(choose_port())
        said = person.weixin("up", "--port", port, AIRFLOW__CORE__PARALLELISM="many")

        assert said.returncode == 1
        assert re.search(r"weixin-etl: scheduler has ended, so Airflow was stopped", said.stderr)
        assert re.search(r"^scheduler +\| .*many", said.stdout, re.M)
        psutil.wait_procs(person.processes(), timeout=10)
        assert person.processes() == []
