"""What somebody can enter in the form, or in `--conf`."""

from datetime import UTC, datetime

import pytest
from dag_runs import DailyDag, asked, counts, fact, november, rows
from sqlalchemy import Engine

from weixin_sandbox import Sandbox, Scenario


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


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        (
            {"begin_date": "2026-11-20", "end_date": "2026-11-24"},
            "end_date 2026-11-24 is too late: WeChat has days up to yesterday in Beijing, "
            "2026-11-23",
        ),
        (
            {"begin_date": "2026-11-20", "end_date": "2026-11-19"},
            "begin_date 2026-11-20 is after end_date 2026-11-19",
        ),
        (
            {"begin_date": "2014-11-30", "end_date": "2014-12-02"},
            "begin_date 2014-11-30 is too early: getarticletotal starts on 2014-12-01",
        ),
        ({"begin_date": "2026-11-20"}, "give both begin_date and end_date, or neither"),
        ({"end_date": "2026-11-20"}, "give both begin_date and end_date, or neither"),
    ],
    ids=["today", "begin after end", "too early", "begin alone", "end alone"],
)
def test_days_that_cannot_be_asked_for_are_refused(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, entered: dict, sentence: str
):
    """One sentence, no retry, no data call, and the run is red."""
    outcome = daily.run(**entered)

    assert outcome.state == "failed"
    assert outcome.errors == [
        ("plan", sentence),
        ("check", "failed: plan; see the log of each"),
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


def test_refetch_asks_for_final_days(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """What is final is asked for again on request, and found unchanged."""
    days = {"begin_date": "2026-11-10", "end_date": "2026-11-13"}
    daily.run(**days)
    before = fact(warehouse)
    sandbox.calls.clear()

    outcome = daily.run(**days, refetch=True)

    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(november(10, 11, 12, 13), 1)
    assert counts(warehouse, outcome) == (4, 0, 0, 77)
    assert fact(warehouse) == before


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


def test_a_dry_run_writes_nothing_about_accounts(daily: DailyDag, warehouse: Engine):
    """On an empty warehouse a dry run leaves it empty."""
    outcome = daily.run(dry_run=True)

    assert outcome.state == "success"
    assert rows(warehouse, "SELECT count(*) FROM weixin.dim_account") == [(0,)]


def test_a_dry_run_that_cannot_plan_is_red(daily: DailyDag):
    """A mistake in the form is a mistake with `dry_run` too."""
    outcome = daily.run(dry_run=True, begin_date="2026-11-20")

    assert outcome.state == "failed"
    assert outcome.said("check") == "failed: plan; see the log of each"


def test_a_backfill_asks_for_the_window_of_its_morning(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Runs of two mornings that overlap: what the first made final the second leaves alone."""
    daily.run(datetime(2026, 11, 9, 0, 30, tzinfo=UTC))
    assert sorted(asked(sandbox)) == november(2, 3, 4, 5, 6, 7, 8)
    sandbox.calls.clear()

    outcome = daily.run(datetime(2026, 11, 10, 0, 30, tzinfo=UTC))

    assert outcome.state == "success"
    assert asked(sandbox) == {november(9)[0]: 1}


def test_a_morning_of_years_ago_is_a_run_too(daily: DailyDag, sandbox: Sandbox):
    """A backfill reaches back to WeChat's first day; a run without tasks would be green."""
    outcome = daily.run(datetime(2015, 3, 1, 0, 30, tzinfo=UTC))

    assert outcome.state == "success"
    assert [str(day) for day in (min(asked(sandbox)), max(asked(sandbox)))] == [
        "2015-02-22",
        "2015-02-28",
    ]


def test_the_morning_of_the_first_day_has_nothing_to_ask_for(daily: DailyDag, sandbox: Sandbox):
    """Before WeChat's first day there is no window; the sentence says which days there are."""
    outcome = daily.run(datetime(2014, 12, 1, 0, 30, tzinfo=UTC))

    assert outcome.state == "failed"
    assert outcome.said("plan") == (
        "nothing can be asked for on 2014-12-01: WeChat has publication days from 2014-12-01 "
        "to yesterday in Beijing, 2026-11-23"
    )
    assert asked(sandbox) == {}


def test_days_of_an_unreadable_answer_stay_open(daily: DailyDag, sandbox: Sandbox):
    """`refetch` and the form reach any day again: after a fault the same days load."""
    days = {"begin_date": "2026-11-10", "end_date": "2026-11-10"}
    sandbox.scenarios[:] = [Scenario("errcode:99999", times=1)]
    first = daily.run(**days)

    second = daily.run(**days)

    assert (first.state, second.state) == ("failed", "success")
