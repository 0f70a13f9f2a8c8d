"""An answer that arrives after a newer one is put in its place, and what is kept of it."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, at, body, facts, load_pairs, pair, raw_answers, rows

from weixin_etl.api.errors import UnreadableError
from weixin_etl.model import Counts


def answer(title: str | None = None, **figures: object) -> bytes:
    return body(article("1_1", {"20": figures}, title=title))


OLD = answer("旧", share_count=1, share_user=1, new_a="old", new_b="old")
NEW = answer("新", share_count=2, new_a="new")


def test_it_overrides_nothing(warehouse: Engine):
    """What the newer says stays, as the last that changed the row; the older fills gaps."""
    load_pairs(warehouse, pair(NEW, "22 09:30"))

    (judged,) = load_pairs(warehouse, pair(OLD, "22 08:30"))

    assert facts(warehouse, "share_count, share_user, extra, raw_response_id") == [
        (2, 1, {"new_a": "new", "new_b": "old"}, 1)
    ]
    assert rows(warehouse, "SELECT title, first_seen_at, last_seen_at FROM weixin.dim_article") == [
        ("新", at("22 08:30"), at("22 09:30"))
    ]
    assert judged.counts == Counts(updated=1)
    restated = "SELECT metric, kind, old_value, new_value, raw_response_id FROM weixin.restatement"
    assert rows(warehouse, restated) == [("share_user", "late", None, 1, 1)]


def test_identical_to_the_newest_it_moves_nothing(warehouse: Engine):
    """An identical answer fetched earlier says only that the article was there then."""
    load_pairs(warehouse, pair(OLD, "22 08:00"))
    load_pairs(warehouse, pair(NEW, "22 09:30"))

    load_pairs(warehouse, pair(NEW, "22 07:00"))

    assert facts(warehouse, "share_count, share_user") == [(2, 1)]
    assert raw_answers(warehouse) == [(OLD, at("22 08:00")), (NEW, at("22 09:30"))]
    assert rows(warehouse, "SELECT first_seen_at, last_seen_at FROM weixin.dim_article") == [
        (at("22 07:00"), at("22 09:30"))
    ]


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
