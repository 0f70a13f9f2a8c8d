"""The bytes of every distinct answer are kept, and what of it did not fit."""

import hashlib
from datetime import timedelta

from sqlalchemy import Engine
from warehouse_loads import DAY, OTHER_ACCOUNT, article, at, body, load_pairs, pair, rows

from weixin_etl.load.stage import unpacked

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


def test_identical_answers_of_other_pairs_are_their_own(warehouse: Engine):
    """The same bytes for another day or account are another answer."""
    day_before = DAY - timedelta(days=1)
    load_pairs(warehouse, pair(A, "22 08:30"), pair(A, "22 08:30", day=day_before))

    load_pairs(warehouse, pair(A, "22 08:30"), account=OTHER_ACCOUNT)

    assert rows(
        warehouse, "SELECT appid, publication_date FROM weixin.raw_response ORDER BY 1, 2"
    ) == [("wx1", day_before), ("wx1", DAY), ("wx2", DAY)]


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
