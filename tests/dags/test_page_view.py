"""What the page's views find, by the server."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS

MORNING = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
ACCOUNT = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
    VALUES ('wx1', '春风', 'weixin_default', TRUE, now());
    INSERT INTO weixin.collected_since VALUES ('wx1', 'article_total', '2026-01-01', 60);
    INSERT INTO weixin.coverage (
        dataset, appid, day, settled, article_count, attempted_at, error_kind, error, cure
    )
    VALUES (
        'article_total', 'wx1', '2026-11-19', 'given_up', 1, now(), 'unreadable', 'no JSON', ''
    )
"""


@pytest.fixture
def of(daily: DailyDag, warehouse: Engine) -> Iterator[Any]:
    """The figures of a warehouse with an account, of which a day is given up."""
    from weixin_etl.orchestration.web.page.reader import Figures

    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
        yield Figures(connection, ARTICLE_TOTAL, MORNING)


def test_an_account_is_found_however_its_connection_is_spelt(of: Any) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.web.page import calendar

    searches = ("Weixin_Default", "weixin_default", "春", "WX", "nobody")
    found = {it: calendar.view(of, last=None, search=it, offset=0).account_count for it in searches}

    assert found == dict.fromkeys(searches, 1) | {"nobody": 0}


def test_an_account_that_left_has_no_days_but_those_it_was_asked_for(of: Any) -> None:
    """It was listed once, and the list lost it again."""
    from weixin_etl.orchestration.web.page import calendar

    of.connection.exec_driver_sql("UPDATE weixin.dim_account SET is_active = FALSE")

    ((_, cells),) = calendar.view(of, last=None, search="", offset=0).rows
    assert max(it.day for it in cells if it) == date(2026, 11, 19)


def test_the_form_asks_for_what_is_settled_with_refetch_only(of: Any) -> None:
    """And the story says how the last attempt ended."""
    from weixin_etl.orchestration.web.page import calendar

    late, given_up = (calendar.story(of, "wx1", date(2026, 11, day)) for day in (21, 19))

    form = {"begin_date": "2026-11-21", "end_date": "2026-11-21", "accounts": ["wx1"]}
    assert json.loads(late.form) == form
    assert json.loads(given_up.form)["refetch"]
    assert (given_up.cell.ending, given_up.why.cause) == ("failed", "no JSON")


def test_a_warehouse_that_cannot_be_read_is_all_that_is_said(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Nothing is known of accounts, and nothing of the past."""
    from weixin_etl.orchestration.web.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE weixin.coverage")
        found = problems.current(list(DATASETS.values()))

    assert (found.is_healthy, found.accounts) == (False, ())
    kinds = [it.problem.kind for it in found.open]
    assert kinds[0] == "warehouse_locked"
    assert "not_asked" not in kinds
