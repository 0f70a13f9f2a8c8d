"""Tests of `make up`, which runs Airflow in the foreground until Ctrl-C."""

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
    """Return a free port for the UI."""
    return choose_port()


@pytest.fixture(scope="module")
def up(person: Person, port: int) -> Iterator[Path]:
    """Run `make up`, and yield its log."""
    with person.up(port, "--scenario", "fewer-articles") as log:
        yield log


@pytest.fixture(scope="module")
def rest(up: Path, port: int) -> Rest:
    """Return a session of the API with the password that `make up` printed."""
    return Rest(port, re.findall(r"  password +(\S+)", up.read_text())[0])


def test_up_starts_a_healthy_airflow_and_prints_its_address(
    up: Path, port: int, rest: Rest
) -> None:
    """The components' lines begin with their names. The DAG is not paused."""
    output = up.read_text()

    assert f"  Airflow     http://localhost:{port}\n  user        admin\n" in output
    assert re.search(r"The sandbox answers at http://127\.0\.0\.1:\d+: all .* made up", output)
    # The API server starts first: a task that can't reach it fails without a message.
    assert output.index("Simple auth manager") < output.index("scheduler     | ")
    assert {part["status"] for part in rest("GET", "monitor/health").values()} == {"healthy"}
    assert rest("GET", f"dags/{DAG}")["is_paused"] is False
    assert rest("GET", "importErrors")["import_errors"] == []


def test_airflows_own_command_works_beside_it(person: Person, rest: Rest, tmp_path: Path) -> None:
    """The command touches no other Airflow's home. A backfill with dates in its form fails."""
    own = {"HOME": str(tmp_path), "AIRFLOW_HOME": ""}
    listed = person.types("make", "airflow", "ARGS=dags list --output json", **own)
    wrong = person.weixin("airflow", "dags", "nonsense", **own)
    status = person.types("make", "etl", "ARGS=status", **own)
    asked = person.weixin("airflow", "dags", "delete", "nothing", **own, answers="n\n")
    conf = json.dumps({"begin_date": "2026-11-01", "end_date": "2026-11-02"})
    morning = "--from-date", "2026-11-20", "--to-date", "2026-11-20T23:59:59+08:00"
    backfill = "backfill", "create", "--dag-id", DAG, "--dag-run-conf", conf
    created = person.weixin("airflow", *backfill, *morning, **own)

    dags = {dataset.dag_id for dataset in DATASETS.values()} | {"weixin_digest"}
    assert {dag["dag_id"] for dag in json.loads(listed.stdout)} == dags
    assert wrong.returncode == 2
    assert re.search("days in|No run has asked yet", status.stdout)
    assert "Cancelled" in asked.stdout + asked.stderr
    assert created.returncode == 0, created.stderr
    (run,) = until(lambda: rest("GET", f"dags/{DAG}/dagRuns?run_type=backfill")["dag_runs"])
    assert rest.ended(DAG, run["dag_run_id"])["state"] == "failed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("up")
def test_a_second_up_and_a_reset_name_the_running_airflow(person: Person, port: int) -> None:
    """The second `up` and the reset change nothing. A reset without a yes deletes nothing."""
    second = person.types("make", "up")
    reset = person.types("make", "reset", answers="yes\n")
    refused = person.types("make", "reset")

    for done in (second, reset):
        assert f"Airflow runs already, at http://localhost:{port}" in done.stderr
    assert "Nothing was deleted" in refused.stderr
    assert 0 not in (second.returncode, reset.returncode, refused.returncode)
    assert person.home.airflow.exists()


def test_nothing_outlives_a_killed_terminal_or_a_ctrl_c_or_a_reset() -> None:
    """Airflow ends with its terminal. After a kill, the next command ends Postgres."""
    with somebody() as person:
        with person.up(choose_port()):
            processes = person.processes()
            (command,) = [started for started in processes if "weixin_local" in started.cmdline()]
            command.send_signal(signal.SIGKILL)
            until(lambda: {process.name() for process in person.processes()} <= {"postgres"})
        taken_over = person.asks("SELECT 1"), person.processes()
        with person.up(choose_port()):
            before = person.processes()
        after = person.processes()
        reset = person.types("make", "reset", answers="yes\n")

        assert taken_over == (["1"], [])
        assert len(before) > 4
        assert after == []
        assert reset.returncode == 0, reset.stderr
        assert not person.home.state.exists()


def test_an_up_that_cannot_start_prints_the_reason_and_leaves_no_process() -> None:
    """For a taken port the error names another. A component that ends is named in the error."""
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
