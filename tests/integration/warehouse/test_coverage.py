"""
Coverage: what the warehouse has of a pair, and how the last attempt ended.

What makes a pair ready or final is proven in tests/unit/test_rules.py; here, that the facts it is
judged by are those of the pair and its chunk, and are stored whole.
"""

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    at,
    body,
    coverage,
    load_pairs,
    pair,
    raw_answers,
    refused,
    rows,
)

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.load import Load, Staged
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError

COMPLETE = body(article("1_1", {"20": {"share_count": 1}, "23": {"share_count": 2}}))
NOTHING_FITS = body(article("", {"20": {"share_count": 1}}))
DATA = "through_date::text, fetched_at, ready_at, article_count, row_count"
REFUSED = WeixinError(
    ProblemKind.CONFIGURATION, "no", errcode=40164, cause="not listed", cure="add the IP"
)
UNREADABLE = WeixinError(ProblemKind.UNREADABLE).problem
ATTEMPT = "attempted_at, error_kind, error_code, error, cure"


def of_pair(warehouse: Engine, columns: str) -> tuple[Any, ...]:
    """The columns of the one pair there is."""
    (found,) = coverage(warehouse, columns)
    return found


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (
            body(article("1_1", {"20": {}, "22": {}, "23": {}}), article("1_2", {"20": {}})),
            ("2026-11-20", at("24 10:05"), at("24 10:05"), 2, 4),
        ),
        (
            body(article("1_1", {"23": {}}), article("1_2", {})),
            (None, at("24 10:05"), at("24 10:05"), 2, 1),
        ),
        (body(), (None, at("24 10:05"), at("24 10:05"), 0, 0)),
    ],
    ids=["through the last day all reach", "an article without rows reaches none", "empty"],
)
def test_an_answer(warehouse: Engine, answer: bytes, data: tuple[Any, ...]):
    """What is stored is of the answer and its time, not of when it was stored."""
    load_pairs(warehouse, pair(answer, "24 10:05"))

    assert of_pair(warehouse, DATA) == data
    assert of_pair(warehouse, ATTEMPT) == (at("24 10:05"), *[None] * 4)


def test_an_identical_answer_moves_the_times(warehouse: Engine):
    """It tells that nothing changed since: fetched_at and ready_at are its own."""
    load_pairs(warehouse, pair(COMPLETE, "24 10:00"))

    load_pairs(warehouse, pair(COMPLETE, "24 11:00"))

    assert of_pair(warehouse, "fetched_at, ready_at") == (at("24 11:00"), at("24 11:00"))


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (
            refused(
                WeixinError(
                    ProblemKind.CONFIGURATION,
                    "no",
                    errcode=40164,
                    cause="not listed",
                    cure="add the IP",
                )
            ),
            ("configuration", 40164, "not listed: no", "add the IP"),
        ),
        (
            pair(b"{}", "24 10:30"),
            (
                *("unreadable", None),
                f"{UNREADABLE.cause}: the answer has no list",
                UNREADABLE.cure,
            ),
        ),
        (
            pair(NOTHING_FITS, "24 10:30"),
            (
                "unreadable",
                None,
                f"{UNREADABLE.cause}: no row of the answer fits; the first of 1 "
                "rejected parts: msgid is a text, not a text of 1 to 200 characters; see "
                "weixin.rejected_row",
                UNREADABLE.cure,
            ),
        ),
    ],
    ids=["refused", "unreadable", "all rejected"],
)
def test_an_attempt_that_brings_nothing_keeps_the_data(
    warehouse: Engine, bad: Staged, error: tuple[Any, ...]
):
    """
    Only the attempt changes; the bytes of an answer are kept, those of a refusal not.

    The next one that is ready clears why.
    """
    load_pairs(warehouse, pair(COMPLETE, "24 08:30"))
    before = of_pair(warehouse, DATA)

    load_pairs(warehouse, bad, run_id="later")

    assert of_pair(warehouse, DATA) == before
    assert of_pair(warehouse, ATTEMPT) == (at("24 10:30"), *error)
    assert len({answer for answer, _ in raw_answers(warehouse)}) == 1 + bad.is_answer

    load_pairs(warehouse, pair(COMPLETE, "24 11:00"))
    assert of_pair(warehouse, ATTEMPT) == (at("24 11:00"), *[None] * 4)


