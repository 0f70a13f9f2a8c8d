"""What the page's views find, by the server."""

import json
from datetime import UTC, date, datetime

from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.health.at_work import Airflow

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
    from weixin_etl.orchestration.web.page import calendar
    from weixin_etl.orchestration.web.page.reader import Figures

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


def test_an_account_that_left_before_it_was_asked_has_no_days(
    daily: DailyDag, warehouse: Engine
) -> None:
    """It was listed once, and the list lost it again."""
    from weixin_etl.orchestration.web.page import calendar
    from weixin_etl.orchestration.web.page.reader import Figures

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
    from weixin_etl.orchestration.web.page import calendar
    from weixin_etl.orchestration.web.page.reader import Figures

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
    from weixin_etl.orchestration.web.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE weixin.coverage")
        found = problems.current(list(DATASETS.values()))

    assert (found.is_read, found.is_healthy, found.accounts) == (False, False, ())
    kinds = [it.problem.kind for it in found.open]
    assert kinds[0] == "warehouse_locked"
    assert "not_asked" not in kinds
