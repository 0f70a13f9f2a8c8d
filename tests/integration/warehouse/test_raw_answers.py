"""The bytes of every distinct answer are kept, and what of it did not fit."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from warehouse_loads import DAY, OTHER_ACCOUNT, article, at, body, contents, load_pairs, pair, rows

from weixin_etl.api.errors import UnreachableError
from weixin_etl.pair import Pair

A = body(article("1_1", {"20": {"share_count": 1}}))
B = body(article("1_1", {"20": {"share_count": 2}}))


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def answers(warehouse: Engine) -> list[tuple]:
    return [
        (bytes(kept), fetched_at, last_seen_at)
        for kept, fetched_at, last_seen_at in rows(
            warehouse,
            "SELECT body, fetched_at, last_seen_at FROM weixin.raw_response "
            "ORDER BY raw_response_id",
        )
    ]


def test_exact_bytes_are_kept(warehouse: Engine):
    """An answer is kept byte for byte, with its hash."""
    answer = '{ "list" : [ ] ,\n "备注":"\x01\\u0000" }'.encode()

    load_pairs(warehouse, pair(answer, "22 08:30"))

    assert answers(warehouse) == [(answer, at("22 08:30"), at("22 08:30"))]
    assert rows(warehouse, "SELECT body_sha256 = sha256(body) FROM weixin.raw_response") == [
        (True,)
    ]


def test_identical_answer_only_moves_last_seen_at(warehouse: Engine):
    """An answer identical to the pair's newest is no new one."""
    load_pairs(warehouse, pair(A, "22 08:30"))

    load_pairs(warehouse, pair(A, "22 11:00"))

    assert answers(warehouse) == [(A, at("22 08:30"), at("22 11:00"))]


def test_answer_that_comes_back_is_kept_again(warehouse: Engine):
    """A, then B, then A again are three answers: the third is newer than B."""
    for answer, fetched in ((A, "22 08:30"), (B, "22 09:30"), (A, "22 10:30")):
        load_pairs(warehouse, pair(answer, fetched))

    assert answers(warehouse) == [
        (A, at("22 08:30"), at("22 08:30")),
        (B, at("22 09:30"), at("22 09:30")),
        (A, at("22 10:30"), at("22 10:30")),
    ]
    assert rows(warehouse, "SELECT share_count FROM weixin.fact_article_total") == [(1,)]


def test_identical_answers_of_other_pairs_are_their_own(warehouse: Engine):
    """The same bytes for another day or account are another answer."""
    empty = body()
    load_pairs(
        warehouse, pair(empty, "22 08:30"), pair(empty, "22 08:30", day=DAY - timedelta(days=1))
    )

    load_pairs(warehouse, pair(empty, "22 08:30"), account=OTHER_ACCOUNT)

    assert rows(
        warehouse,
        "SELECT appid, publication_date::text FROM weixin.raw_response ORDER BY 1, 2",
    ) == [("wx1", "2026-11-19"), ("wx1", "2026-11-20"), ("wx2", "2026-11-20")]


def test_no_answer_is_kept_of_a_refusal(warehouse: Engine):
    """A refused pair has an attempt and nothing else: error bodies are not kept."""
    load_pairs(warehouse, Pair(DAY, 5, error=UnreachableError(account="报纸")))

    held = contents(warehouse)
    assert [table for table, found in held.items() if found] == ["coverage", "run_report"]


def test_what_does_not_fit_is_kept_with_its_reason(warehouse: Engine):
    """A rejected row names its article, day, reason and answer; its neighbours load."""
    answer = body(
        article("1_1", {"20": {"share_count": -1}, "21": {"share_count": 2}}),
        {**article("1_2", {"19": {"share_count": 1}}), "ref_date": "2026-11-19"},
    )

    (report,) = load_pairs(warehouse, pair(answer, "22 08:30"))

    assert rows(
        warehouse,
        "SELECT dataset, appid, publication_date::text, msgid, stat_date::text, reason, "
        "payload::jsonb, raw_response_id, rejected_at FROM weixin.rejected_row ORDER BY msgid",
    ) == [
        (
            "article_total",
            "wx1",
            "2026-11-20",
            "1_1",
            "2026-11-20",
            "share_count -1 is not a whole number from 0 to 9223372036854775807",
            {"stat_date": "2026-11-20", "share_count": -1},
            1,
            at("24 10:30"),
        ),
        (
            "article_total",
            "wx1",
            "2026-11-20",
            "1_2",
            None,
            "ref_date '2026-11-19' is not the day asked for",
            {
                "ref_date": "2026-11-19",
                "msgid": "1_2",
                "details": [{"stat_date": "2026-11-19", "share_count": 1}],
            },
            1,
            at("24 10:30"),
        ),
    ]
    assert rows(warehouse, "SELECT stat_date::text FROM weixin.fact_article_total") == [
        ("2026-11-21",)
    ]
    assert (report.counts.inserted, len(report.pair.parsed.rejected)) == (1, 2)


def test_rejected_day_that_is_no_date(warehouse: Engine):
    """A stat_date that is no date is null, and stands in the payload as WeChat wrote it."""
    answer = body({"msgid": "1_1", "details": [{"stat_date": "2026-11-31"}, {"share_count": 1}]})

    load_pairs(warehouse, pair(answer, "22 08:30"))

    assert rows(
        warehouse, "SELECT stat_date, payload::jsonb FROM weixin.rejected_row ORDER BY payload"
    ) == [(None, {"share_count": 1}), (None, {"stat_date": "2026-11-31"})]


def test_rejected_rows_are_kept_once_per_answer(warehouse: Engine):
    """The same answer again leaves no second copy; a new one leaves its own."""
    bad = article("1_1", {"20": {"share_count": "many"}})
    other = article("1_1", {"20": {"share_count": "many"}, "21": {}})

    load_pairs(warehouse, pair(body(bad), "22 08:30"))
    load_pairs(warehouse, pair(body(bad), "22 11:00"))
    load_pairs(warehouse, pair(body(other), "22 12:00"))

    assert rows(
        warehouse, "SELECT raw_response_id, stat_date::text FROM weixin.rejected_row ORDER BY 1"
    ) == [(1, "2026-11-20"), (2, "2026-11-20")]


def test_most_pairs_of_a_commit(warehouse: Engine):
    """A commit takes 31 pairs and refuses more, whole."""
    days = [date(2026, 10, 1) + timedelta(days=number) for number in range(32)]
    pairs = [pair(body(day=day), "22 08:30", day=day) for day in days]

    with pytest.raises(ValueError, match="32 pairs in one commit; at most 31"):
        load_pairs(warehouse, *pairs)

    assert contents(warehouse)["raw_response"] == []
    assert len(load_pairs(warehouse, *pairs[:31])) == 31
    assert len(contents(warehouse)["raw_response"]) == 31
