"""What somebody can enter in the form, or in `--conf`."""

import pytest
from dag_runs import DailyDag, asked, rows
from sqlalchemy import Engine

from weixin_sandbox import Sandbox


def test_the_days_entered_are_asked_for(daily: DailyDag, sandbox: Sandbox):
    """Both included, whatever the logical date says."""
    outcome = daily.run(begin_date="2026-10-30", end_date="2026-11-02")

    assert outcome.state == "success"
    assert [str(day) for day in sorted(asked(sandbox))] == [
        "2026-10-30",
        "2026-10-31",
        "2026-11-01",
        "2026-11-02",
    ]


@pytest.mark.parametrize("is_dry", [False, True])
def test_days_that_cannot_be_asked_for_are_refused(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, is_dry: bool
):
    """One sentence, no retry, no data call, and the run is red, with `dry_run` too."""
    outcome = daily.run(begin_date="2026-11-20", end_date="2026-11-24", dry_run=is_dry)

    assert outcome.state == "failed"
    assert outcome.errors == [
        ("plan", "see the line above"),
        ("check", "failed: plan; see the lines above and the log of each"),
    ]
    line = "end_date 2026-11-24 is too late: WeChat has days up to yesterday in Beijing, 2026-11-23"
    assert outcome.problems == [
        ("plan", line),
        ("check", line),
        (
            "check",
            "沙箱公众号: clear plan once it can be (not asked for, as the run could not be planned)"
            " · weixin_default",
        ),
    ]
    assert asked(sandbox) == {}
    assert rows(warehouse, "SELECT count(*) FROM weixin.run_report") == [(0,)]


def test_final_days_are_skipped(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """Days past the window are final once they are in: asked again they cost no call."""
    days = {"begin_date": "2026-11-10", "end_date": "2026-11-13"}
    daily.run(**days)
    sandbox.calls.clear()

    outcome = daily.run(**days)

    assert outcome.state == "success"
    assert outcome.tasks["ingest"] == "skipped"
    assert asked(sandbox) == {}


def test_a_dry_run_only_shows_the_plan(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """The log lists days and calls; no figure is asked for, nothing is written, it is green."""
    daily.run(begin_date="2026-11-17", end_date="2026-11-17")
    sandbox.calls.clear()
    tables = (
        "SELECT (SELECT count(*) FROM weixin.run_report), (SELECT count(*) FROM weixin.coverage), "
        "(SELECT count(*) FROM weixin.raw_response)"
    )
    before = rows(warehouse, tables)

    outcome = daily.run(dry_run=True)

    assert outcome.state == "success"
    assert outcome.tasks == {
        "refresh_access_token": "success",
        "plan": "skipped",
        "ingest": "skipped",
        "report": "skipped",
        "check": "success",
    }
    assert asked(sandbox) == {}
    assert rows(warehouse, tables) == before
    assert (
        "沙箱公众号: publication days 2026-11-17 to 2026-11-23; 6 calls; 1 skipped as final"
        in outcome.log
    )
