"""The newest answer of a pair wins, field by field, whatever the order of arrival."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, at, body, facts, load_pairs, pair, rows

from weixin_etl.pair import Counts


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def answer(title: str | None = None, **figures: object) -> bytes:
    return body(article("1_1", {"20": figures}, title=title))


OLD = answer("旧", share_count=1, share_user=1, new_a="old", new_b="old")
NEW = answer("新", share_count=2, new_a="new")


def test_older_answer_arriving_late_overrides_nothing(warehouse: Engine):
    """What the newer answer says stays; of the older one only what the newer lacks is taken."""
    load_pairs(warehouse, pair(NEW, "22 09:30"))

    (report,) = load_pairs(warehouse, pair(OLD, "22 08:30"))

    assert facts(warehouse, "share_count, share_user, extra, raw_response_id") == [
        (2, 1, {"new_a": "new", "new_b": "old"}, 2)
    ]
    assert rows(warehouse, "SELECT title, first_seen_at, last_seen_at FROM weixin.dim_article") == [
        ("新", at("22 08:30"), at("22 09:30"))
    ]
    assert report.counts == Counts(updated=1)
    assert rows(warehouse, "SELECT * FROM weixin.restatement") == []


def test_older_answer_beside_an_identical_newer_one(warehouse: Engine):
    """OLD, NEW, OLD: the last arrival was fetched between them and changes nothing."""
    load_pairs(warehouse, pair(OLD, "22 08:30"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))
    before = facts(warehouse, "xmin, *")

    (report,) = load_pairs(warehouse, pair(OLD, "22 09:00"))

    assert facts(warehouse, "xmin, *") == before
    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
    assert report.counts == Counts(unchanged=1)


def test_late_answer_identical_to_the_newest_moves_nothing(warehouse: Engine):
    """An identical answer fetched earlier says nothing new: the newest was last seen later."""
    load_pairs(warehouse, pair(OLD, "22 08:00"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))

    load_pairs(warehouse, pair(NEW, "22 07:00"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
    assert rows(
        warehouse, "SELECT last_seen_at FROM weixin.raw_response ORDER BY raw_response_id"
    ) == [(at("22 08:00"),), (at("22 09:30"),)]
    assert rows(warehouse, "SELECT fetched_at FROM weixin.coverage") == [(at("22 09:30"),)]
    assert rows(warehouse, "SELECT first_seen_at, last_seen_at FROM weixin.dim_article") == [
        (at("22 07:00"), at("22 09:30"))
    ]


@pytest.mark.parametrize("fetched", ["22 08:00", "22 09:00"], ids=["before it", "after it"])
def test_late_answer_identical_to_an_older_one_is_not_kept_twice(warehouse: Engine, fetched: str):
    """However often the same old answer arrives late, it is the one that is there already."""
    load_pairs(warehouse, pair(OLD, "22 08:30"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))

    load_pairs(warehouse, pair(OLD, fetched))
    load_pairs(warehouse, pair(OLD, fetched))

    kept = rows(
        warehouse, "SELECT body, last_seen_at FROM weixin.raw_response ORDER BY raw_response_id"
    )
    assert [(bytes(body), last_seen_at) for body, last_seen_at in kept] == [
        (OLD, max(at("22 08:30"), at(fetched))),
        (NEW, at("22 09:30")),
    ]


def test_answer_between_two_identical_ones(warehouse: Engine):
    """NEW was seen before and after OLD: so NEW wins, though OLD arrives last."""
    load_pairs(warehouse, pair(NEW, "22 08:30"))
    load_pairs(warehouse, pair(NEW, "22 10:30"))

    load_pairs(warehouse, pair(OLD, "22 09:30"))

    assert facts(warehouse, "share_count, share_user, extra->>'new_a'") == [(2, 1, "new")]


def test_late_answer_is_compared_with_the_pair_not_the_row(warehouse: Engine):
    """A row that stayed the same keeps its old time; an answer older than the pair's is late."""
    load_pairs(warehouse, pair(NEW, "22 08:30"))
    again = body(
        article("1_1", {"20": {"share_count": 2, "new_a": "new"}, "21": {"share_count": 9}})
    )
    load_pairs(warehouse, pair(again, "22 10:30"))

    load_pairs(warehouse, pair(OLD, "22 09:30"))

    assert facts(warehouse, "stat_date::text, share_count, share_user") == [
        ("2026-11-20", 2, 1),
        ("2026-11-21", 9, None),
    ]


def test_of_two_answers_of_one_instant_the_one_that_arrived_last_wins(warehouse: Engine):
    """A tie goes to the later arrival, and stays decided when an older answer comes."""
    load_pairs(warehouse, pair(OLD, "22 09:30"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))
    assert facts(warehouse, "share_count") == [(2,)]

    load_pairs(warehouse, pair(answer(share_count=7, share_user=7), "22 08:30"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
