"""The log lines that the manual's "Your first morning" shows are those of such a morning."""

import re

import pytest
from dag_runs import REPOSITORY, DailyDag

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

PAGE = REPOSITORY / "docs/operating/first-morning.md"


@pytest.fixture
def first(daily: DailyDag, sandbox_url: str) -> DailyDag:
    """The DAG at 10:30 of its first morning, with the account under the page's name for it."""
    daily.connect(DEFAULT_ACCOUNT, sandbox_url, "weixin_default", extra={"name": "春风"})
    daily.set("WEIXIN_NOW", "2026-11-24T10:30:00+08:00")
    return daily


def missing(heading: str, log: str) -> list[str]:
    """The lines under a heading of the page that a log lacks; `…` stands for any text."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    return [
        line
        for line in block.splitlines()
        if not re.search(".*".join(map(re.escape, line.split(" … "))), log)
    ]


def test_the_first_run_and_the_plan_of_earlier_days(first: DailyDag):
    """Both are green."""
    run = first.run()
    plan = first.run(begin_date="2026-11-01", end_date="2026-11-16", dry_run=True)

    assert (run.state, plan.state) == ("success", "success")
    assert missing("The first run", run.log) == []
    assert missing("Two date ranges", plan.log) == []


@pytest.mark.parametrize(
    ("heading", "scenario", "at"),
    [
        ("Figures not ready", "not-ready", "08:30"),
        ("Red, and only 48001", "unauthorized", "10:30"),
        ("Red with 47009", "offline", "10:30"),
    ],
)
def test_a_first_run_that_is_red(
    first: DailyDag, sandbox: Sandbox, heading: str, scenario: str, at: str
):
    """Its line says why."""
    first.set("WEIXIN_NOW", f"2026-11-24T{at}:00+08:00")
    sandbox.scenarios[:] = [Scenario(scenario)]

    run = first.run()

    assert run.state == "failed"
    assert missing(heading, run.log) == []
