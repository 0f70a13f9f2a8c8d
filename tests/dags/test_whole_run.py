"""A whole run of the DAG on the sandbox, and the same run again."""

from datetime import UTC, date, datetime

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
    assert asked(sandbox) == dict.fromkeys(WINDOW, 1)
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())
    assert counts(warehouse, outcome) == (7, 184, 0, 0)
    assert states(warehouse, outcome) == {
        november(17)[0]: "empty",
        **dict.fromkeys(november(18, 19, 20, 21, 22, 23), "loaded"),
    }


def test_running_again_changes_nothing(daily: DailyDag, warehouse: Engine):
    """A second run inserts and updates no row; every column is as before, changed_at included."""
    daily.run()
    before = fact(warehouse)
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    outcome = daily.run()

    assert outcome.state == "success"
    assert len(before) == 184
    assert fact(warehouse) == before
    assert counts(warehouse, outcome) == (7, 0, 0, 184)
    installations = rows(warehouse, "SELECT DISTINCT installation FROM weixin.run_report")
    assert [len(name) for (name,) in installations] == [32]


def test_each_account_gets_its_own_rows(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """Two accounts share msgids; neither overwrites the other."""
    first, second = accounts(2)

    outcome = daily.run()

    assert outcome.state == "success"
    assert loaded(warehouse) == (
        truth(sandbox, first, WINDOW, MORNING.date())
        | truth(sandbox, second, WINDOW, MORNING.date())
    )
    assert rows(
        warehouse,
        "SELECT count(*) > 0 FROM weixin.fact_article_total AS one "
        "INNER JOIN weixin.fact_article_total AS other USING (msgid, stat_date) "
        "WHERE one.appid < other.appid",
    ) == [(True,)]


def test_the_next_morning_brings_the_next_row(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """A day later each article has one more row, and what was there is untouched."""
    daily.run()
    before = fact(warehouse)
    daily.set("WEIXIN_NOW", "2026-11-25T10:30:00+08:00")

    outcome = daily.run(datetime(2026, 11, 25, 0, 30, tzinfo=UTC))

    assert outcome.state == "success"
    after = fact(warehouse)
    assert len(after) == 244
    assert [row for row in before if row not in after] == []
    assert loaded(warehouse) == truth(
        sandbox, DEFAULT_ACCOUNT, november(18, 19, 20, 21, 22, 23, 24), date(2026, 11, 25)
    )
