"""Rows of answers into the fact: new, changed and unchanged ones."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    article,
    at,
    body,
    contents,
    facts,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.pair import Counts

FIRST = body(
    article(
        "2247483647_1",
        {
            "20": {"target_user": 900, "int_page_read_count": 10, "share_count": 1},
            "21": {"target_user": 900, "int_page_read_count": 25, "share_count": 2},
        },
        title="头条",
    ),
    article("2247483647_2", {"20": {"int_page_read_count": 4}}, title="次条"),
)
FIGURES = "msgid, stat_date::text, target_user, int_page_read_count, share_count"


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def restatements(warehouse: Engine) -> list[tuple]:
    return rows(
        warehouse,
        "SELECT msgid, stat_date::text, metric, old_value, new_value, cause, changed_at "
        "FROM weixin.restatement ORDER BY msgid, stat_date, metric",
    )


def test_first_load_inserts_every_row(warehouse: Engine):
    """The first answer of a pair is in the fact row by row, under its publication day."""
    (report,) = load_pairs(warehouse, pair(FIRST, "22 08:30"))

    assert facts(warehouse, f"appid, {FIGURES}, publication_date::text, fetched_at") == [
        ("wx1", "2247483647_1", "2026-11-20", 900, 10, 1, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_1", "2026-11-21", 900, 25, 2, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_2", "2026-11-20", None, 4, None, "2026-11-20", at("22 08:30")),
    ]
    assert report.counts == Counts(inserted=3)
    assert report.state == "loaded"


def test_first_load_describes_the_articles(warehouse: Engine):
    """An article's message, position and attributes are in the dimension."""
    item = article(
        "2247483647_3",
        {},
        title="三条",
        url="http://mp.weixin.qq.com/s?a=1",
        content_url="http://mp.weixin.qq.com/s?b=2",
        user_source=0,
        like_num=7,
    )

    load_pairs(warehouse, pair(body(item), "21 08:30"))

    assert rows(
        warehouse,
        "SELECT appid, msgid, message_id, position, publication_date::text, title, url, "
        "content_url, publish_type, user_source, extra, first_seen_at, last_seen_at "
        "FROM weixin.dim_article",
    ) == [
        (
            "wx1",
            "2247483647_3",
            "2247483647",
            3,
            "2026-11-20",
            "三条",
            "http://mp.weixin.qq.com/s?a=1",
            "http://mp.weixin.qq.com/s?b=2",
            None,
            0,
            {"like_num": 7},
            at("21 08:30"),
            at("21 08:30"),
        )
    ]


