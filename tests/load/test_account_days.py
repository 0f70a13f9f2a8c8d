"""
Check when account days are marked as stale, and that a refresh computes exactly these.

`test_any_way.py` and `run/test_calendars.py` compare the stored days with a complete computation
after each load.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, rows
from support.account_days import stale_accounts
from support.warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    article,
    at,
    body,
    know,
    load_chunk,
    staged,
)

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.kept.replay import replay, select_slices
from weixin_etl.load.account_days import affected_from
from weixin_etl.model import Coverage
from weixin_etl.warehouse.account_days import refresh_account_days

pytestmark = pytest.mark.usefixtures("now")
ANSWERED = Coverage(
    ready_at=at("21 10:30"),
    list_sha256=b"1",
    article_count=1,
    attempted_at=at("21 10:30"),
    listed_since=at("20 10:30"),
    fetched_at=at("21 10:30"),
    through_date=date(2026, 11, 20),
    newest_date=date(2026, 11, 20),
    row_count=2,
)
"""The coverage of 19 November after the answer of the 21st, which has all rows."""
NEXT: dict[str, Any] = {
    "ready_at": at("22 10:30"),
    "fetched_at": at("22 10:30"),
    "through_date": date(2026, 11, 21),
    "row_count": 3,
}
"""What the answer of the next morning changes."""
SHOWN = (
    "SELECT extract(day FROM calendar_date)::integer, sharers_increment::integer, is_complete "
    "FROM analytics.account_day_7d "
    "WHERE appid = '{}' AND sharers_increment IS NOT NULL ORDER BY 1"
)


@pytest.mark.parametrize(
    ("changed", "first_row", "expected"),
    [
        ({}, None, None),
        ({"attempted_at": at("22 10:30"), "error_kind": "not_ready"}, None, None),
        (NEXT, 21, 21),
        (NEXT, 20, 20),
        ({**NEXT, "through_date": date(2026, 11, 20), "row_count": 2}, None, 21),
        ({**NEXT, "list_sha256": b"2"}, None, 19),
        ({**NEXT, "article_count": 2}, None, 19),
        ({**NEXT, "row_count": 2}, None, 19),
        ({"through_date": date(2026, 11, 19), "row_count": 1}, None, 20),
        ({}, 20, 20),
    ],
)
def test_a_load_marks_from_the_first_day_that_changed(
    changed: dict[str, Any], first_row: int | None, expected: int | None
) -> None:
    first_changed = first_row and date(2026, 11, first_row)
    after = replace(ANSWERED, **changed)

    first = affected_from(ARTICLE_TOTAL, date(2026, 11, 19), ANSWERED, after, first_changed)

    assert first == (expected and date(2026, 11, expected))


def test_a_first_attempt_marks_the_whole_window() -> None:
    """A day without an answer makes the days of its window incomplete."""
    failed = Coverage(attempted_at=at("21 10:30"), error_kind="offline")

    assert affected_from(ARTICLE_TOTAL, DAY, Coverage(), failed, None) == DAY


def test_days_are_shown_as_incomplete_from_their_load_until_their_refresh(
    warehouse: Engine,
) -> None:
    """Another account's days are not touched."""
    answer = body(article("1_1", {"20": {"share_user": 1}, "21": {"share_user": 3}}))
    know(warehouse, ACCOUNT.appid, OTHER_ACCOUNT.appid)
    for account in (ACCOUNT, OTHER_ACCOUNT):
        load_chunk(warehouse, staged(answer, "22 10:30", account=account))
    refresh_account_days(warehouse)
    execute(warehouse, "UPDATE weixin.account_day SET is_complete = TRUE")
    newer = body(
        article("1_1", {"20": {"share_user": 1}, "21": {"share_user": 3}, "22": {"share_user": 8}})
    )

    load_chunk(warehouse, staged(newer, "23 10:30"))
    before = rows(warehouse, SHOWN.format(ACCOUNT.appid))
    other = rows(warehouse, SHOWN.format(OTHER_ACCOUNT.appid))
    stale = stale_accounts(warehouse)
    refresh_account_days(warehouse)

    assert stale == [("article_total", ACCOUNT.appid, date(2026, 11, 22))]
    assert before == other == [(20, 1, True), (21, 2, True)]
    assert rows(warehouse, SHOWN.format(ACCOUNT.appid)) == [
        (20, 1, True),
        (21, 2, True),
        (22, 5, False),
    ]


def test_a_refresh_leaves_an_account_to_the_transaction_that_holds_it(warehouse: Engine) -> None:
    """It does not wait, and the account is computed by the next refresh."""
    know(warehouse, ACCOUNT.appid)
    load_chunk(warehouse, staged(body(article("1_1", {"20": {"share_user": 1}})), "21 10:30"))
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SELECT FROM weixin.account_day_state FOR UPDATE")
        refresh_account_days(warehouse)
    held = rows(warehouse, SHOWN.format(ACCOUNT.appid))

    refresh_account_days(warehouse)

    assert (held, rows(warehouse, SHOWN.format(ACCOUNT.appid))) == ([], [(20, 1, False)])


def test_a_replay_that_is_not_applied_marks_nothing(warehouse: Engine) -> None:
    load_chunk(warehouse, staged(body(article("1_1", {"20": {"share_user": 1}})), "21 10:30"))
    refresh_account_days(warehouse)

    slices = select_slices(warehouse, ARTICLE_TOTAL)
    replay(warehouse, ARTICLE_TOTAL, slices, ready_hour=10, is_applied=False)

    assert stale_accounts(warehouse) == []


ALL_ROWS = """
    SELECT has_all_rows FROM weixin.account_day
    WHERE dataset = 'article_total' AND calendar_date = '2026-11-20'
"""


@pytest.mark.parametrize(("publish_type", "lists_all"), [(0, False), (None, False), (1, True)])
def test_a_day_lacks_an_article_that_only_the_successor_lists(
    warehouse: Engine, publish_type: int | None, lists_all: bool
) -> None:
    """Unless followers were not notified of it, or getarticletotal lists it later."""
    know(warehouse, ACCOUNT.appid)
    window = [DAY - timedelta(days=days) for days in range(7)]
    answers = {
        day: article(f"{day:%d}_1", {str(number): {} for number in range(day.day, 21)})
        for day in window
    }
    for day, listed in answers.items():
        load_chunk(warehouse, staged(body(listed, day=day), "21 10:30", day))
    refresh_account_days(warehouse)
    assert rows(warehouse, ALL_ROWS) == [(True,)]

    unseen = {**article("20_2", {"20": {}}), "publish_type": publish_type}
    for listed in ([answers[DAY]], [answers[DAY], unseen]):
        answer = body(*listed, rows_key="detail_list")
        newer = staged(answer, "21 11:00", dataset=ARTICLE_TOTAL_DETAIL)
        load_chunk(warehouse, newer, dataset=ARTICLE_TOTAL_DETAIL)
    assert ("article_total", ACCOUNT.appid, DAY) in stale_accounts(warehouse)
    refresh_account_days(warehouse)
    assert rows(warehouse, ALL_ROWS) == [(lists_all,)]

    seen = body(answers[DAY], article("20_2", {"20": {}}))
    load_chunk(warehouse, staged(seen, "21 12:00"))
    refresh_account_days(warehouse)
    assert rows(warehouse, ALL_ROWS) == [(True,)]
