"""Rows of answers into the fact: new, changed and unchanged ones."""

from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    DAY,
    article,
    at,
    body,
    contents,
    facts,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.model import Counts

FIRST = body(
    article(
        "2247483647_1",
        {
            "20": {"int_page_read_count": 10, "share_count": 1},
            "21": {"int_page_read_count": 25, "share_count": 2**63 - 1},
        },
        title="头条",
        url="http://mp.weixin.qq.com/s?a=1",
        content_url="http://mp.weixin.qq.com/s?b=2",
        publish_type=1,
        user_source=0,
        like_num=7,
    ),
    article("2247483647_2", {"20": {"int_page_read_count": 4}}),
)
TABLES_OF_FIGURES = (
    "fact_article_total",
    "fact_article_total_history",
    "dim_article_title_history",
    "rejected_row",
    "dim_article",
    "article_sighting",
)
FIGURES = "msgid, stat_date::text, int_page_read_count, share_count"
RESTATED = (
    "SELECT msgid, metric, kind, old_value, new_value, cause, changed_at FROM weixin.restatement"
)


def test_first_load(warehouse: Engine):
    """Every row is in the fact, exact to the largest bigint, and every article described."""
    (judged,) = load_pairs(warehouse, pair(FIRST, "22 08:30"))

    assert facts(warehouse, f"appid, {FIGURES}, publication_date::text, fetched_at") == [
        ("wx1", "2247483647_1", "2026-11-20", 10, 1, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_1", "2026-11-21", 25, 2**63 - 1, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_2", "2026-11-20", 4, None, "2026-11-20", at("22 08:30")),
    ]
    assert judged.counts == Counts(inserted=3)
    first, second = contents(warehouse, ["dim_article"])["dim_article"]
    assert first == {
        "appid": "wx1",
        "msgid": "2247483647_1",
        "message_id": "2247483647",
        "position": 1,
        "publication_date": DAY,
        "other_publication_dates": None,
        "title": "头条",
        "url": "http://mp.weixin.qq.com/s?a=1",
        "content_url": "http://mp.weixin.qq.com/s?b=2",
        "publish_type": 1,
        "user_source": 0,
        "extra": {"like_num": 7},
        "first_seen_at": at("22 08:30"),
        "last_seen_at": at("22 08:30"),
    }
    assert (second["position"], second["title"], second["extra"]) == (2, None, None)


def test_same_answer_again_writes_no_row_anew(warehouse: Engine):
    """Loading again what is there writes nothing but when the answer was seen."""
    know(warehouse, ACCOUNT.appid)
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    before = contents(warehouse, versions=True)

    (judged,) = load_pairs(warehouse, pair(FIRST, "22 11:00"), run_id="again")

    after = contents(warehouse, versions=True)
    assert judged.counts == Counts(unchanged=3)
    seen_again = [
        {**row, "last_seen_at": at("22 11:00"), "xmin": None} for row in before["raw_response"]
    ]
    assert [{**row, "xmin": None} for row in after["raw_response"]] == seen_again
    for table in TABLES_OF_FIGURES:
        assert after[table] == before[table]
    assert rows(warehouse, "SELECT DISTINCT last_seen_at FROM analytics.article") == [
        (at("22 11:00"),)
    ]


