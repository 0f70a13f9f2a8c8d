"""
Tests of single mornings, which Airflow runs with scripted problems.

Each compares the run's state, tasks, calls, errors, messages and figures, and the exit code of
`weixin-etl status`.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from dag_runs import WINDOW, DailyDag, day_calls, expected_facts, set_paused
from sqlalchemy import Engine, make_url
from support import rows
from support.people import PROJECT
from support.receivers import Receiver
from world.expected_tables import facts

from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL, FOLLOWER_CHANGE, Dataset
from weixin_etl.load import stage
from weixin_etl.problem import ROWS, ProblemKind
from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

YESTERDAY = WINDOW[-1]
WAREHOUSE = "AIRFLOW_CONN_WEIXIN_WAREHOUSE"


@dataclass(frozen=True)
class Morning:
    """
    A morning and its expected outcome. The defaults describe a successful run started by hand.

    Attributes:
        wrong: The scenarios of the sandbox.
        at: The time in Beijing of a scheduled run; without it the run is started by hand at 10:30.
        before: A change made before the run.
        tasks: The states of tasks that do not succeed.
        tries: The number of tries of tasks that have more than one.
        calls: The number of calls for figures; None allows any.
        check: The accounts and errcodes in the errors of the task `check`.
        titles: The titles of the messages; None allows any.
        logged: A text that the log must contain.
        shown: The section of the manual's "Your first morning" that shows lines of the log.
        status: The exit code of `weixin-etl status` afterwards.
    """

    wrong: Sequence[Scenario] = ()
    dataset: Dataset = ARTICLE_TOTAL
    form: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    before: Callable[[DailyDag], object] = lambda _: None
    retries: int = 1
    tasks: Mapping[str, str] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    calls: int | None = 7
    check: Sequence[str] = ()
    titles: Sequence[str] | None = ()
    logged: str = ""
    shown: str = ""
    status: int = 0


CODES = {
    int(code): row.kind is ProblemKind.CONFIGURATION
    for row in reversed(ROWS)
    if not row.kind.is_of_warehouse
    for code in row.codes
    if code.lstrip("-").isdigit()
}
"""Every known errcode, and whether a call for a token can also be refused with it."""
REFUSALS = [f"token-call:errcode:{code}" for code in sorted(CODES) if CODES[code] and code != 61502]
REFUSALS += [f"errcode:{code}" for code in sorted({48001, 61502, 41001, *CODES} - {61503})]
REFUSALS += ["http-500", "cut-answer", "bad-json"]
REFUSED = [f"号{n} {name.partition('errcode:')[2]}".strip() for n, name in enumerate(REFUSALS)]


def every_refusal(dag: DailyDag) -> None:
    """Collect an account for each refusal, three good ones, a late one and two bad connections."""
    made = dag.accounts(len(REFUSALS) + 4)
    dag.sandbox.scenarios[:] = [
        Scenario(name, account=account.appid)
        for name, account in zip([*REFUSALS, "not-ready-code"], made, strict=False)
    ]
    dag.set("AIRFLOW_CONN_BROKEN", '{"conn_type": "weixin", "login": "a", "extra": "nonsense"}')
    dag.collect(*(f"a{number}" for number in range(len(made))), "broken", "forgotten")


def two_of_one(dag: DailyDag) -> None:
    """Collect two connections of one account, the first with a wrong secret."""
    dag.connect(DEFAULT_ACCOUNT, "weixin_default", password="wrong")
    dag.connect(DEFAULT_ACCOUNT, "weixin_second")
    dag.collect("weixin_default", "weixin_second")


def stumble(dag: DailyDag) -> None:
    """Put a bug into the program."""

    def parse(*_: Any) -> None:
        raise RuntimeError("a bug")

    dag.monkeypatch.setattr(stage, "parse", parse)


def remove_connection(dag: DailyDag) -> None:
    """Remove the connection of the warehouse."""
    dag.monkeypatch.delenv(WAREHOUSE)


def bare(dag: DailyDag) -> None:
    """Use a database of the same server as the warehouse that has never been migrated."""
    url = make_url(os.environ[WAREHOUSE]).set(database="postgres")
    dag.set(WAREHOUSE, url.render_as_string(hide_password=False))


def late(times: int | None = None) -> Scenario:
    return Scenario("not-ready-code", day=YESTERDAY, times=times)


def outages(times: int) -> Scenario:
    return Scenario("http-500", day=WINDOW[2], times=times)


RED = Morning(tasks={"ingest": "failed", "check": "failed"}, status=1)
NOTHING = Morning(calls=0, check=[""], status=1)
NO_PLAN = {"plan": "upstream_failed", "ingest": "upstream_failed", "check": "failed"}
NO_TOKENS = {"refresh_access_token": "failed", **NO_PLAN}
NO_WAREHOUSE = replace(
    NOTHING, tasks={**NO_PLAN, "plan": "failed", "report": "failed"}, check=["", ""], status=2
)
LATE = replace(RED, wrong=[late()], check=["春风 61503"], status=3)
UNUSABLE = replace(NO_WAREHOUSE, titles=["the warehouse cannot be used"])
NOWHERE = "postgres://nobody:s3cr3t@127.0.0.1:1/none?sslmode=disable"
OLDER = {"begin_date": "2026-11-01", "end_date": "2026-11-16", "dry_run": True}
TOO_LATE = {"begin_date": "2026-11-20", "end_date": "2026-11-24", "dry_run": True}
FORM = {"begin_date": "2026-10-30", "end_date": "2026-11-02", "accounts": ["a1"]}
TWICE = {"ingest": 2}

MORNINGS = {
    "all is well": Morning(shown="The first run"),
    "a dry run, after another": replace(
        NOTHING,
        before=lambda dag: dag.on(0),
        form=OLDER,
        tasks=dict.fromkeys(("plan", "ingest", "check"), "skipped"),
        calls=7,
        check=[],
        status=0,
        shown="Two date ranges",
    ),
    "the form's days and accounts": Morning(form=FORM, before=lambda dag: dag.accounts(3), calls=4),
    "a mistyped parameter": replace(NOTHING, form={"acounts": ["a1"]}, tasks=NO_TOKENS),
    "a day that is not over": replace(NOTHING, form=TOO_LATE, tasks={**NO_PLAN, "plan": "failed"}),
    "a refused account": replace(
        RED,
        wrong=[Scenario("unauthorized")],
        calls=1,
        check=["春风 48001"],
        titles=["春风 refused"],
        shown="Red, and only 48001",
    ),
    "accounts that fail beside others, in every way there is": replace(
        RED,
        before=every_refusal,
        retries=0,
        calls=None,
        check=["broken", "forgotten", *REFUSED, f"号{len(REFUSALS)} 61503"],
        titles=None,
        logged=f"号{len(REFUSALS)}: nothing to do",
    ),
    "a retired endpoint": replace(
        RED,
        wrong=[Scenario("offline")],
        check=["春风 47009"],
        status=0,  # its successor's DAG is not paused
        titles=["春风: endpoint retired"],
        shown="Red with 47009",
    ),
    "of two connections the one that works": Morning(
        before=two_of_one, logged="weixin_second is the same account as weixin_default"
    ),
    "outages are tried again": Morning([outages(5)], tries=TWICE, calls=7 + 5),
    "late, by hand": replace(LATE, logged="clear ingest", status=0),
    "late on every day": replace(
        LATE,
        wrong=[Scenario("not-ready")],
        check=["春风"],
        before=lambda dag: dag.at("08:30"),
        titles=["春风: figures not ready"],
        shown="Figures not ready",
    ),
    "late, and it comes": Morning([late(3)], at="08:30", calls=7 + 3, logged="asks again at 08:30"),
    "statistics days": Morning([late(3)], FOLLOWER_CHANGE, at="08:30", calls=7 + 3),
    "late, until noon": replace(LATE, at="12:01", titles=["春风: figures not ready"]),
    "late, beside what is tried again": replace(
        RED,
        wrong=[late(2), outages(5), Scenario("errcode:99999", day=WINDOW[0])],
        at="08:30",
        tries=TWICE,
        calls=4 + 3 + 6 + 3,
        check=["春风 99999"],
        titles=["春风 refused"],
    ),
    "a bug": replace(
        RED,
        before=stumble,
        tries=TWICE,
        calls=2,
        check=["春风"],
        titles=["春风: program fault"],
        logged="::group::Where it was raised\nTraceback (most recent call last):\n",
    ),
    "no connection to the warehouse": replace(
        UNUSABLE, before=remove_connection, logged="create the connection"
    ),
    "a warehouse that is not migrated": replace(
        UNUSABLE, before=bare, logged="`weixin-etl migrate`"
    ),
    "no warehouse that answers": replace(
        NO_WAREHOUSE,
        before=lambda dag: dag.set(WAREHOUSE, NOWHERE),
        tries={"plan": 2, "report": 2},
        titles=["the warehouse does not work"],
        logged="start Postgres",
    ),
}
PAGE = PROJECT / "docs/operating/first-morning.md"
MISSING = """
    SELECT count(*) FROM weixin.run_report INNER JOIN weixin.coverage USING (dataset, appid, day)
    WHERE ready_at IS NULL OR ready_at < planned_at
