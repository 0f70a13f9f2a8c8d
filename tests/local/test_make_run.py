"""`make run` is the whole pipeline for today, and says what came of it."""

import os
import re
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest
from people import Person

from weixin_local.home import connection_of
from weixin_sandbox import Account, Sandbox, Scenario

NEWCOMERS_DAY = {"WEIXIN_NOW": "2026-11-25T10:30:00+08:00"}
"""One before which the sandbox published on each of seven days: on some it does not."""
OFFLINE = Scenario("offline")
STAGES = ["refresh_access_token", "plan", "ingest", "report", "check"]


def counts(said: CompletedProcess[str]) -> list[list[str]]:
    """Of each day: articles, inserted, updated, unchanged, rejected, state, last attempt."""
    days = re.findall(r"^ *\d{4}-\d\d-\d\d +(\d.*)$", said.stdout, re.M)
    return [line.split() for line in days]


def run_against(person: Person, *scenarios: Scenario) -> CompletedProcess[str]:
    """Run for an account of its own of whom WeChat says this."""
    account = Account(f"wx-{len(scenarios)}", "secret", "春风")
    with Sandbox([account], today=date(2026, 11, 24), scenarios=scenarios).serve() as url:
        connection = connection_of(account.appid, account.secret, url, account.name)
        return person.weixin(
            "run",
            AIRFLOW_CONN_WEIXIN_DEFAULT=connection,
            WEIXIN_NOW="2026-11-24T10:30:00+08:00",
        )


def test_a_first_run_loads_seven_days_and_a_second_changes_nothing(person: Person) -> None:
    """Each stage, each day and the three most read are shown; no day is final by one morning."""
    first = person.types("make", "run", **NEWCOMERS_DAY)
    second = person.types("make", "run", **NEWCOMERS_DAY)

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


def test_a_bad_morning_can_be_lived_through(person: Person) -> None:
    """By the scenario's name; nobody who watches waits for Airflow's retries."""
    said = person.types("make", "run", "SCENARIO=unauthorized", **NEWCOMERS_DAY)
    wrong = person.types("make", "run", "SCENARIO=nonsense")

    assert said.returncode != 0
    assert "✗ ingest" in said.stderr
    assert "errcode 48001" in said.stderr
    assert "'nonsense'" in wrong.stderr
    assert "Traceback" not in said.stderr + wrong.stderr


def test_a_connection_that_cannot_be_used_is_a_sentence_from_the_log(person: Person) -> None:
    """There is no pair to say it: the log's last error does."""
    said = person.weixin("run", AIRFLOW_CONN_WEIXIN_DEFAULT='{"conn_type": "weixin", "login": "a"}')

    assert said.returncode == 1
    assert "password" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_no_airflow(
    person: Person, number: signal.Signals
) -> None:
    """Ctrl-C ends it all, and so does a kill."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weixin_local", "run"],
        cwd=person.home.project,
        env={**os.environ, **person.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # whoever runs the tests in the background has it ignored, and we would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr
    while "its log is" not in process.stderr.readline():
        pass
    process.send_signal(number)
    _, error = process.communicate(timeout=120)

    # the kernel takes a moment to bury what was killed
    psutil.wait_procs(person.processes(), timeout=60)
    assert process.returncode == 130
    assert error.endswith("weixin-etl: stopped.\n")
    assert person.processes() == []


def test_a_retired_endpoint_is_gone_on_with_its_successor(person: Person) -> None:
    """Its thirty days are loaded; where it is gone too, its refusal is told once, with the log."""
    gone_on = run_against(person, OFFLINE)
    both_gone = run_against(person, OFFLINE, Scenario("offline", endpoint="getarticletotaldetail"))

    told = "! WeChat took getarticletotal offline: going on with getarticletotaldetail."
    assert gone_on.returncode == 0, gone_on.stderr
    assert gone_on.stderr.index("✗ ingest") < gone_on.stderr.index(told)
    assert len(counts(gone_on)) == 30
    sentence, log = both_gone.stderr.splitlines()[-2:]
    assert both_gone.returncode == 1
    assert "errcode 47009" in sentence
    assert " · 2026-10-25 to 2026-11-23 · " in sentence
    assert f"the log: {person.home.airflow}/logs/run-" in log


def test_a_probe_says_whether_it_will_work(person: Person) -> None:
    """Of the account that is configured, or of the sandbox's."""
    of_sandbox = person.types("make", "probe", "ARGS=--datasets article_total")
    with Sandbox([Account("wx-probe", "secret")]).serve() as url:
        described = connection_of("wx-probe", "secret", url, "春风")
        said = person.types("make", "probe", AIRFLOW_CONN_WEIXIN_DEFAULT=described)

    assert "all figures are made up" in of_sandbox.stderr
    assert "made up" not in said.stderr
    assert "春风 (weixin_default, wx-probe)" in said.stdout
    assert "The pipeline will work for this account" in said.stdout
