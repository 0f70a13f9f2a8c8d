"""What the page's first view says, by the server."""

from dataclasses import replace
from datetime import UTC, date, datetime

from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, FOLLOWER_TOTAL
from weixin_etl.model import DayState
from weixin_etl.trouble.at_work import Airflow

MORNING = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


def test_an_account_is_found_however_its_connection_is_spelt(
    daily: DailyDag, warehouse: Engine
) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) "
            "VALUES ('wx1', '沙箱公众号', 'Main_Account', TRUE, now());"
            "INSERT INTO weixin.first_daily_run VALUES ('article_total', 'wx1', '2026-11-24')"
        )

    searches = ("Main_Account", "main_account", "沙箱", "WX", "nobody")
    found = {it: problems.view(list(DATASETS.values()), it, 0).account_count for it in searches}
    assert found == {"Main_Account": 1, "main_account": 1, "沙箱": 1, "WX": 1, "nobody": 0}


def test_what_lasted_seconds_lasted_a_minute_as_in_the_message(
    daily: DailyDag, warehouse: Engine
) -> None:
    """The server words it, for messages and page alike."""
    from weixin_etl.orchestration.page import problems

    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.incident (dataset, kind, account, conn_id, cause, cure, "
            "publication_dates, opened_at, seen_at, closed_at) VALUES ('article_total', "
            "'unreachable', '', '', 'down', '', '{}', '2026-11-24 00:31:00+00', "
            "'2026-11-24 00:31:00+00', '2026-11-24 00:31:10+00')"
        )

    (over,) = problems.view(list(DATASETS.values()), "", 0).closed
    assert over["lasted"] == "1 min"


def test_what_another_run_brought_in_is_said_to_be_in(daily: DailyDag, warehouse: Engine) -> None:
    """In runs and in the day's story; while the run works, it may yet ask for a final day."""
    from weixin_etl.orchestration.page import calendar, runs
    from weixin_etl.orchestration.page.reader import Figures

    airflow = Airflow({}, "weixin_api", 16)
    while_at_work = replace(airflow, runs={ARTICLE_TOTAL.name: {"one"}})
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) "
            "VALUES ('wx1', '春风', 'weixin_default', TRUE, now());"
            "INSERT INTO weixin.run_report (run_id, dataset, appid, publication_date, planned_at) "
            "SELECT 'one', 'article_total', 'wx1', date '2026-11-01' + n, '2026-11-24 00:30+00' "
            "FROM generate_series(0, 2) AS n;"
            "INSERT INTO weixin.coverage (dataset, appid, publication_date, data_state, fetched_at,"
            " ready_at, attempted_at, is_final, attempt_state) "
            "SELECT 'article_total', 'wx1', day, 'loaded', at, at, at, is_final, 'ok' "
            "FROM (VALUES (date '2026-11-01', timestamptz '2026-11-24 00:31+00', FALSE),"
            " (date '2026-11-02', timestamptz '2026-11-24 00:29+00', TRUE)) "
            "AS it (day, at, is_final)"
        )
    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING, catch_up_days=60)
        ended, at_work = (
            runs.view(of, it, lambda *_: {}, 0).runs[0] for it in (airflow, while_at_work)
        )
        (account,) = runs.accounts(of, airflow, "one")
        story, of_one_at_work = (
            calendar.story(of, it, "wx1", date(2026, 11, 2)) for it in (airflow, while_at_work)
        )

    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.run_report SET state = 'failed' WHERE publication_date = '2026-11-03'"
        )
        of = Figures(connection, ARTICLE_TOTAL, MORNING, catch_up_days=60)
        trying_again = runs.view(of, while_at_work, lambda *_: {}, 0).runs[0]

    assert (ended.days_left, at_work.days_left, trying_again.days_left) == (0, 2, 2)
    assert ended.counts
    assert at_work.counts
    assert story
    assert of_one_at_work
    assert (ended.counts["in_by_another"], ended.counts["planned"]) == (2, 1)
    assert (at_work.counts["in_by_another"], at_work.counts["planned"]) == (1, 2)
    assert (account["in_by_another"], account["planned"]) == (2, 1)
    assert (ended.is_at_work, at_work.is_at_work) == (False, True)
    assert [it["state"] for it in story.runs] == ["in_by_another"]
    assert [it["state"] for it in of_one_at_work.runs] == ["being_asked"]


def test_a_day_out_of_reach_is_called_what_its_problem_is_called(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Failed until somebody says that it is not wanted: the coverage shows no other word."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    day = date(2026, 8, 3)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) "
            "VALUES ('wx1', '春风', 'weixin_default', TRUE, now());"
            "INSERT INTO weixin.first_daily_run VALUES ('article_total', 'wx1', '2026-11-01');"
            "INSERT INTO weixin.coverage (dataset, appid, publication_date, attempt_state, "
            "attempted_at, error_kind, error, cure) VALUES ('article_total', 'wx1', '2026-08-03', "
            "'failed', '2026-11-20', 'unreadable', 'no JSON', 'see the answer')"
        )
        of = Figures(connection, ARTICLE_TOTAL, MORNING, catch_up_days=60)
        airflow = Airflow({}, "weixin_api", 16)
        failed = calendar.story(of, airflow, "wx1", day)
        connection.exec_driver_sql(
            "INSERT INTO weixin.unwanted_range (dataset, appid, begin_date, end_date, said_at, "
            "said_by) VALUES ('article_total', 'wx1', '2026-08-01', '2026-08-31', '2026-11-21', "
            "'lin')"
        )
        unwanted = calendar.story(of, airflow, "wx1", day)

    assert failed
    assert unwanted
    assert (failed.state, unwanted.state) == (DayState.FAILED, DayState.LOST)


def test_a_backfill_of_years_is_shown_with_the_days_of_quota_it_takes(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Beyond today's; one that is within today's takes no further day."""
    from weixin_etl.orchestration.page import plan
    from weixin_etl.orchestration.page.reader import Figures

    with warehouse.connect() as connection:
        of = Figures(connection, FOLLOWER_TOTAL, MORNING, catch_up_days=60)
        years, month = (
            plan.view(of, ["wx1", "wx2"], begin, date(2026, 11, 23), refetch=False)
            for begin in (date(2016, 11, 24), date(2026, 10, 24))
        )

    # each account has 1 000 calls a day, of which 100 are kept
    assert (years.calls, years.held_back, years.further_days) == (2 * 900, 2 * 2752, 4)
    assert (month.calls, month.held_back, month.further_days) == (2 * 31, 0, 0)


def test_a_warehouse_that_cannot_be_read_is_all_that_is_said(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Nothing is known of accounts, and nothing of the past."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE weixin.coverage")
        found = problems.view(list(DATASETS.values()), "", 0)

    assert (found.is_read, found.is_healthy, found.account_count) == (False, False, 0)
    assert found.problems[0]["kind"] == "warehouse"
    assert "not_asked" not in [it["kind"] for it in found.problems]
