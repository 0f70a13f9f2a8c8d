"""Check the sentences about rejected parts, which SQL and Python write in two languages."""

from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, rows
from support.warehouse_loads import ACCOUNT, DAY, article, body, know, load_chunk, staged

from weixin_etl.sentences import REJECTIONS, rejection
from weixin_etl.warehouse import statement

ODD = {"share_user": "many", "add_to_fav_count": "1,2"}
FURTHER = "4 figures are text, not numbers, e.g. add_to_fav_count; they are not loaded"
OF_ROWS: dict[str, Any] = {"20": ODD, "21": {**ODD, "share_count": 1}}
NEWEST: dict[str, Any] = {"23": {"int_page_read_user": 2}}
"""The row that makes the answer complete."""
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "one": (
        {"20": {"share_user": -1, "share_count": 1}},
        "share_user is negative; it is not loaded",
    ),
    "several of a reason": (OF_ROWS, FURTHER),
    "and one more": (
        {**OF_ROWS, "22": {"share_count": 0.5}},
        f"{FURTHER}; 1 more part does not fit",
    ),
    "and two": (
        {**OF_ROWS, "22": {"share_count": 0.5, "share_user": True}},
        f"{FURTHER}; 2 more parts do not fit",
    ),
    "nothing": ({"20": {"share_user": 1}}, None),
}


@pytest.mark.parametrize(("odd_rows", "reason"), CASES.values(), ids=CASES)
def test_coverage_says_how_many_parts_do_not_fit_and_why(
    warehouse: Engine, odd_rows: Any, reason: str | None
) -> None:
    """The day's last attempt is still `ok`."""
    know(warehouse, "wx1")
    load_chunk(warehouse, staged(body(article("1_1", NEWEST | odd_rows)), "24 08:30"))

    select = f"SELECT last_attempt, reason FROM analytics.coverage WHERE day = '{DAY}'"
    assert rows(warehouse, f"{select} AND appid = '{ACCOUNT.appid}'") == [("ok", reason)]


def test_an_unreadable_day_names_its_parts_once(warehouse: Engine) -> None:
    """The error of the attempt names them."""
    know(warehouse, "wx1")
    load_chunk(warehouse, staged(body(article("1_1", {"20": ODD})), "24 08:30"))

    ((reason,),) = rows(warehouse, "SELECT reason FROM analytics.coverage WHERE reason != ''")
    assert reason.count("text") == 1
    assert "the first of 2 rejected parts: share_user is text, not a number" in reason


OF_PARTS = [
    sentence.code
    for sentence in REJECTIONS.values()
    if "{first}" not in sentence.plural + sentence.singular + sentence.plural_zh
]
INSERT = """
    INSERT INTO weixin.rejected_row
        (dataset, appid, day, msgid, code, field, reason, payload, raw_response_id, rejected_at)
    SELECT 'article_total', 'wx1', '2026-11-20', number || '_1', '{}', 'msgid', 'one', '', 1, now()
    FROM generate_series(1, 1200) AS number
"""


def test_sql_and_python_write_the_same_sentences(warehouse: Engine) -> None:
    """Each reason has 1,200 parts."""
    execute(warehouse, *map(INSERT.format, OF_PARTS))
    with warehouse.connect() as connection:
        wanted = {"dataset": "article_total", "appid": "wx1", "day": DAY}
        found = connection.execute(statement("page/rejected.sql"), wanted).all()

    assert {tuple(row[:3]) for row in found} == {
        (rejection(code, 1200, field="msgid"), 1200, 1200) for code in OF_PARTS
    }
