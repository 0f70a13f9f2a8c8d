"""What somebody can enter in the form, or in `--conf`."""

from dag_runs import DailyDag, asked, rows
from sqlalchemy import Engine

from weixin_sandbox import Sandbox


def test_the_days_and_accounts_entered_are_asked_for(daily: DailyDag, sandbox: Sandbox, accounts):
    """Both days included, whatever the logical date says; nobody else is asked for a token."""
    _, second, _ = accounts(3)

    outcome = daily.run(begin_date="2026-10-30", end_date="2026-11-02", accounts=["a1"])

    assert outcome.state == "success"
    assert outcome.labels == ["号2"]
    assert [str(day) for day in sorted(asked(sandbox))] == [
        "2026-10-30",
        "2026-10-31",
        "2026-11-01",
        "2026-11-02",
    ]
    assert {call.appid for call in sandbox.calls} == {second.appid}


def test_days_that_cannot_be_asked_for_are_refused(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """One sentence, no retry, no data call, and the run is red, with `dry_run` too."""
    outcome = daily.run(begin_date="2026-11-20", end_date="2026-11-24", dry_run=True)

    assert outcome.state == "failed"
    assert outcome.errors == [
        ("plan", "see the ERROR line above"),
        ("check", "failed: plan; see the lines above and the log of each"),
    ]
    line = (
        "end_date 2026-11-24 is too late: getarticletotal has days from 2014-12-01 to yesterday in "
        "Beijing, 2026-11-23"
    )
    assert outcome.problems == [("plan", line), ("check", line)]
    assert asked(sandbox) == {}
    assert rows(warehouse, "SELECT count(*) FROM weixin.run_report") == [(0,)]


def test_a_dry_run_only_shows_the_plan(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """The log lists days and calls; no figure is asked for, nothing is written, it is green."""
    daily.run(begin_date="2026-11-17", end_date="2026-11-17")
    sandbox.calls.clear()
    tables = (
        "SELECT (SELECT count(*) FROM weixin.run_report), (SELECT count(*) FROM weixin.coverage), "
        "(SELECT count(*) FROM weixin.raw_response), (SELECT sum(calls) FROM weixin.api_call)"
    )
    before = rows(warehouse, tables)

    outcome = daily.run(dry_run=True)

    assert outcome.state == "success"
    assert outcome.tasks == {
        "refresh_access_token": "success",
        "plan": "skipped",
        "ingest": "skipped",
        "report": "success",
        "check": "skipped",
    }
    assert asked(sandbox) == {}
    assert rows(warehouse, tables) == before
    assert "沙箱公众号: 7 calls; 2026-11-17 to 2026-11-23" in outcome.log


def test_a_mistyped_parameter_is_refused(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """
    By the first task: the command line has no form, and Airflow takes any name.

    Nothing is asked, not even for a token.
    """
    outcome = daily.run(acounts=["weixin_default"], dryrun=True)

    assert outcome.state == "failed"
    assert outcome.tasks["refresh_access_token"] == "failed"
    assert "acounts is no parameter: did you mean accounts?" in outcome.log
    assert sandbox.calls == []
    assert rows(warehouse, "SELECT count(*) FROM weixin.run_report") == [(0,)]
