"""What the page's views find, by the server."""

import json
from datetime import UTC, date, datetime, timedelta

from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.health.at_work import Airflow
from weixin_etl.model import State

MORNING = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
AT_WORK_NOWHERE = Airflow({})
SINCE = datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
ACCOUNT = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
    VALUES ('wx1', '春风', 'weixin_default', TRUE, now());
    INSERT INTO weixin.collected_since VALUES ('wx1', 'article_total', '2026-01-01', 60);
"""
PAIR = """
    INSERT INTO weixin.coverage (
        dataset, appid, day, settled, ready_at, article_count, attempted_at, error_kind, error, cure
    )
    VALUES ('article_total', 'wx1', %s, %s, %s, 1, coalesce(%s, now()), %s, 'no JSON', 'mend it')
"""


def pair(
    warehouse: Engine,
    day: date,
    settled: str | None = None,
    ready_at: datetime | None = None,
    error_kind: str | None = "unreadable",
) -> None:
    """What we have of a day, and how its last attempt ended."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(PAIR, (day, settled, ready_at, ready_at, error_kind))


def test_an_account_is_found_however_its_connection_is_spelt(
    daily: DailyDag, warehouse: Engine
) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)

    searches = ("Weixin_Default", "weixin_default", "春", "WX", "nobody")
    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING)
        found = {
            it: calendar.view(
                of, AT_WORK_NOWHERE, last=None, search=it, offset=0, only=False
            ).account_count
            for it in searches
        }
    assert found == dict.fromkeys(searches, 1) | {"nobody": 0}


def test_calendar_story_and_status_say_the_same_word(daily: DailyDag, warehouse: Engine) -> None:
    """For every day at the same minute; beside it, and apart, how the last attempt ended."""
    from weixin_etl.health import status
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    noon = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
    pair(warehouse, date(2026, 8, 3))
    pair(warehouse, date(2026, 11, 1), "given_up")
    pair(warehouse, date(2026, 11, 2), "final", SINCE)
    pair(warehouse, date(2026, 11, 3), None, SINCE, None)
    pair(warehouse, date(2026, 11, 23), None, SINCE, "not_ready")

    for now, newest in ((MORNING, State.IN), (noon, State.IN)):
        with warehouse.connect() as connection:
            of = Figures(connection, ARTICLE_TOTAL, now)
            cells = {
                it: cell
                for back in range(4)
                for row in calendar.view(
                    of,
                    AT_WORK_NOWHERE,
                    last=date(2026, 11, 23) - timedelta(back * calendar.DAYS_PER_PAGE),
                    search="",
                    offset=0,
                    only=False,
                ).rows
                for cell in row.cells
                if cell
                for it in [cell.day]
            }
            (account,) = status.read(connection, None, now=now, datasets=[ARTICLE_TOTAL]).accounts
            words = {day: cell.state for day, cell in cells.items()}
            stories = {day: calendar.story(of, "wx1", day) for day in [*words][::7]}

        assert words[date(2026, 8, 3)] is State.LOST
        assert words[date(2026, 11, 1)] is State.GIVEN_UP
        assert words[date(2026, 11, 2)] is State.FINAL
        assert words[date(2026, 11, 3)] is State.SILENT
        assert words[date(2026, 11, 23)] is newest
        assert words[date(2026, 11, 22)] is State.LATE
        listed = {day: state for state, those in account.days.items() for day in those}
        told = {day: state for day, state in listed.items() if day in words}
        assert {day: words[day] for day in told} == told
        assert len(told) == 139  # all but the final one
        assert {state for day, state in listed.items() if day not in words} == {State.LOST}
        assert {day: it and it.cell for day, it in stories.items()} == {
            day: cells[day] for day in stories
        }
        assert [cells[date(2026, 11, day)].ending for day in (1, 2, 3, 22, 23)] == [
            *("failed", "failed", "ok"),
            *(None, "not_ready"),
        ]


def test_an_account_that_left_before_it_was_asked_has_no_days(
    daily: DailyDag, warehouse: Engine
) -> None:
    """It was listed once, and the list lost it again."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
        connection.exec_driver_sql("UPDATE weixin.dim_account SET is_active = FALSE")

    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING)
        (row,) = calendar.view(of, AT_WORK_NOWHERE, last=None, search="", offset=0, only=False).rows
    assert {*row.cells} == {None}


def test_the_form_for_a_day_asks_for_its_neighbours_in_the_same_state(
    daily: DailyDag, warehouse: Engine
) -> None:
    """What is settled is asked for again with refetch only."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
    pair(warehouse, date(2026, 11, 19), "given_up")
    pair(warehouse, date(2026, 11, 23), None, SINCE)

    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING)
        late, given_up = (calendar.story(of, "wx1", date(2026, 11, day)) for day in (21, 19))

    assert late
    assert json.loads(late.form) == {
        "begin_date": "2026-11-20",
        "end_date": "2026-11-22",
        "accounts": ["wx1"],
    }
    assert given_up
    assert json.loads(given_up.form)["refetch"]
    assert given_up.cell
    assert (given_up.cell.ending, given_up.why.cause) == ("failed", "no JSON")


def test_a_warehouse_that_cannot_be_read_is_all_that_is_said(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Nothing is known of accounts, and nothing of the past."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE weixin.coverage")
        found = problems.current(list(DATASETS.values()))

    assert (found.is_read, found.is_healthy, found.accounts) == (False, False, ())
    kinds = [it.problem.kind for it in found.open]
    assert kinds[0] == "warehouse"
    assert "not_asked" not in kinds