def test_an_article_of_which_no_row_fits_is_a_failure(warehouse: Engine):
    """Its figures are not in. It is given up two days past the window: asking always ends."""
    answer = body(article("1_1", {"20": {"share_count": "a"}, "23": {"share_count": "b"}}))

    load_pairs(warehouse, pair(answer, "28 08:30"))
    assert of_pair(warehouse, "ready_at, settled, error_kind") == (None, None, "unreadable")

    load_pairs(warehouse, pair(answer, "29 08:30"))
    assert of_pair(warehouse, "settled, error_kind") == ("given_up", "unreadable")


def test_an_article_whose_rows_are_no_list_is_still_listed(warehouse: Engine):
    """WeChat has not deleted it: it lacks its row, and the list is the same."""
    fine = article("1_1", {"20": {"share_user": 1}, "21": {"share_user": 2}})
    odd = {**article("1_2", {}), "details": "oops"}
    load_pairs(warehouse, pair(body(fine, article("1_2", {"20": {"share_user": 3}})), "21 10:30"))
    (listed,) = coverage(warehouse, "list_sha256")
    load_pairs(warehouse, pair(body(fine, odd), "22 10:30"))

    assert of_pair(warehouse, "article_count, error_kind") == (2, None)
    assert coverage(warehouse, "list_sha256") == [listed]
    assert unlisted(warehouse) == [("1_1", None), ("1_2", None)]


def unlisted(warehouse: Engine) -> list[tuple[object, ...]]:
    """Each article, and since when the dataset no longer lists it."""
    found = rows(warehouse, "SELECT msgid, unlisted_since FROM weixin.dim_article ORDER BY msgid")
    return [
        (msgid, since["article_total"] and datetime.fromisoformat(since["article_total"]))
        for msgid, since in found
    ]


def test_an_article_that_only_an_answer_that_was_not_ready_listed(warehouse: Engine):
    """The next ready answer does without it, though it lists what the ready one before did."""
    first = article("1_1", {"20": {"share_user": 1}})
    both = body(first, article("1_2", {"20": {"share_user": 3}}), is_delay=True)
    for answer, when in ((body(first), "21 10:30"), (both, "22 08:30"), (body(first), "22 10:30")):
        load_pairs(warehouse, pair(answer, when))

    assert unlisted(warehouse) == [("1_1", None), ("1_2", at("22 10:30"))]


def test_the_most_articles_ever_listed_are_remembered(warehouse: Engine):
    """The rest is of the newest answer."""
    load_pairs(warehouse, pair(COMPLETE, "24 10:30"))
    load_pairs(warehouse, pair(body(), "24 11:30"))

    assert of_pair(warehouse, DATA) == (None, at("24 11:30"), at("24 11:30"), 1, 0)


# ------------------------------------------------------------------------------------------ ready

OLD_DAY, NEXT_DAY, YESTERDAY = (date(2026, 11, day) for day in (16, 22, 23))
SHOWS_NOTHING = pair(body(article("1_1", {"22": {"share_count": 1}})), "24 08:30")
SHOWS_YESTERDAY = pair(
    body(article("2_1", {"22": {}, "23": {}}), day=NEXT_DAY), "24 08:30", day=NEXT_DAY
)


def test_days_that_count_no_more_are_ready(warehouse: Engine):
    """Where no article has yesterday's row: loaded as far as it came, and said so."""
    load_pairs(
        warehouse,
        pair(body(article("3_1", {"22": {}}), day=OLD_DAY), "24 08:30", day=OLD_DAY),
        SHOWS_NOTHING,
        pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY),
    )

    not_ready = "not_ready", "the figures are not ready yet: no article has yesterday's row"
    assert coverage(warehouse, "ready_at, row_count, error_kind, error") == [
        (at("24 08:30"), 1, None, None),
        (None, 1, *not_ready),
        (None, 0, *not_ready),
    ]


def test_an_article_that_the_newest_answer_omits_counts_no_more(warehouse: Engine):
    """It may be deleted: nobody waits for its row of yesterday."""
    load_pairs(warehouse, pair(body(article("1_1", {"22": {}})), "23 11:00"))

    (loaded,) = load_pairs(warehouse, pair(body(), "24 08:30"))

    assert loaded.coverage.ready_at == at("24 08:30")


