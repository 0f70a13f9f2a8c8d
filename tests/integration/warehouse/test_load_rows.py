"""What a load writes: the fact's rows, the answers' bytes, and what of them does not fit."""

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    article,
    at,
    body,
    contents,
    facts,
    know,
    load_pairs,
    pair,
    raw_answers,
    rows,
)

from weixin_etl.api.errors import UnreadableError
from weixin_etl.load.stage import unpacked
from weixin_etl.model import Counts

pytestmark = pytest.mark.every_postgres

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


def test_msgids_repeat_between_accounts(warehouse: Engine):
    """The same article id of another account is another article, when it is new and ever after."""
    for hour, reads in (("08:30", 10), ("09:30", 11)):
        mine, theirs = (
            body(article("1_1", {"20": {"int_page_read_user": reads * times}}))
            for times in (1, 100)
        )
        load_pairs(warehouse, pair(mine, f"22 {hour}"))
        load_pairs(warehouse, pair(theirs, f"22 {hour}"), account=OTHER_ACCOUNT)

    assert facts(warehouse, "appid, int_page_read_user") == [("wx1", 11), ("wx2", 1100)]


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


# ------------------------------------------------------------------------------------ raw answers

A = '{ "list" : [ ] ,\n "备注":"\x01\\u0000" }'.encode()
B = body(article("1_1", {"20": {"share_count": 2}}))


def test_every_distinct_answer_is_kept(warehouse: Engine):
    """Byte for byte with its hash; one identical to the newest only moves last_seen_at."""
    fetched = ["22 08:30", "22 09:00", "22 09:30", "22 10:30"]
    for answer, fetched_at in zip((A, A, B, A), fetched, strict=True):
        load_pairs(warehouse, pair(answer, fetched_at))

    kept = rows(
        warehouse,
        "SELECT body_zstd, body_sha256, fetched_at, last_seen_at "
        "FROM weixin.raw_response ORDER BY raw_response_id",
    )
    assert [(unpacked(bytes(body)), bytes(sha256), *times) for body, sha256, *times in kept] == [
        (A, hashlib.sha256(A).digest(), at("22 08:30"), at("22 09:00")),
        (B, hashlib.sha256(B).digest(), at("22 09:30"), at("22 09:30")),
        (A, hashlib.sha256(A).digest(), at("22 10:30"), at("22 10:30")),
    ]


def test_what_does_not_fit_is_kept_with_its_reason(warehouse: Engine):
    """With its article, day, metric and answer, where it has these; what remains is loaded."""
    bad = [{"stat_date": "2026-11-20", "share_count": -1}, {"stat_date": "2026-11-31"}]
    good = {"stat_date": "2026-11-21", "share_count": 2}
    answer = body({"msgid": "1_1", "details": [*bad, good]})

    (judged,) = load_pairs(warehouse, pair(answer, "22 08:30"))

    (first, second) = rows(
        warehouse,
        "SELECT dataset, appid, publication_date, msgid, stat_date, metric, payload::jsonb, "
        "raw_response_id, rejected_at, reason FROM weixin.rejected_row ORDER BY rejected_row_id",
    )
    of_answer = ("article_total", "wx1", DAY, "1_1")
    assert first == (
        *(*of_answer, DAY, "share_count", -1, 1, at("24 10:30")),
        "share_count is a negative number, not a whole number from 0 to 9223372036854775807",
    )
    assert second[:9] == (*of_answer, None, None, bad[1], 1, at("24 10:30"))
    assert (judged.counts.inserted, judged.rejected) == (2, 2)


def test_rejected_rows_are_kept_once_per_answer(warehouse: Engine):
    """The same answer again leaves no second copy; a new one leaves its own."""
    bad = article("1_1", {"20": {"share_count": "many"}})
    other = article("1_1", {"20": {"share_count": "many"}, "21": {}})
    for answer, fetched in ((bad, "22 08:30"), (bad, "22 11:00"), (other, "22 12:00")):
        load_pairs(warehouse, pair(body(answer), fetched))

    kept = "SELECT raw_response_id, stat_date::text FROM weixin.rejected_row ORDER BY 1"
    assert rows(warehouse, kept) == [(1, "2026-11-20"), (2, "2026-11-20")]


def test_what_the_next_answer_gives_is_resolved_without_reading_older_ones(warehouse: Engine):
    """A value, or a row; what it does not give stays open."""
    odd = {"share_count": "many", "share_user": "many"}
    load_pairs(warehouse, pair(body(article("1_1", {"20": odd, "22": {}})), "22 08:30"))
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.raw_response SET body_zstd = ''")

    answer = article("1_1", {"20": {**odd, "share_count": 2}, "22": {}})
    load_pairs(warehouse, pair(body(answer), "23 08:30"))

    parts = "SELECT metric, resolved_at IS NULL FROM weixin.rejected_row ORDER BY rejected_row_id"
    assert rows(warehouse, parts) == [
        ("share_user", True),
        ("share_count", False),
        (None, False),
        ("share_user", True),
    ]


# ----------------------------------------------------------------------------------- late answers


def answer(title: str | None = None, **figures: object) -> bytes:
    return body(article("1_1", {"20": figures}, title=title))


OLD = answer("旧", share_count=1, share_user=1, new_a="old", new_b="old")
NEW = answer("新", share_count=2, new_a="new")


@pytest.mark.parametrize("fetched", ["22 08:00", "22 09:00"], ids=["before it", "after it"])
def test_identical_to_an_older_one_it_is_not_kept_twice(warehouse: Engine, fetched: str):
    """However often the same old answer arrives late, it is the one that is there already."""
    load_pairs(warehouse, pair(OLD, "22 08:30"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))
    before = facts(warehouse, "xmin, *")

    for _ in range(2):
        (judged,) = load_pairs(warehouse, pair(OLD, fetched))

    assert raw_answers(warehouse) == [
        (OLD, max(at("22 08:30"), at(fetched))),
        (NEW, at("22 09:30")),
    ]
    assert facts(warehouse, "xmin, *") == before
    assert judged.counts == Counts(unchanged=1)


def test_kept_answers_that_nobody_can_read_are_passed_over(warehouse: Engine):
    """An answer is put in its place among those that hold articles."""
    unreadable = pair(b'{"list": 5}', "22 09:00")
    load_pairs(warehouse, pair(NEW, "22 09:30"))
    load_pairs(warehouse, unreadable)

    load_pairs(warehouse, pair(OLD, "22 08:30"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
    assert len(raw_answers(warehouse)) == 3


def test_what_could_not_be_read_is_loaded_once_it_can(warehouse: Engine):
    """The same bytes again, and as many rows as the newest answer that was read."""
    load_pairs(warehouse, pair(OLD, "22 08:30"))
    load_pairs(warehouse, replace(pair(NEW, "22 09:00"), error=UnreadableError()))

    load_pairs(warehouse, pair(NEW, "22 09:30"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
