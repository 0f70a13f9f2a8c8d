"""When nobody need ask for a pair again: published on 20 November, it has rows up to the 26th."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, body, coverage, load_pairs, pair, refused

from weixin_etl.api.errors import UnreachableError
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.load import Outcome

ROWS = {f"{day}": {"share_count": day} for day in range(20, 27)}
WHOLE = article("1_1", ROWS)
GAP = article("1_1", {day: row for day, row in ROWS.items() if day != "23"})
GAP_AND_MORE = article("1_1", {day: {} for day in (*ROWS, "27") if day != "23"})
SECOND = article("1_2", {"20": {"share_count": 1}})
ODD = article("1_1", {"19": {"share_count": 1}})
"""A row of the day before publication."""


@pytest.mark.parametrize(
    ("answers", "final_on"),
    [
        ([(body(WHOLE), "26 23:59"), (body(WHOLE), "27 00:01")], "27 00:01"),
        ([(body(article("1_1", {"26": {}})), "27 11:00"), (body(WHOLE), "27 12:00")], "27 12:00"),
        ([(body(GAP), "27 11:00"), (body(GAP), "28 23:59"), (body(GAP), "29 00:01")], "29 00:01"),
        (
            [
                (body(WHOLE, SECOND), "26 11:00"),
                *((body(WHOLE), f"{day} 11:00") for day in (27, 28, 29)),
            ],
            "29 11:00",
        ),
        ([(body(WHOLE, ODD), "27 11:00"), (body(WHOLE), "27 12:00")], "27 12:00"),
        ([(body(), "26 23:59"), (body(), "27 00:01")], "27 00:01"),
        ([(body(GAP_AND_MORE), "28 11:00"), (body(GAP_AND_MORE), "29 11:00")], "29 11:00"),
        ([(body(SECOND), "26 11:00"), (body(), "28 11:00"), (body(), "29 11:00")], "29 11:00"),
        ([(body(GAP, is_delay=True), "29 11:00"), (body(GAP), "29 12:00")], "29 12:00"),
    ],
    ids=[
        "whole",
        "all rows, not the last alone",
        "an article falls silent",
        "an article is deleted",
        "a part was rejected",
        "nothing was ever listed",
        "a row beyond the window replaces none",
        "all articles are deleted",
        "late figures",
    ],
)
def test_final(warehouse: Engine, answers: list[tuple[bytes, str]], final_on: str):
    """By a ready answer of the 27th or later once it is whole, by any of the 29th or later."""
    found = []
    for answer, fetched in answers:
        load_pairs(warehouse, pair(answer, fetched))
        found += [fetched for (is_final,) in coverage(warehouse, "is_final") if is_final]

    assert found == [final_on]


@pytest.mark.parametrize("then", [refused(UnreachableError()), pair(body(SECOND), "24 11:00")])
def test_what_is_final_stays_final(warehouse: Engine, then: Outcome):
    """Whatever a refetch brings, or an answer that arrives late."""
    load_pairs(warehouse, pair(body(WHOLE), "27 11:00"))

    load_pairs(warehouse, then)

    assert coverage(warehouse, "is_final") == [(True,)]


def test_an_article_that_only_the_other_dataset_lists(warehouse: Engine):
    """It has no rows here, and nobody waits for them."""
    elsewhere = pair(body(SECOND, rows_key="detail_list"), "26 11:00", dataset=ARTICLE_TOTAL_DETAIL)
    load_pairs(warehouse, elsewhere, dataset=ARTICLE_TOTAL_DETAIL)

    load_pairs(warehouse, pair(body(WHOLE), "27 11:00"))

    assert coverage(warehouse, "dataset, is_final") == [
        ("article_total", True),
        ("article_total_detail", False),
    ]