@pytest.mark.parametrize(
    ("account", "dataset"),
    [(OTHER_ACCOUNT, ARTICLE_TOTAL), (ACCOUNT, ARTICLE_TOTAL_DETAIL)],
    ids=["another account's", "the other dataset's"],
)
def test_figures_of_others_show_nothing(warehouse: Engine, account: Account, dataset: Dataset):
    """Each account and each dataset is judged by its own answers."""
    answer = body(article("1_1", {"23": {}}), rows_key=dataset.rows_key)
    others = pair(answer, "24 08:30", dataset=dataset, account=account)
    load_pairs(warehouse, others, dataset=dataset)

    (loaded,) = load_pairs(warehouse, SHOWS_NOTHING)

    assert loaded.coverage.error_kind == "not_ready"


@pytest.mark.parametrize("order", [1, -1], ids=["shown last", "shown first"])
def test_a_chunk_is_judged_together(warehouse: Engine, order: int):
    """One article with yesterday's row, of whatever day, shows that it is computed."""
    load_pairs(warehouse, *[SHOWS_NOTHING, SHOWS_YESTERDAY][::order])

    assert coverage(warehouse, "error_kind, ready_at") == [(None, at("24 08:30"))] * 2
    assert rows(
        warehouse, "SELECT day, calls, inserted, attempted_at FROM weixin.run_report ORDER BY 1"
    ) == [(DAY, 1, 1, at("24 08:30")), (NEXT_DAY, 1, 2, at("24 08:30"))]


# ------------------------------------------------------------------------------------------ final

ROWS = {f"{day}": {"share_count": day} for day in range(20, 27)}
WHOLE = article("1_1", ROWS)
CUT = article("1_1", {day: row for day, row in ROWS.items() if day < "26"})
GAP_AND_MORE = article("1_1", {day: {} for day in (*ROWS, "27") if day != "23"})
ODD = article("1_1", {**ROWS, "22": {"share_count": "x"}})
SECOND = article("1_2", ROWS)


@pytest.mark.parametrize(
    ("answers", "final_on"),
    [
        ([((CUT,), "26 23:59"), ((WHOLE,), "27 00:01")], "27 00:01"),
        ([((WHOLE,), it) for it in ("27 10:30", "27 23:59", "28 08:30")], "28 08:30"),
        ([((WHOLE, SECOND), "27 11:00"), *(((WHOLE,), f"{it} 11:00") for it in (28, 29))], "29"),
        ([((GAP_AND_MORE,), "28 11:00"), ((GAP_AND_MORE,), "29 11:00")], "29"),
        ([((ODD,), f"{it} 11:00") for it in (26, 28, 29)], "29"),
    ],
    ids=[
        "whole",
        "confirmed on another day",
        "an article is deleted",
        "a row beyond the window replaces none",
        "a value does not fit",
    ],
)
def test_final(warehouse: Engine, answers: list[tuple[Any, str]], final_on: str):
    """Once two days list the same, and all of it has its rows or it is P+W+2; it stays so."""
    settled = "SELECT settled FROM weixin.coverage WHERE dataset = 'article_total'"
    found = []
    for articles, fetched in answers:
        load_pairs(warehouse, pair(body(*articles), fetched))
        found += [fetched for (word,) in rows(warehouse, settled) if word == "final"]

    assert [it.startswith(final_on) for it in found] == [True]
    load_pairs(warehouse, pair(body(SECOND), "30 11:00"))
    load_pairs(warehouse, refused(WeixinError(ProblemKind.UNREACHABLE), "30 12:00"))
    assert rows(warehouse, settled) == [("final",)]


@pytest.mark.parametrize("is_heard", [True, False])
def test_an_empty_answer_says_something_on_a_day_on_which_the_account_is_heard(
    warehouse: Engine, is_heard: bool
):
    """
    By an earlier chunk of the try, ready or not: only then it leaves a list.

    A second day confirms that.
    """
    other_day, speaks = date(2026, 11, 26), article("2_1", {"26": {}})
    for morning in ("28 08:30", "29 08:30"):
        loading = Load(warehouse, SCHEDULED, ready_hour=10)
        window = body(*[speaks] * is_heard, day=other_day)
        loading.commit([[pair(window, morning, day=other_day)]])
        loading.commit([[pair(body(), morning)]])

    settled, list_sha256 = coverage(warehouse, "settled, list_sha256")[0]
    assert (settled, list_sha256 is not None) == (("final", True) if is_heard else (None, False))