"""


@pytest.mark.parametrize("name", MORNINGS)
def test_a_morning(
    daily: DailyDag,
    receiver: Receiver,
    warehouse: Engine,
    request: pytest.FixtureRequest,
    name: str,
):
    """
    A run succeeds only if all planned days are loaded, and then emits one event with the new days.

    The fact table equals WeChat's figures. The log contains the lines that the manual shows.
    """
    morning, sandbox = MORNINGS[name], daily.sandbox
    daily.retries, sandbox.scenarios[:] = morning.retries, morning.wrong
    daily.dag_id = morning.dataset.dag_id
    daily.at("10:30")
    morning.before(daily)
    if morning.at:
        request.getfixturevalue("scheduled")
        daily.at(morning.at)

    outcome = daily.run(**morning.form)
    set_paused(is_paused=True)
    while_paused = main(command := ["status", "--dataset", morning.dataset.name])
    set_paused(is_paused=False)
    status = main(command)

    states = {task: state for task, state in outcome.tasks.items() if state != "success"}
    assert states == morning.tasks
    assert outcome.state == ("failed" if "failed" in states.values() else "success")
    assert {task: count for task, count in outcome.tries.items() if count > 1} == morning.tries
    assert day_calls(sandbox) == morning.calls or morning.calls is None
    assert sorted(outcome.errors_of("check")) == sorted(morning.check)
    titles = [title.removeprefix("weixin-etl: ") for title in receiver.titles]
    assert morning.titles is None or titles == [*morning.titles]
    assert morning.logged in outcome.log
    assert "s3cr3t" not in f"{outcome.log}{receiver.messages}"
    assert ("Traceback" in outcome.log) == (morning.before is stumble)
    assert status == morning.status
    assert while_paused == 0 or morning.tasks != RED.tasks
    is_green = outcome.state == "success" and "dry_run" not in morning.form
    assert rows(warehouse, MISSING) == [(0,)] or not is_green
    figures = facts(warehouse, morning.dataset)
    assert figures == expected_facts(warehouse, sandbox, morning.dataset) or "every day" in name
    days = sorted({str(day) for *_, day, _ in figures})
    assert [extra["days"] for extra in outcome.events] == [days] * is_green
    section = PAGE.read_text().partition(f"\n## {morning.shown}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"```text\n(.*?)\n```", section, re.DOTALL)
    assert len(lines) == bool(morning.shown)
    for line in "".join(lines).splitlines():  # `…` stands for any text
        assert re.search(".*".join(map(re.escape, line.split(" … "))), outcome.log), line
