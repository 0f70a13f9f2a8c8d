"""Coverage: what the warehouse has of a pair, and how the last attempt ended."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    article,
    at,
    body,
    contents,
    coverage,
    know,
    load_pairs,
    pair,
    raw_answers,
    refused,
    rows,
)

from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    UnreachableError,
    UnreadableError,
)
from weixin_etl.load import Outcome
from weixin_etl.load.stage import unpacked

COMPLETE = body(article("1_1", {"20": {"share_count": 1}, "23": {"share_count": 2}}))
NOTHING_FITS = body(article("", {"20": {"share_count": 1}}))
DATA = "data_state, through_date::text, fetched_at, ready_at, article_count, row_count"
ATTEMPT = (
    "attempt_state, attempted_at, attempts, next_attempt_at, error_kind, error_code, error, cure"
)


def of_pair(warehouse: Engine, columns: str) -> tuple[Any, ...]:
    """The columns of the one pair there is."""
    (found,) = coverage(warehouse, columns)
    return found


def unreadable(answer: Outcome) -> Outcome:
    """An answer in which no articles can be made out."""
    return replace(answer, error=UnreadableError("no list"))


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (
            body(article("1_1", {"20": {}, "22": {}, "23": {}}), article("1_2", {"20": {}})),
            ("loaded", "2026-11-20", at("24 10:05"), at("24 10:05"), 2, 4),
        ),
        (
            body(article("1_1", {"23": {}}), article("1_2", {})),
            ("loaded", None, at("24 10:05"), at("24 10:05"), 2, 1),
        ),
        (body(), ("empty", None, at("24 10:05"), at("24 10:05"), 0, 0)),
    ],
    ids=["through the last day all reach", "an article without rows reaches none", "empty"],
)
def test_an_answer(warehouse: Engine, answer: bytes, data: tuple[Any, ...]):
    """Both halves are of the answer and its time, not of when it was stored."""
    (judged,) = load_pairs(warehouse, pair(answer, "24 10:05"))

    assert of_pair(warehouse, DATA) == data
    assert of_pair(warehouse, ATTEMPT) == ("ok", at("24 10:05"), 0, *[None] * 5)
    assert rows(warehouse, "SELECT state FROM weixin.run_report") == [(judged.state,)]
    assert judged.state == data[0]


def test_an_identical_answer_moves_the_times(warehouse: Engine):
    """It tells that nothing changed since: fetched_at and ready_at are its own."""
    load_pairs(warehouse, pair(COMPLETE, "24 10:00"))

    load_pairs(warehouse, pair(COMPLETE, "24 11:00"))

    assert of_pair(warehouse, "fetched_at, ready_at") == (at("24 11:00"), at("24 11:00"))


@pytest.mark.parametrize("first", [COMPLETE, body()], ids=["loaded", "empty"])
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (
            refused(ConfigurationError("no", errcode=40164, cause="not listed", cure="add the IP")),
            ("configuration", 40164, "not listed: no", "add the IP"),
        ),
        (
            unreadable(pair(body(), "24 10:30")),
            ("unreadable", None, f"{UnreadableError.cause}: no list", UnreadableError.cure),
        ),
        (
            pair(NOTHING_FITS, "24 10:30"),
            (
                "unreadable",
                None,
                f"{UnreadableError.cause}: no row of the answer fits; the first of 1 "
                "rejected parts: msgid is a text of none or more than 200 characters; see "
                "weixin.rejected_row",
                UnreadableError.cure,
            ),
        ),
    ],
    ids=["refused", "unreadable", "all rejected"],
)
def test_an_attempt_that_brings_nothing_keeps_the_data(
    warehouse: Engine, first: bytes, bad: Outcome, error: tuple[Any, ...]
):
    """Only the attempt half changes; the bytes of an answer are kept, those of a refusal not."""
    load_pairs(warehouse, pair(first, "24 08:30"))
    before = of_pair(warehouse, DATA)

    (judged,) = load_pairs(warehouse, bad, run_id="later")

    assert of_pair(warehouse, DATA) == before
    assert of_pair(warehouse, ATTEMPT) == ("failed", at("24 10:30"), 1, None, *error)
    assert judged.state == "failed"
    bodies = {first, unpacked(bad.body_zstd)} if bad.summary else {first}
    assert {body for body, _ in raw_answers(warehouse)} == bodies


def test_an_attempt_that_brings_nothing_at_all(warehouse: Engine):
    """A pair that never came in has no data, its calls are counted, and no error body is kept."""
    load_pairs(warehouse, refused(UnreachableError("timeout", errcode=-1), calls=5))

    assert of_pair(warehouse, DATA) == (None,) * 6
    assert rows(warehouse, "SELECT calls, state FROM weixin.run_report") == [(5, "failed")]
    held = contents(warehouse)
    assert [table for table, found in held.items() if found] == ["coverage", "run_report"]


def test_an_article_of_which_no_row_fits_is_a_failure(warehouse: Engine):
    """Its figures are not in. It is final two days past the window: asking always ends."""
    answer = body(article("1_1", {"20": {"share_count": "a"}, "23": {"share_count": "b"}}))

    load_pairs(warehouse, pair(answer, "28 08:30"))
    assert of_pair(warehouse, "ready_at, is_final, attempt_state") == (None, False, "failed")

    load_pairs(warehouse, pair(answer, "29 08:30"))
    assert of_pair(warehouse, "is_final, attempt_state") == (True, "failed")


def test_an_article_whose_rows_are_no_list_is_still_listed(warehouse: Engine):
    """WeChat has not deleted it: it lacks its row, and the day is incomplete."""
    fine = article("1_1", {"20": {"share_user": 1}, "21": {"share_user": 2}})
    odd = {**article("1_2", {}), "details": "oops"}
    know(warehouse, "wx1")
    load_pairs(warehouse, pair(body(fine, article("1_2", {"20": {"share_user": 3}})), "21 10:30"))
    load_pairs(warehouse, pair(body(fine, odd), "22 10:30"))

    listed = "SELECT msgid, is_listed, unlisted_since FROM analytics.article ORDER BY msgid"
    assert rows(warehouse, listed) == [("1_1", True, None), ("1_2", True, None)]
    state = "SELECT state FROM analytics.coverage WHERE publication_date = '2026-11-20'"
    assert rows(warehouse, state + " AND dataset = 'article_total'") == [("incomplete",)]


def test_attempts_are_counted_until_one_is_ok(warehouse: Engine):
    """Attempts in a row that brought nothing are counted; an ok one starts over and clears why."""
    for _ in range(3):
        load_pairs(warehouse, refused(UnreachableError(errcode=-1)))
    assert of_pair(warehouse, "attempts") == (3,)

    load_pairs(warehouse, pair(COMPLETE, "24 10:00"))
    assert of_pair(warehouse, ATTEMPT) == ("ok", at("24 10:00"), 0, *[None] * 5)

    load_pairs(warehouse, refused(UnreachableError()))
    assert of_pair(warehouse, "attempts") == (1,)


def test_a_daily_quota_rests_until_the_midnight_after_its_answer(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Also when it is stored after that midnight; an attempt that ends otherwise ends the rest."""
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T00:00:01+08:00")

    load_pairs(warehouse, refused(DailyQuotaError(errcode=45009), "24 23:59"))
    assert of_pair(warehouse, "error_code, next_attempt_at") == (45009, at("25 00:00"))

    load_pairs(warehouse, refused(UnreachableError()))
    assert of_pair(warehouse, "error_code, next_attempt_at") == (None, None)


@pytest.mark.parametrize(
    ("answers", "data"),
    [
        (
            [(COMPLETE, "24 11:30"), (body(article("1_1", {"20": {}, "22": {}})), "24 10:30")],
            ("loaded", "2026-11-23", at("24 11:30"), at("24 11:30"), 1, 2),
        ),
        (
            [(body(), "24 11:30"), (COMPLETE, "24 10:30")],
            ("loaded", None, at("24 11:30"), at("24 11:30"), 0, 0),
        ),
        (
            [(COMPLETE, "24 10:30"), (body(), "24 11:30")],
            ("loaded", None, at("24 11:30"), at("24 11:30"), 0, 0),
        ),
    ],
    ids=["an older one arrives late", "older articles arrive late", "articles are gone"],
)
def test_the_newest_answer_stands(
    warehouse: Engine, answers: list[tuple[bytes, str]], data: tuple[Any, ...]
):
    """Newest by fetch time; a pair for which articles were ever listed stays loaded."""
    for answer, fetched in answers:
        load_pairs(warehouse, pair(answer, fetched))

    assert of_pair(warehouse, DATA) == data
