"""A first morning, the same again, and the next: as the manual's "Your first morning" shows it."""

import re

import pytest
from dag_runs import MORNING, DailyDag, in_truth
from figures import loaded
from in_process import REPOSITORY
from sqlalchemy import Engine
from support import rows

from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

PAGE = REPOSITORY / "docs/operating/first-morning.md"
FACT = "SELECT * FROM weixin.fact_article_total ORDER BY appid, msgid, stat_date"


def test_again_and_the_next_morning(daily: DailyDag, warehouse: Engine):
    """
    A second run inserts and updates no row; every column is as before, changed_at included.

    A day later each article has one more row, and what was there is untouched. The event of a green
    run names the days that changed in it; what a red one loaded, that of the green one after it.
    """
    late = Scenario("not-ready-code", day=MORNING.date().replace(day=23))
    daily.sandbox.scenarios[:] = [late]
    red = daily.on(0)
    daily.sandbox.scenarios.clear()
    first, before = daily.on(0, "11:00"), rows(warehouse, FACT)
    again, same = daily.on(0, "11:30"), rows(warehouse, FACT)
    next_morning, after = daily.on(1), rows(warehouse, FACT)

    assert (red.state, red.events) == ("failed", [])
    counts = {"calls": 7, "updated": 0, "rejected": 0, "in": 7, "not_in": 0}
    ((event,), (unchanged,)) = first.events, again.events
    assert {**event, **counts} == event
    assert (event["run_id"], event["days"]) == (first.run_id, ["2026-11-23"])
    assert (unchanged["days"], unchanged["unchanged"]) == ([], len(before))
    assert same == before
    assert next_morning.state == "success"
    assert [row for row in before if row not in after] == []
    assert loaded(warehouse) == in_truth(warehouse, daily.sandbox)


@pytest.mark.parametrize(
    ("heading", "scenario", "at", "form"),
    [
        ("The first run", None, "10:30", {}),
        (
            "Two date ranges",
            None,
            "10:30",
            {"begin_date": "2026-11-01", "end_date": "2026-11-16", "dry_run": True},
        ),
        ("Figures not ready", "not-ready", "08:30", {}),
        ("Red, and only 48001", "unauthorized", "10:30", {}),
        ("Red with 47009", "offline", "10:30", {}),
    ],
)
def test_the_manuals_first_morning(
    daily: DailyDag, heading: str, scenario: str | None, at: str, form: dict[str, object]
):
    """The log lines that it shows are those of such a morning; `…` stands for any text."""
    daily.connect(DEFAULT_ACCOUNT, "weixin_default", extra={"name": "春风"})
    daily.sandbox.scenarios[:] = [Scenario(scenario)] if scenario else []
    if heading == "Two date ranges":
        daily.on(0)
    log = daily.on(0, at, **form).log

    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    for line in block.splitlines():
        assert re.search(".*".join(map(re.escape, line.split(" … "))), log), line
