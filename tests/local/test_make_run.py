"""`make run` is the whole pipeline for today, and says what came of it."""

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
"""One before which the sandbox published on each of seven days: on some it does not."""
STAGES = ["refresh_access_token", "plan", "ingest", "report", "check"]


def counts(said: CompletedProcess[str]) -> list[list[str]]:
    """Of each day: articles, inserted, updated, unchanged, rejected, state, last attempt."""
    days = re.findall(r"^ *\d{4}-\d\d-\d\d +(\d.*)$", said.stdout, re.M)
    return [line.split() for line in days]


def test_a_first_run_loads_seven_days_and_a_second_changes_nothing(person: Person) -> None:
    """Each stage, each day and the three most read are shown; no day is final by one morning."""
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
    # nothing runs on, and `make psql` answers all the same, about the sandbox's warehouse
    assert person.processes() == []
    question = "SELECT current_database(), count(*) > 0 FROM fact_article_total GROUP BY 1"
    assert person.asks(question) == ["weixin_sandbox|t"]
    assert person.processes() == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SCENARIO": "unauthorized"}, "48001"),
        ({"SCENARIO": "nonsense"}, "'nonsense'"),
        ({"AIRFLOW_CONN_WEIXIN_DEFAULT": '{"conn_type": "weixin", "login": "a"}'}, "password"),
    ],
)
def test_what_is_wrong_is_said_in_the_end(
    person: Person, variables: dict[str, str], said: str
) -> None:
    """By the problem of a pair, or by the log's last error; nobody waits for Airflow's retries."""
    done = person.types("make", "run", **DAY, **variables)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_no_airflow(
    person: Person, number: signal.Signals, tmp_path: Path
) -> None:
    """Ctrl-C ends it all, and so does a kill."""
    said = tmp_path / "said"
    process = person.starts("run", log=said)
    while "its log is" not in said.read_text():
        assert process.poll() is None, said.read_text()
    process.send_signal(number)

    assert process.wait(120) == 130
    assert said.read_text().endswith("weixin-etl: stopped.\n")
    # the kernel takes a moment to bury what was killed
    psutil.wait_procs(person.processes(), timeout=60)
    assert person.processes() == []


def test_a_retired_endpoint_is_gone_on_with_its_successor(person: Person) -> None:
    """Its thirty days are loaded; `make probe` asks the account that is configured, as `run`."""
    account = Account("wx-retired", "secret", "春风")
    sandbox = Sandbox([account], today=date(2026, 11, 25), scenarios=[Scenario("offline")])
    with sandbox.serve() as url:
        own = connection_of(account.appid, account.secret, url, account.name)
        theirs = DAY | {"AIRFLOW_CONN_WEIXIN_DEFAULT": own}
        done = person.types("make", "run", **theirs)
        probed = person.types("make", "probe", "ARGS=--datasets article_total", **theirs)

    told = "going on with getarticletotaldetail"
    assert done.returncode == 0, done.stderr
    assert done.stderr.index("✗ ingest") < done.stderr.index(told)
    assert len(counts(done)) == 30
    assert "春风 (weixin_default, wx-retired)" in probed.stdout
    assert "47009" in probed.stdout