def test_only_what_changed_moves(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """Each changed figure leaves a restatement, also when it fell; a new row leaves none."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    changed = body(
        article(
            "2247483647_1",
            {
                "20": {"int_page_read_count": 11, "share_count": 0},
                "21": {"int_page_read_count": 25, "share_count": 2**63 - 1},
                "22": {"int_page_read_count": 26},
            },
        )
    )
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T08:30:00+08:00")

    (judged,) = load_pairs(warehouse, pair(changed, "23 08:30"))

    assert facts(warehouse, f"{FIGURES}, fetched_at, changed_at, raw_response_id") == [
        ("2247483647_1", "2026-11-20", 11, 0, at("23 08:30"), at("25 08:30"), 2),
        ("2247483647_1", "2026-11-21", 25, 2**63 - 1, at("22 08:30"), at("24 10:30"), 1),
        ("2247483647_1", "2026-11-22", 26, None, at("23 08:30"), at("25 08:30"), 2),
        ("2247483647_2", "2026-11-20", 4, None, at("22 08:30"), at("24 10:30"), 1),
    ]
    assert sorted(rows(warehouse, RESTATED)) == [
        ("2247483647_1", "int_page_read_count", "correction", 10, 11, "wechat", at("25 08:30")),
        ("2247483647_1", "share_count", "correction", 1, 0, "wechat", at("25 08:30")),
    ]
    assert judged.counts == Counts(inserted=1, updated=1, unchanged=1, restated=2)


def test_what_a_newer_answer_leaves_out_keeps_its_value(warehouse: Engine):
    """Known figures are counted; their row is not written anew; a new figure came late."""
    figures = {"share_count": 3, "share_user": 2, "new_a": 1, "new_b": 2}
    load_pairs(warehouse, pair(body(article("1_1", {"20": figures})), "22 08:30"))
    before = facts(warehouse, "xmin, *")

    newer = body(article("1_1", {"20": {"share_user": None, "new_a": 1}}))
    (judged,) = load_pairs(warehouse, pair(newer, "23 08:30"))

    assert facts(warehouse, "xmin, *") == before
    assert judged.counts == Counts(unchanged=1, kept=2)

    newest = body(article("1_1", {"20": {**figures, "int_page_read_count": 0}}))
    (judged,) = load_pairs(warehouse, pair(newest, "23 11:30"))

    assert facts(warehouse, "share_user, int_page_read_count, raw_response_id") == [(2, 0, 3)]
    assert judged.counts == Counts(updated=1)
    assert rows(warehouse, RESTATED) == [
        ("1_1", "int_page_read_count", "late", None, 0, "wechat", at("24 10:30"))
    ]


def test_two_answers_of_a_commit_list_the_same_article(warehouse: Engine):
    """The later day has it, and its value stands: it is written once."""
    next_day = date(2026, 11, 21)
    of_both = [
        pair(body(article("1_1", {"21": {"share_count": count}}), day=day), "22 10:30", day=day)
        for day, count in ((next_day, 2), (DAY, 1))
    ]

    judged = load_pairs(warehouse, *of_both)

    assert facts(warehouse, "publication_date, share_count") == [(next_day, 2)]
    assert [pair.counts for pair in judged] == [Counts(inserted=1), Counts(unchanged=1)]


@pytest.mark.parametrize(
    ("damage", "refetch"),
    [
        ("DELETE FROM weixin.fact_article_total WHERE stat_date = '2026-11-21'", False),
        ("UPDATE weixin.fact_article_total SET int_page_read_count = 9", True),
    ],
    ids=["a row is gone", "figures are wrong"],
)
def test_the_same_answer_again_repairs_the_fact(warehouse: Engine, damage: str, refetch: bool):
    """A missing row at once, a figure that somebody has changed by a refetch."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    before = facts(warehouse, FIGURES)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(damage)

    load_pairs(warehouse, pair(FIRST, "22 11:00"), run_id="again", refetch=refetch)

    assert facts(warehouse, FIGURES) == before


def test_the_same_answer_again_after_another_endpoints(warehouse: Engine):
    """The newest title stands, whichever endpoint gave it."""
    first = pair(body(article("1_1", {}, title="一")), "22 08:30")
    other = pair(
        body(article("1_1", {}, title="二"), rows_key="detail_list"),
        "22 08:35",
        dataset=ARTICLE_TOTAL_DETAIL,
    )
    load_pairs(warehouse, first)
    load_pairs(warehouse, other, dataset=ARTICLE_TOTAL_DETAIL)

    load_pairs(warehouse, pair(body(article("1_1", {}, title="一")), "22 09:00"))

    assert rows(warehouse, "SELECT title FROM weixin.dim_article") == [("一",)]
