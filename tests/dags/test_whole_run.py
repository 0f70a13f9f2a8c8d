"""A whole run of the DAG on the sandbox, and the same run again."""

from datetime import date

from dag_runs import (
    MORNING,
    WINDOW,
    DailyDag,
    asked,
    counts,
    fact,
    loaded,
    november,
    rows,
    states,
    truth,
)
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox


def test_every_figure_of_the_window_is_loaded_once(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """The fact is what the sandbox knows of 17 to 23 November; each day is asked for once."""
    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.tasks == {
        "refresh_access_token": "success",
        "plan": "success",
        "ingest": "success",
        "report": "success",
        "check": "success",
    }
    assert outcome.errors == []
    assert outcome.labels == [DEFAULT_ACCOUNT.name]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())
    assert counts(warehouse, outcome) == (7, 184, 0, 0)
    assert states(warehouse, outcome) == {
        november(17)[0]: "empty",
        **dict.fromkeys(november(18, 19, 20, 21, 22, 23), "loaded"),
    }


def test_again_and_the_next_morning(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """
    A second run inserts and updates no row; every column is as before, changed_at included.

    A day later each article has one more row, and what was there is untouched.
    """
    daily.run()
    before = fact(warehouse)
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    again = daily.run()

    assert again.state == "success"
    assert len(before) == 184
    assert fact(warehouse) == before
    assert counts(warehouse, again) == (7, 0, 0, 184)
    installations = rows(warehouse, "SELECT DISTINCT installation FROM weixin.run_report")
    assert [len(name) for (name,) in installations] == [32]

    next_morning = daily.on(1)

    assert next_morning.state == "success"
    after = fact(warehouse)
    assert len(after) == 244
    assert [row for row in before if row not in after] == []
    assert loaded(warehouse) == truth(
        sandbox, DEFAULT_ACCOUNT, november(18, 19, 20, 21, 22, 23, 24), date(2026, 11, 25)
    )
