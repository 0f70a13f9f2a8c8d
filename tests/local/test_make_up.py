"""`make up` gives a working Airflow until Ctrl-C, and nothing outlives it."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support import choose_port
from support.people import Person, somebody
from support.rest import Rest, until

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

    assert f"  Airflow     http://localhost:{port}\n  user        admin\n" in said
    assert re.search(r"The sandbox answers at http://127\.0\.0\.1:\d+: all .* made up", said)
    # a task that does not reach the API server fails without a word
    assert said.index("Simple auth manager") < said.index("scheduler     | ")
    assert {part["status"] for part in rest("GET", "monitor/health").values()} == {"healthy"}
    assert rest("GET", f"dags/{DAG}")["is_paused"] is False
    assert rest("GET", "importErrors")["import_errors"] == []


def test_airflows_own_command_works_beside_it(person: Person, rest: Rest, tmp_path: Path) -> None:
    """It touches no other Airflow's home; a backfill's runs refuse dates that are not theirs."""
    own = {"HOME": str(tmp_path), "AIRFLOW_HOME": ""}
    listed = person.types("make", "airflow", "ARGS=dags list --output json", **own)
    wrong = person.weixin("airflow", "dags", "nonsense", **own)
    status = person.types("make", "etl", "ARGS=status", **own)
    asked = person.weixin("airflow", "dags", "delete", "nothing", **own, answers="n\n")
    conf = json.dumps({"begin_date": "2026-11-01", "end_date": "2026-11-02"})
    morning = "--from-date", "2026-11-20", "--to-date", "2026-11-20T23:59:59+08:00"
    backfill = "backfill", "create", "--dag-id", DAG, "--dag-run-conf", conf
    created = person.weixin("airflow", *backfill, *morning, **own)

    assert {dag["dag_id"] for dag in json.loads(listed.stdout)} == {
        it.dag_id for it in DATASETS.values()
    }
    assert wrong.returncode == 2
    assert re.search("days in|No run has asked yet", status.stdout)
    assert "Cancelled" in asked.stdout + asked.stderr
    assert created.returncode == 0, created.stderr
    (run,) = until(lambda: rest("GET", f"dags/{DAG}/dagRuns?run_type=backfill")["dag_runs"])
    assert rest.ended(DAG, run["dag_run_id"])["state"] == "failed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("up")
def test_a_second_up_and_a_reset_say_where_the_first_is(person: Person, port: int) -> None:
    """They change nothing, whatever port is given; nor does a reset without a yes."""
    second = person.types("make", "up")
    reset = person.types("make", "reset", answers="yes\n")
    refused = person.types("make", "reset")

    for done in (second, reset):
        assert f"Airflow runs already, at http://localhost:{port}" in done.stderr
    assert "Nothing was deleted" in refused.stderr
    assert 0 not in (second.returncode, reset.returncode, refused.returncode)
    assert person.home.airflow.exists()


def test_nothing_outlives_a_killed_terminal_or_a_ctrl_c_or_a_reset() -> None:
    """Airflow ends with it; Postgres, after a kill, with the next command that needs it."""
    with somebody() as person:
        with person.up(choose_port()):
            (command,) = [it for it in person.processes() if "weixin_local" in it.cmdline()]
            command.send_signal(signal.SIGKILL)
            until(lambda: {it.name() for it in person.processes()} <= {"postgres"})
        taken_over = person.asks("SELECT 1"), person.processes()
        with person.up(choose_port()):
            before = person.processes()
        after = person.processes()
        said = person.types("make", "reset", answers="yes\n")

        assert taken_over == (["1"], [])
        assert len(before) > 4
        assert after == []
        assert said.returncode == 0, said.stderr
        assert not person.home.state.exists()


def test_what_cannot_start_is_a_sentence_and_nothing_is_left() -> None:
    """A taken port says what to type; a component that ends is named, its own lines say why."""
    with somebody() as person, socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        refused = person.types("make", "up", f"PORT={number}")
        ended = person.weixin("up", "--port", str(choose_port()), AIRFLOW__CORE__PARALLELISM="many")

        assert 0 not in (refused.returncode, ended.returncode)
        assert f"make up PORT={number + 1}" in refused.stderr
        assert "scheduler has ended, so Airflow was stopped" in ended.stderr
        assert re.search(r"^scheduler +\| .*many", ended.stdout, re.M)
        psutil.wait_procs(person.processes(), timeout=10)
        assert person.processes() == []
