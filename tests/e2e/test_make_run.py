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

pytestmark = pytest.mark.stack

MORNING = "2026-11-24T06:30:00+08:00"
NEWCOMERS_DAY = {"WEIXIN_NOW": "2026-11-25T10:30:00+08:00"}
"""One before which the sandbox published on each of seven days: on some it does not."""
OFFLINE = Scenario("offline")
STAGES = ["refresh_access_token", "plan", "ingest", "report", "check"]


@pytest.fixture(scope="module")
def first(person: Person) -> CompletedProcess[str]:
    """What the first `make run` of a newcomer said."""
    return person.types("make", "run", **NEWCOMERS_DAY)


@pytest.fixture(scope="module")
def second(person: Person, first: CompletedProcess[str]) -> CompletedProcess[str]:
    """What the next one said, at the same instant: it asks again."""
    assert first.returncode == 0, first.stderr
    return person.types("make", "run", **NEWCOMERS_DAY)


def counts(said: CompletedProcess[str]) -> list[list[str]]:
    """Of each day: articles, inserted, updated, unchanged, rejected, state, last attempt."""
    days = re.findall(r"^ *\d{4}-\d\d-\d\d +(\d.*)$", said.stdout, re.M)
    return [line.split() for line in days]


def run_against(person: Person, *scenarios: Scenario, **variables: str) -> CompletedProcess[str]:
    """Run for an account of its own of whom WeChat says this."""
    name = "-".join(scenario.name for scenario in scenarios)
    account = Account(f"wx-{name}", "secret", name)
    with Sandbox([account], today=date(2026, 11, 24), scenarios=scenarios).serve() as url:
        return person.weixin(
            "run",
            AIRFLOW_CONN_WEIXIN_DEFAULT=connection_of(account.appid, account.secret, url, name),
            WEIXIN_IN_HASTE="1",
            **{"WEIXIN_NOW": MORNING, **variables},
        )


def test_a_first_run_shows_stages_counts_and_the_most_read(first: CompletedProcess[str]) -> None:
    """Nothing is there before, so everything is inserted."""
    days = counts(first)

    assert first.returncode == 0, first.stderr
    assert re.findall(r"^✓ ((?:refresh|plan|ingest|report|check).*)$", first.stderr, re.M) == STAGES
    assert len(days) == 7
    assert all(int(inserted) > 0 for _, inserted, *_ in days)
    assert [rest for _, _, *rest in days] == [
        ["0", "0", "0", state, "ok"] for state in ["unconfirmed"] + 6 * ["in"]
    ]
    most_read = first.stdout.split("Which articles were read most?")[1]
    assert len(re.findall(r"\d{4}-\d\d-\d\d +\d+", most_read)) == 3
    assert "make psql" in first.stderr
    log = re.findall(r"its log is (\S+)", first.stderr)[0]
    assert "DagRun Finished" in Path(log).read_text()
    assert "[info" not in first.stdout


def test_a_second_run_changes_nothing(
    first: CompletedProcess[str], second: CompletedProcess[str]
) -> None:
    """0 inserted, 0 updated, all unchanged; no day is final by one morning."""
    before = [(line[1], line[5:]) for line in counts(first)]

    assert second.returncode == 0, second.stderr
    assert [line[1:] for line in counts(second)] == [
        ["0", "0", rows, "0", *states] for rows, states in before
    ]


@pytest.mark.usefixtures("second")
def test_nothing_goes_on_running_and_made_up_figures_are_by_themselves(person: Person) -> None:
    """`make psql` answers all the same, about the sandbox's warehouse."""
    assert person.processes() == []
    assert person.asks(
        "SELECT current_database(), count(*) > 0 FROM fact_article_total GROUP BY 1"
    ) == ["weixin_sandbox|t"]
    assert person.processes() == []


@pytest.mark.usefixtures("second")
def test_a_busy_wechat_is_told_at_once(person: Person) -> None:
    """Nobody who watches waits for Airflow's retries: with them it would take a quarter hour."""
    said = run_against(person, Scenario("busy"))

    assert said.returncode == 1
    assert "✗ ingest" in said.stderr
    assert "no usable answer came" in said.stderr


@pytest.mark.usefixtures("second")
def test_a_bad_morning_can_be_lived_through(person: Person) -> None:
    """By the scenario's name, at the sandbox."""
    said = person.types("make", "run", "SCENARIO=unauthorized", **NEWCOMERS_DAY)
    wrong = person.types("make", "run", "SCENARIO=nonsense")

    assert said.returncode != 0
    assert "errcode 48001" in said.stderr
    assert "make probe" not in said.stderr
    assert "There is no scenario 'nonsense'" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.usefixtures("second")
def test_a_connection_that_cannot_be_used_is_a_sentence_from_the_log(person: Person) -> None:
    """There is no pair to say it: the log's last error does."""
    said = person.weixin("run", AIRFLOW_CONN_WEIXIN_DEFAULT='{"conn_type": "weixin", "login": "a"}')

    assert said.returncode == 1
    assert "password" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.usefixtures("second")
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


@pytest.mark.usefixtures("second")
def test_a_retired_endpoint_is_gone_on_with_its_successor(person: Person) -> None:
    """47009: it says so, and the successor's thirty days are what is loaded and told."""
    said = run_against(person, OFFLINE, WEIXIN_NOW="2026-11-24T10:30:00+08:00")

    going_on = "! WeChat took getarticletotal offline: going on with getarticletotaldetail."
    assert said.returncode == 0, said.stderr
    assert said.stderr.index("✗ ingest") < said.stderr.index(going_on)
    assert len(counts(said)) == 30
    assert "which articles were read most?" in said.stdout.lower()


def test_a_successor_that_is_gone_too_is_one_sentence(person: Person) -> None:
    """The same refusal of thirty days is told once, with the days, the log and how to go on."""
    said = run_against(person, OFFLINE, Scenario("offline", endpoint="getarticletotaldetail"))

    sentence, log, probe = said.stderr.splitlines()[-3:]
    assert said.returncode == 1
    assert "else ask WeChat for a successor" in sentence
    assert " · 2026-10-25 to 2026-11-23 · " in sentence
    assert re.fullmatch(rf"weixin-etl: the log: {person.home.logs}/run-\S+\.log", log)
    assert probe.startswith("weixin-etl: `make probe` says whether WeChat answers this account")


def test_a_probe_needs_no_airflow_and_no_postgres(person: Person) -> None:
    """Only an account: without one it says so in a sentence."""
    without = person.types("make", "probe")
    with Sandbox([Account("wx-probe", "secret")]).serve() as url:
        described = connection_of("wx-probe", "secret", url, "春风")
        said = person.weixin(
            "probe", "--datasets", "article_total", AIRFLOW_CONN_WEIXIN_DEFAULT=described
        )

    assert "weixin-etl: No account is configured: fill in WEIXIN_APPID" in without.stderr
    assert said.returncode == 0, said.stderr
    assert "春风 (weixin_default, wx-probe)" in said.stdout
    assert "The pipeline will work for this account" in said.stdout
