"""Refusals that end an account's day, and answers that are not what was hoped for."""

from datetime import UTC, datetime

from dag_runs import DailyDag, asked, counts, fact, november, rows, states
from sqlalchemy import Engine

from weixin_sandbox import Sandbox, Scenario

(YESTERDAY,) = november(23)


def test_a_used_up_day_is_asked_no_more(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """45009 on the third day: the first two are loaded, the rest waits for midnight in Beijing."""
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.quota.daily_limit = 2

    outcome = daily.run()

    assert outcome.state == "failed"
    assert asked(sandbox) == dict.fromkeys(november(21, 22, 23), 1)
    assert [task for task, _ in outcome.errors] == ["ingest", "check"]
    assert outcome.told("ingest") == [
        "沙箱公众号: wait until 00:00 Beijing time, or have it raised and refetch (the calls "
        "allowed in a day are … · 2026-11-17 to 2026-11-21 · weixin_default, errcode 45009"
    ]
    assert states(warehouse, outcome) == {
        **dict.fromkeys(november(17, 18, 19, 20, 21), "failed"),
        **dict.fromkeys(november(22, 23), "loaded"),
    }
    sql = "SELECT DISTINCT next_attempt_at FROM weixin.coverage WHERE attempt_state = 'failed'"
    assert rows(warehouse, sql) == [(datetime(2026, 11, 24, 16, tzinfo=UTC),)]


def test_figures_that_are_not_ready_are_loaded_and_told(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Before 10:00 nothing has yesterday's row: what came is loaded, the run is red."""
    daily.set("WEIXIN_NOW", "2026-11-24T08:30:00+08:00")
    sandbox.scenarios[:] = [Scenario("not-ready")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert [task for task, _ in outcome.errors] == ["ingest", "check"]
    assert outcome.problems == []
    line = (
        "沙箱公众号: run again after 10:00 Beijing time (the figures are not ready yet: no article "
        "has yesterday's row) · 2026-11-18 to 2026-11-23 · weixin_default"
    )
    assert outcome.log.split("\n").count(line) == len(["ingest", "report", "check"])
    assert counts(warehouse, outcome) == (7, 134, 0, 0)
    assert states(warehouse, outcome) == {
        november(17)[0]: "empty",
        **dict.fromkeys(november(18, 19, 20, 21, 22, 23), "not_ready"),
    }


def test_after_ten_a_missing_row_is_a_warning(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """A deleted or silent article has none: the run is green, and the log names the articles."""
    sandbox.scenarios[:] = [Scenario("not-ready")]

    outcome = daily.run()

    assert outcome.state == "success"
    assert "(yesterday_is_there: " in outcome.log


def test_articles_that_vanish_are_kept(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """A shorter answer deletes nothing; a warning names the articles and the run is green."""
    daily.run()
    before = fact(warehouse)
    sandbox.scenarios[:] = [Scenario("fewer-articles")]
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    outcome = daily.run()

    assert outcome.state == "success"
    assert fact(warehouse) == before
    assert ": nothing to do: what was loaded stays (article_is_still_there: " in outcome.log


def test_totals_that_fall_are_stored_and_recorded(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """A correction is WeChat's word: stored, kept as restatements, told as a warning."""
    daily.run()
    sandbox.scenarios[:] = [Scenario("falling-total")]
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    outcome = daily.run()

    assert outcome.state == "success"
    assert counts(warehouse, outcome) == (7, 0, 40, 144)
    assert rows(
        warehouse,
        "SELECT DISTINCT stat_date, cause, new_value < old_value "
        "FROM weixin.restatement WHERE metric = 'int_page_read_count'",
    ) == [(YESTERDAY, "wechat", True)]
    assert "(total_does_not_fall: " in outcome.log