def test_same_answer_again_writes_no_row_anew(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """Loading again what is there writes nothing but when it was seen and how the attempt went."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    before = contents(warehouse, versions=True)
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T08:30:00+08:00")

    (report,) = load_pairs(warehouse, pair(FIRST, "22 11:00"), run_id="again")

    after = contents(warehouse, versions=True)
    assert report.counts == Counts(unchanged=3)
    for table in ("fact_article_total", "restatement", "rejected_row"):
        assert after[table] == before[table]
    assert len(after["fact_article_total"]) == 3
    seen = {"last_seen_at": at("22 11:00")}
    for table in ("dim_article", "raw_response"):
        moved = [{**row, **seen, "xmin": None} for row in before[table]]
        assert [{**row, "xmin": None} for row in after[table]] == moved
    moved = {"fetched_at": at("22 11:00"), "attempted_at": at("25 08:30"), "xmin": None}
    assert [{**row, "xmin": None} for row in after["coverage"]] == [
        {**row, **moved} for row in before["coverage"]
    ]


def test_only_what_changed_moves(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """A changed figure is updated, leaves a restatement and moves its own row's changed_at."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    changed = FIRST.replace(b'"int_page_read_count": 25', b'"int_page_read_count": 27')
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T08:30:00+08:00")

    (report,) = load_pairs(warehouse, pair(changed, "23 08:30"))

    assert facts(warehouse, f"{FIGURES}, fetched_at, changed_at, raw_response_id") == [
        ("2247483647_1", "2026-11-20", 900, 10, 1, at("22 08:30"), at("24 10:30"), 1),
        ("2247483647_1", "2026-11-21", 900, 27, 2, at("23 08:30"), at("25 08:30"), 2),
        ("2247483647_2", "2026-11-20", None, 4, None, at("22 08:30"), at("24 10:30"), 1),
    ]
    assert restatements(warehouse) == [
        ("2247483647_1", "2026-11-21", "int_page_read_count", 25, 27, "wechat", at("25 08:30"))
    ]
    assert report.counts == Counts(updated=1, unchanged=2, restated=1)


def test_every_changed_figure_of_a_row_is_restated(warehouse: Engine):
    """One changed row is one update, and a restatement for each of its figures that changed."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    changed = FIRST.replace(b'25, "share_count": 2', b'26, "share_count": 3')

    (report,) = load_pairs(warehouse, pair(changed, "23 08:30"))

    assert [row[:5] for row in restatements(warehouse)] == [
        ("2247483647_1", "2026-11-21", "int_page_read_count", 25, 26),
        ("2247483647_1", "2026-11-21", "share_count", 2, 3),
    ]
    assert report.counts == Counts(updated=1, unchanged=2, restated=2)


def test_next_day_inserts_the_new_row_only(warehouse: Engine):
    """The next morning's answer adds its day; the days before stay untouched."""
    monday = body(article("1_1", {"20": {"share_count": 1}}))
    tuesday = body(article("1_1", {"20": {"share_count": 1}, "21": {"share_count": 5}}))
    load_pairs(warehouse, pair(monday, "21 08:30"))

    (report,) = load_pairs(warehouse, pair(tuesday, "22 08:30"))

    assert facts(warehouse, "stat_date::text, share_count, raw_response_id") == [
        ("2026-11-20", 1, 1),
        ("2026-11-21", 5, 2),
    ]
    assert report.counts == Counts(inserted=1, unchanged=1)


def test_absent_figure_keeps_its_value(warehouse: Engine):
    """A figure that a newer answer leaves out, or gives as null, keeps its value and is counted."""
    load_pairs(
        warehouse,
        pair(body(article("1_1", {"20": {"share_count": 3, "share_user": 2}})), "22 08:30"),
    )
    newer = body(article("1_1", {"20": {"share_user": None}}))

    (report,) = load_pairs(warehouse, pair(newer, "23 08:30"))

    assert facts(warehouse, "share_count, share_user, raw_response_id") == [(3, 2, 1)]
    assert report.counts == Counts(unchanged=1, kept=2)


def test_figure_that_was_absent_is_no_restatement(warehouse: Engine):
    """A figure given for the first time updates its row; there is no value it restates."""
    load_pairs(warehouse, pair(body(article("1_1", {"20": {"share_user": 2}})), "22 08:30"))
    newer = body(article("1_1", {"20": {"share_user": 2, "share_count": 0}}))

    (report,) = load_pairs(warehouse, pair(newer, "23 08:30"))

    assert facts(warehouse, "share_user, share_count, raw_response_id") == [(2, 0, 2)]
    assert restatements(warehouse) == []
    assert report.counts == Counts(updated=1)


def test_total_that_fell_is_stored_and_recorded(warehouse: Engine):
    """A smaller total is what WeChat says now; the restatement tells that it fell."""
    load_pairs(warehouse, pair(body(article("1_1", {"20": {"share_count": 30}})), "22 08:30"))

    load_pairs(warehouse, pair(body(article("1_1", {"20": {"share_count": 29}})), "23 08:30"))

    assert facts(warehouse, "share_count") == [(29,)]
    assert [row[2:5] for row in restatements(warehouse)] == [("share_count", 30, 29)]


def test_vanished_row_and_article_stay(warehouse: Engine):
    """What a newer answer no longer holds is never deleted."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    newer = body(article("2247483647_1", {"21": {"int_page_read_count": 25}}))

    load_pairs(warehouse, pair(newer, "23 08:30"))
    load_pairs(warehouse, pair(body(), "24 08:30"))

    assert facts(warehouse, "msgid, stat_date::text, int_page_read_count") == [
        ("2247483647_1", "2026-11-20", 10),
        ("2247483647_1", "2026-11-21", 25),
        ("2247483647_2", "2026-11-20", 4),
    ]
    assert rows(warehouse, "SELECT msgid, last_seen_at FROM weixin.dim_article ORDER BY 1") == [
        ("2247483647_1", at("23 08:30")),
        ("2247483647_2", at("22 08:30")),
    ]


def test_unknown_metrics_are_merged_by_key(warehouse: Engine):
    """Extra keeps every unknown metric; a newer answer's value of a key wins."""
    load_pairs(
        warehouse,
        pair(
            body(article("1_1", {"20": {"new_a": 1, "new_b": {"deep": [1]}}}, tag="旧")), "22 08:30"
        ),
    )
    newer = body(article("1_1", {"20": {"new_b": "2", "new_c": 3.5}}, colour="red"))

    (report,) = load_pairs(warehouse, pair(newer, "23 08:30"))

    assert facts(warehouse, "extra") == [({"new_a": 1, "new_b": "2", "new_c": 3.5},)]
    assert rows(warehouse, "SELECT extra FROM weixin.dim_article") == [
        ({"tag": "旧", "colour": "red"},)
    ]
    assert report.counts == Counts(updated=1)


def test_absent_unknown_metric_changes_nothing(warehouse: Engine):
    """An unknown metric that a newer answer leaves out stays, and its row is not written anew."""
    load_pairs(warehouse, pair(body(article("1_1", {"20": {"new_a": 1, "new_b": 2}})), "22 08:30"))
    before = facts(warehouse, "xmin, *")

    (report,) = load_pairs(warehouse, pair(body(article("1_1", {"20": {"new_a": 1}})), "23 08:30"))

    assert facts(warehouse, "xmin, *") == before
    assert report.counts == Counts(unchanged=1)


def test_absent_attribute_keeps_its_value(warehouse: Engine):
    """An attribute that a newer answer leaves out stays; a given one replaces it."""
    first = article("1_1", {}, title="一", url="http://a", content_url="http://c", user_source=1)
    load_pairs(warehouse, pair(body(first), "22 08:30"))

    load_pairs(warehouse, pair(body(article("1_1", {}, title="二")), "23 08:30"))
    load_pairs(warehouse, pair(body(article("1_1", {}, url="http://b")), "24 08:30"))

    assert rows(
        warehouse, "SELECT title, url, content_url, user_source FROM weixin.dim_article"
    ) == [("二", "http://b", "http://c", 1)]


def test_largest_whole_number_is_exact(warehouse: Engine):
    """A figure is exact up to the largest bigint."""
    answer = body(article("1_1", {"20": {"share_count": 2**63 - 1}}))

    load_pairs(warehouse, pair(answer, "22 08:30"))

    assert facts(warehouse, "share_count") == [(9223372036854775807,)]
