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


def test_up_is_a_healthy_airflow_that_says_where_it_is(up: Path, port: int, rest: Rest) -> None:
    """Beside its components' lines, with their names; its DAG is not paused, or it never ran."""
    said = up.read_text()
    health = rest("GET", "monitor/health")

    assert f"  Airflow     http://localhost:{port}\n  user        admin\n" in said
    assert re.search(r"The sandbox answers at http://127\.0\.0\.1:\d+: all .* made up", said)
    assert re.search(r"^scheduler +\| .*Starting the scheduler", said, re.M)
    # a task that does not reach the API server fails without a word
    assert said.index("Simple auth manager") < said.index("scheduler     | ")
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
def test_a_second_up_and_a_reset_say_where_the_first_is(person: Person, port: int) -> None:
    """They change nothing, whatever port is given; nor does a reset without a yes."""
    second = person.types("make", "up")
    reset = person.types("make", "reset", typed="yes\n")
    refused = person.types("make", "reset", typed="no\n")

    assert f"Airflow runs already, at http://localhost:{port}" in second.stderr
    assert f"Airflow runs already, at http://localhost:{port}" in reset.stderr
    assert "Nothing was deleted" in refused.stderr
    assert 0 not in (second.returncode, reset.returncode, refused.returncode)
    assert person.home.airflow.exists()


def test_nothing_outlives_a_killed_terminal_or_a_ctrl_c_or_a_reset() -> None:
    """Airflow ends by itself; Postgres, after a kill, with the next command that needs it."""
    with somebody() as person:
        with person.up(choose_port()):
            (command,) = [it for it in person.processes() if "weixin_local" in it.cmdline()]
            command.send_signal(signal.SIGKILL)
            until(lambda: {it.name() for it in person.processes()} <= {"postgres"})
        taken_over = person.asks("SELECT 1"), person.processes()
        with person.up(choose_port()):
            before = person.processes()
        after = person.processes()
        said = person.types("make", "reset", typed="yes\n")

        assert taken_over == (["1"], [])
        assert len(before) > 4
        assert after == []
        assert said.returncode == 0, said.stderr
        assert not person.home.state.exists()


def test_a_taken_port_is_a_sentence() -> None:
    """It says what to type; nothing is started."""
    with somebody() as person, socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        said = person.types("make", "up", f"PORT={number}")

        assert said.returncode != 0
        assert f"make up PORT={number + 1}" in said.stderr
        assert person.processes() == []


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
