"""When nobody need ask for a pair again: published on 20 November, it has rows up to the 26th."""

import json
from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, body, coverage, load_pairs, pair, refused

from weixin_etl.api.errors import UnreachableError
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.load import Outcome

ROWS = {f"{day}": {"share_count": day} for day in range(20, 27)}
WHOLE = article("1_1", ROWS)
CUT = article("1_1", {day: row for day, row in ROWS.items() if day < "26"})
GAP = article("1_1", {day: row for day, row in ROWS.items() if day != "23"})
GAP_AND_MORE = article("1_1", {day: {} for day in (*ROWS, "27") if day != "23"})
SECOND = article("1_2", {"20": {"share_count": 1}})
ODD = article("1_1", {"19": {"share_count": 1}})
"""A row of the day before publication."""


@pytest.mark.parametrize(
    ("answers", "final_on"),
    [
        ([(body(CUT), "26 23:59"), (body(WHOLE), "27 00:01")], "27 00:01"),
        ([(body(GAP), "27 11:00"), (body(GAP), "28 23:59"), (body(GAP), "29 00:01")], "29 00:01"),
        (
            [
                (body(WHOLE, SECOND), "27 11:00"),
                *((body(WHOLE), f"{day} 11:00") for day in (28, 29)),
            ],
            "29 11:00",
        ),
        (
            [
                (body(CUT), "26 11:00"),
                (body(WHOLE, ODD), "27 11:00"),
                (body(WHOLE), "27 12:00"),
            ],
            "27 12:00",
        ),
        ([(body(GAP_AND_MORE), "28 11:00"), (body(GAP_AND_MORE), "29 11:00")], "29 11:00"),
        (
            [(body(WHOLE), "27 11:00"), (body(GAP, is_delay=True), "28 11:00")],
            None,
        ),
        ([({"list": [{}]}, "29 11:00"), ({"list": [{}]}, "30 11:00")], "30 11:00"),
    ],
    ids=[
        "whole",
        "an article falls silent",
        "an article is deleted",
        "a part was rejected",
        "a row beyond the window replaces none",
        "late figures",
        "nothing of it fits",
    ],
)
def test_final(warehouse: Engine, answers: list[tuple[bytes, str]], final_on: str | None):
    """By the same list on two days, as the rules say; see tests/unit/test_rules.py."""
    found = []
    for answer, fetched in answers:
        answer = json.dumps(answer).encode() if isinstance(answer, dict) else answer
        load_pairs(warehouse, pair(answer, fetched))
        found += [fetched for (is_final,) in coverage(warehouse, "is_final") if is_final]

    assert found == ([final_on] if final_on else [])


OTHER_DAY = date(2026, 11, 19)
EMPTY = "is_final, is_resting, is_provisional"


def test_an_empty_day_waits_until_its_account_speaks(warehouse: Engine):
    """An answer for another day that lists an article wakes it, and two such mornings end it."""
    load_pairs(warehouse, pair(body(), "27 11:00"))
    load_pairs(warehouse, pair(body(), "28 11:00"))
    rests = coverage(warehouse, EMPTY)
    load_pairs(warehouse, pair(body(SECOND, day=OTHER_DAY), "28 12:00", day=OTHER_DAY))
    woken = coverage(warehouse, EMPTY)
    load_pairs(warehouse, pair(body(), "28 13:00"))
    load_pairs(
        warehouse,
        pair(body(), "29 11:00"),
        pair(body(SECOND, day=OTHER_DAY), "29 11:01", day=OTHER_DAY),
    )

    assert rests == [(False, True, True)]
    assert woken == [(False, False, True), (False, False, True)]
    assert coverage(warehouse, EMPTY)[1] == (True, False, False)


@pytest.mark.parametrize("then", [refused(UnreachableError()), pair(body(SECOND), "24 11:00")])
def test_what_is_final_stays_final(warehouse: Engine, then: Outcome):
    """Whatever a refetch brings, or an answer that arrives late."""
    load_pairs(warehouse, pair(body(CUT), "26 11:00"))
    load_pairs(warehouse, pair(body(WHOLE), "27 11:00"))

    load_pairs(warehouse, then)

    assert coverage(warehouse, "is_final") == [(True,)]


def test_an_article_that_only_the_other_dataset_lists(warehouse: Engine):
    """It has no rows here, and nobody waits for them."""
    elsewhere = pair(body(SECOND, rows_key="detail_list"), "26 11:00", dataset=ARTICLE_TOTAL_DETAIL)
    load_pairs(warehouse, elsewhere, dataset=ARTICLE_TOTAL_DETAIL)

    load_pairs(warehouse, pair(body(CUT), "26 11:00"))
    load_pairs(warehouse, pair(body(WHOLE), "27 11:00"))

    assert coverage(warehouse, "dataset, is_final") == [
        ("article_total", True),
        ("article_total_detail", False),
    ]
