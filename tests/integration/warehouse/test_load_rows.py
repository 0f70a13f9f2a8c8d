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
    history,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.load.stage import unpacked
from weixin_etl.model import Counts
from weixin_etl.problem import ProblemKind, WeixinError

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
    "fact_history",
    "dim_article_title_history",
    "rejected_row",
    "dim_article",
)
FIGURES = "msgid, stat_date::text, int_page_read_count, share_count"


def test_first_load(warehouse: Engine):
    """Every row is in the fact, exact to the largest bigint, and every article described."""
    (loaded,) = load_pairs(warehouse, pair(FIRST, "22 08:30"))

    assert facts(warehouse, f"appid, {FIGURES}, publication_date::text, fetched_at") == [
        ("wx1", "2247483647_1", "2026-11-20", 10, 1, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_1", "2026-11-21", 25, 2**63 - 1, "2026-11-20", at("22 08:30")),
        ("wx1", "2247483647_2", "2026-11-20", 4, None, "2026-11-20", at("22 08:30")),
    ]
    assert loaded.counts == Counts(inserted=3)
    first, second = contents(warehouse, ["dim_article"])["dim_article"]
    assert first == {
        "appid": "wx1",
        "msgid": "2247483647_1",
        "message_id": "2247483647",
        "position": 1,
        "publication_date": DAY,
        "title": "头条",
        "url": "http://mp.weixin.qq.com/s?a=1",
        "content_url": "http://mp.weixin.qq.com/s?b=2",
        "publish_type": 1,
        "extra": {"like_num": 7, "user_source": 0},
        "first_seen_at": at("22 08:30"),
        "unlisted_since": {"article_total": None},
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
        load_pairs(warehouse, pair(theirs, f"22 {hour}", account=OTHER_ACCOUNT))

    assert facts(warehouse, "appid, int_page_read_user") == [("wx1", 11), ("wx2", 1100)]


def test_same_answer_again_writes_no_row_anew(warehouse: Engine):
    """Loading again what is there writes nothing but when the answer was seen."""
    know(warehouse, ACCOUNT.appid)
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    before = contents(warehouse, versions=True)

    (loaded,) = load_pairs(warehouse, pair(FIRST, "22 11:00"), run_id="again")

    after = contents(warehouse, versions=True)
    assert loaded.counts == Counts(unchanged=3)
    seen_again = [
        {**row, "last_seen_at": at("22 11:00"), "xmin": None} for row in before["raw_response"]
    ]
    assert [{**row, "xmin": None} for row in after["raw_response"]] == seen_again
    for table in TABLES_OF_FIGURES:
        assert after[table] == before[table]


def test_only_what_changed_moves(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """The row that is replaced goes to the history, also when a figure fell; a new one has none."""
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

    (loaded,) = load_pairs(warehouse, pair(changed, "23 08:30"))

    assert facts(warehouse, f"{FIGURES}, fetched_at, changed_at, raw_response_id") == [
        ("2247483647_1", "2026-11-20", 11, 0, at("23 08:30"), at("25 08:30"), 2),
        ("2247483647_1", "2026-11-21", 25, 2**63 - 1, at("22 08:30"), at("24 10:30"), 1),
        ("2247483647_1", "2026-11-22", 26, None, at("23 08:30"), at("25 08:30"), 2),
        ("2247483647_2", "2026-11-20", 4, None, at("22 08:30"), at("24 10:30"), 1),
    ]
    of_row = ("item", "cause", "changed_at", "replaced_at", "int_page_read_count", "share_count")
    assert history(warehouse, *of_row, "raw_response_id") == [
        ("2247483647_1", "wechat", at("24 10:30"), at("25 08:30"), 10, 1, 1)
    ]
    assert loaded.counts == Counts(inserted=1, updated=1, unchanged=1)


def test_what_a_newer_answer_leaves_out_keeps_its_value(warehouse: Engine):
    """Such a row is not written anew; a figure that comes late is an update."""
    figures = {"share_count": 3, "share_user": 2, "new_a": 1, "new_b": 2}
    load_pairs(warehouse, pair(body(article("1_1", {"20": figures})), "22 08:30"))
    before = facts(warehouse, "xmin, *")

    newer = body(article("1_1", {"20": {"share_user": None, "new_a": 1}}))
    (loaded,) = load_pairs(warehouse, pair(newer, "23 08:30"))

    assert facts(warehouse, "xmin, *") == before
    assert loaded.counts == Counts(unchanged=1)

    newest = body(article("1_1", {"20": {**figures, "int_page_read_count": 0}}))
    (loaded,) = load_pairs(warehouse, pair(newest, "23 11:30"))

    assert facts(warehouse, "share_user, int_page_read_count, raw_response_id") == [(2, 0, 3)]
    assert loaded.counts == Counts(updated=1)
    assert history(warehouse, "item", "int_page_read_count", "cause") == [("1_1", None, "wechat")]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM weixin.fact_article_total WHERE stat_date = '2026-11-21'",
        "UPDATE weixin.fact_article_total SET int_page_read_count = 9",
    ],
    ids=["a row is gone", "figures are wrong"],
)
def test_a_refetch_repairs_the_fact(warehouse: Engine, damage: str):
    """By the same answer: whatever somebody has deleted or changed."""
    load_pairs(warehouse, pair(FIRST, "22 08:30"))
    before = facts(warehouse, FIGURES)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(damage)

    load_pairs(warehouse, pair(FIRST, "22 11:00"), run_id="again", refetch=True)

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
        "SELECT body, body_sha256, fetched_at, last_seen_at "
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

    (loaded,) = load_pairs(warehouse, pair(answer, "22 08:30"))

    (first, second) = rows(
        warehouse,
        "SELECT dataset, appid, day, msgid, stat_date, payload::jsonb, raw_response_id, "
        "rejected_at, reason FROM weixin.rejected_row ORDER BY rejected_row_id",
    )
    of_answer = ("article_total", "wx1", DAY, "1_1")
    assert first == (
        *(*of_answer, DAY, -1, 1, at("24 10:30")),
        "share_count is a negative number, not a whole number from 0 to 9223372036854775807",
    )
    assert second[:8] == (*of_answer, None, bad[1], 1, at("24 10:30"))
    assert loaded.counts == Counts(inserted=2, rejected=2)


PARTS = """
    SELECT
        stat_date::text,
        split_part(reason, ' ', 1),
        (
            SELECT count(*) FROM weixin.raw_response AS answer
            WHERE answer.raw_response_id <= rejected.raw_response_id
        ) AS answer,
        resolved_at
    FROM weixin.rejected_row AS rejected ORDER BY answer, stat_date, reason
"""


def test_a_rejected_part_is_open_until_an_answer_comes_without_it(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """
    One row however many answers hold it; none that is older is read again.

    One of which nothing can be made out says nothing of it. What comes back is a part of its own.
    """
    odd = {"share_count": "many", "share_user": "many"}
    both = body(article("1_1", {"20": odd, "22": {}}))
    one = body(article("1_1", {"20": {**odd, "share_count": 2}, "22": {}}))
    for answer, fetched in [
        (both, "22 08:30"),
        (both, "22 11:00"),
        (b'{"list": 5}', "23 08:00"),
        (one, "23 08:30"),
        (both, "23 09:30"),
    ]:
        monkeypatch.setenv("WEIXIN_NOW", at(fetched).isoformat())
        load_pairs(warehouse, pair(answer, fetched))
        with warehouse.begin() as connection:
            connection.exec_driver_sql("UPDATE weixin.raw_response SET body = ''")

    assert rows(warehouse, PARTS) == [
        ("2026-11-20", "share_count", 1, at("23 08:30")),
        ("2026-11-20", "share_user", 1, None),
        ("2026-11-22", "stat_date", 1, at("23 08:30")),
        ("2026-11-20", "share_count", 4, None),
    ]


OLD = body(article("1_1", {"20": {"share_count": 1, "share_user": 1}}))
NEW = body(article("1_1", {"20": {"share_count": 2}}))


def test_what_could_not_be_read_is_loaded_once_it_can(warehouse: Engine):
    """The same bytes again, and as many rows as the newest answer that was read."""
    load_pairs(warehouse, pair(OLD, "22 08:30"))
    unread = pair(NEW, "22 09:00")
    unreadable = replace(unread.said, error_kind="unreadable")
    load_pairs(
        warehouse,
        replace(
            unread, articles={}, rows={}, error=WeixinError(ProblemKind.UNREADABLE), said=unreadable
        ),
    )

    load_pairs(warehouse, pair(NEW, "22 09:30"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
