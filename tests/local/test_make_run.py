"""Tests of `make run`, which runs the whole pipeline once and prints a summary."""

import re
import signal
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest
from support.people import Person

from weixin_local.home import connection_of
from weixin_sandbox import Account, Sandbox, Scenario

DAY = {"WEIXIN_NOW": "2026-11-25T10:30:00+08:00"}
"""A clock on a day before which the sandbox published an article on each of seven days."""
STAGES = ["refresh_access_token", "plan", "ingest", "report", "check"]


def counts(process: CompletedProcess[str]) -> list[list[str]]:
    """Return a row per day: articles, inserted, updated, unchanged, rejected, state, attempt."""
    days = re.findall(r"^ *\d{4}-\d\d-\d\d +(\d.*)$", process.stdout, re.M)
    return [line.split() for line in days]


def test_a_first_run_loads_seven_days_and_a_second_changes_nothing(person: Person) -> None:
    """The summary shows each stage, each day and the three most-read articles."""
    first = person.types("make", "run", **DAY)
    second = person.types("make", "run", **DAY)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert re.findall(r"^✓ (\w+)$", first.stderr, re.M) == STAGES
    assert all(int(inserted) > 0 for _, inserted, *_ in counts(first))
    assert [rest for _, _, *rest in counts(first)] == [
        ["0", "0", "0", state, "ok"] for state in ["unconfirmed"] + 6 * ["in"]
    ]
    assert [line[1:] for line in counts(second)] == [
        ["0", "0", inserted, "0", *states] for _, inserted, _, _, _, *states in counts(first)
    ]
    most_read = first.stdout.split("Which articles were read most?")[1]
    assert len(re.findall(r"\d{4}-\d\d-\d\d +\d+", most_read)) == 3
    log = re.findall(r"its log is (\S+)", first.stderr)[0]
    assert "DagRun Finished" in Path(log).read_text()
    # No process remains. `make psql` still answers, from the sandbox's warehouse.
    assert person.processes() == []
    question = "SELECT current_database(), count(*) > 0 FROM fact_article_total GROUP BY 1"
    assert person.asks(question) == ["weixin_sandbox|t"]
    assert person.processes() == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SCENARIO": "unauthorized"}, "48001"),
        ({"SCENARIO": "nonsense"}, "'nonsense'"),
        ({"AIRFLOW_CONN_WEIXIN_DEFAULT": '{"conn_type": "weixin", "login": "a"}'}, "password"),
    ],
)
def test_a_failed_run_ends_with_its_problem(
    person: Person, variables: dict[str, str], sentence: str
) -> None:
    """The problem is a slice's or the log's last error. Airflow does not retry."""
    done = person.types("make", "run", **DAY, **variables)

    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_no_airflow(
    person: Person, number: signal.Signals, tmp_path: Path
) -> None:
    """Both Ctrl-C and SIGTERM end all processes."""
    log = tmp_path / "log"
    process = person.starts("run", log=log)
    while "its log is" not in log.read_text():
        assert process.poll() is None, log.read_text()
    process.send_signal(number)

    assert process.wait(120) == 130
    assert log.read_text().endswith("weixin-etl: stopped.\n")
    # Killed processes disappear after a moment.
    psutil.wait_procs(person.processes(), timeout=60)
    assert person.processes() == []


def test_a_run_continues_with_the_successor_of_a_retired_endpoint(person: Person) -> None:
    """The successor's thirty days are loaded. `make probe` uses the same account as `make run`."""
    account = Account("wx-retired", "secret", "春风")
    sandbox = Sandbox([account], today=date(2026, 11, 25), scenarios=[Scenario("offline")])
    with sandbox.serve() as url:
        own = connection_of(account.appid, account.secret, url, account.name)
        variables = DAY | {"AIRFLOW_CONN_WEIXIN_DEFAULT": own}
        done = person.types("make", "run", **variables)
        probed = person.types("make", "probe", "ARGS=--datasets article_total", **variables)

    continuation = "going on with getarticletotaldetail"
    assert done.returncode == 0, done.stderr
    assert done.stderr.index("✗ ingest") < done.stderr.index(continuation)
    assert len(counts(done)) == 30
    assert "春风 (weixin_default, wx-retired)" in probed.stdout
    assert "47009" in probed.stdout
