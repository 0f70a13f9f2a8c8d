"""
Coverage: what the warehouse has of a pair, and how the last attempt ended.

What makes a pair ready or final is proven in tests/unit/test_rules.py; here, that the facts it is
judged by are those of the pair, whatever the commit they come in.
"""

from dataclasses import replace
from datetime import date
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
    know,
    load_pairs,
    pair,
    raw_answers,
    refused,
    rows,
)

from weixin_etl.api.errors import (
    ConfigurationError,
    UnreachableError,
    UnreadableError,
)
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.load import Load, Outcome
from weixin_etl.load.stage import unpacked
from weixin_etl.model import Account

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
    warehouse: Engine, bad: Outcome, error: tuple[Any, ...]
):
    """Only the attempt half changes; the bytes of an answer are kept, those of a refusal not."""
    load_pairs(warehouse, pair(COMPLETE, "24 08:30"))
    before = of_pair(warehouse, DATA)

    (judged,) = load_pairs(warehouse, bad, run_id="later")

    assert of_pair(warehouse, DATA) == before
    assert of_pair(warehouse, ATTEMPT) == ("failed", at("24 10:30"), 1, None, *error)
    assert judged.state == "failed"
    bodies = {COMPLETE, unpacked(bad.body_zstd)} if bad.summary else {COMPLETE}
    assert {body for body, _ in raw_answers(warehouse)} == bodies


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

    listed = "SELECT msgid, is_listed FROM analytics.article_listed ORDER BY msgid"
    assert rows(warehouse, listed) == [("1_1", True), ("1_2", True)]
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


# ------------------------------------------------------------------------------------------ ready

OLD_DAY, NEXT_DAY, YESTERDAY = (date(2026, 11, day) for day in (16, 22, 23))
SHOWS_NOTHING = pair(body(article("1_1", {"22": {"share_count": 1}})), "24 08:30")
SHOWS_YESTERDAY = pair(
    body(article("2_1", {"22": {}, "23": {}}), day=NEXT_DAY), "24 08:30", day=NEXT_DAY
)


def states(judged: list[Any]) -> list[str]:
    return [pair.state for pair in judged]


def test_days_that_count_no_more_are_ready(warehouse: Engine):
    """Where no article has yesterday's row: loaded as far as it came, and said so."""
    judged = load_pairs(
        warehouse,
        pair(body(article("3_1", {"22": {}}), day=OLD_DAY), "24 08:30", day=OLD_DAY),
        SHOWS_NOTHING,
        pair(body(day=YESTERDAY), "24 08:30", day=YESTERDAY),
    )

    assert states(judged) == ["loaded", "not_ready", "not_ready"]
    assert coverage(warehouse, "data_state, ready_at, attempt_state, attempts, error")[1] == (
        *("loaded", None, "not_ready", 1),
        "the figures are not ready yet: no article has yesterday's row",
    )


def test_an_article_that_the_newest_answer_omits_counts_no_more(warehouse: Engine):
    """It may be deleted: nobody waits for its row of yesterday."""
    load_pairs(warehouse, pair(body(article("1_1", {"22": {}})), "23 11:00"))

    assert states(load_pairs(warehouse, pair(body(), "24 08:30"))) == ["empty"]


@pytest.mark.parametrize(
    ("account", "dataset"),
    [(OTHER_ACCOUNT, ARTICLE_TOTAL), (ACCOUNT, ARTICLE_TOTAL_DETAIL)],
    ids=["another account's", "the other dataset's"],
)
def test_figures_of_others_show_nothing(warehouse: Engine, account: Account, dataset: Dataset):
    """Each account and each dataset is judged by its own answers."""
    answer = body(article("1_1", {"23": {}}), rows_key=dataset.rows_key)
    others = pair(answer, "24 08:30", dataset=dataset)
    load_pairs(warehouse, others, account=account, dataset=dataset)

    assert states(load_pairs(warehouse, SHOWS_NOTHING)) == ["not_ready"]


@pytest.mark.parametrize("order", [1, -1], ids=["shown last", "shown first"])
def test_the_last_commit_of_a_try_judges_all_its_pairs(warehouse: Engine, order: int):
    """One article with yesterday's row, of whatever day and commit, shows that it is computed."""
    first, last = [SHOWS_NOTHING, SHOWS_YESTERDAY][::order]
    loading = Load(warehouse, SCHEDULED, ready_hour=10)

    assert loading.commit([first], complete=[]) == []
    assert rows(warehouse, "SELECT inserted + updated > 0, state FROM weixin.run_report") == [
        (True, "planned")
    ]
    judged = loading.commit([last], complete=[ACCOUNT.appid])

    assert states(judged) == ["loaded", "loaded"]
    assert coverage(warehouse, "attempt_state, ready_at") == [("ok", at("24 08:30"))] * 2
    assert rows(
        warehouse,
        "SELECT publication_date, calls, inserted, state FROM weixin.run_report ORDER BY 1",
    ) == [(DAY, 1, 1, "loaded"), (NEXT_DAY, 1, 2, "loaded")]


# ------------------------------------------------------------------------------------------ final

ROWS = {f"{day}": {"share_count": day} for day in range(20, 27)}
WHOLE = article("1_1", ROWS)
CUT = article("1_1", {day: row for day, row in ROWS.items() if day < "26"})
GAP_AND_MORE = article("1_1", {day: {} for day in (*ROWS, "27") if day != "23"})
SECOND = article("1_2", {"20": {"share_count": 1}})
ELSEWHERE = pair(body(SECOND, rows_key="detail_list"), "26 10:00", dataset=ARTICLE_TOTAL_DETAIL)


@pytest.mark.parametrize(
    ("answers", "final_on"),
    [
        ([((CUT,), "26 23:59"), ((WHOLE,), "27 00:01")], "27 00:01"),
        ([((WHOLE, SECOND), "27 11:00"), *(((WHOLE,), f"{it} 11:00") for it in (28, 29))], "29"),
        ([((GAP_AND_MORE,), "28 11:00"), ((GAP_AND_MORE,), "29 11:00")], "29"),
    ],
    ids=["whole", "an article is deleted", "a row beyond the window replaces none"],
)
def test_final(warehouse: Engine, answers: list[tuple[Any, str]], final_on: str):
    """Once all articles that this dataset ever listed have their rows, and it stays so."""
    load_pairs(warehouse, ELSEWHERE, dataset=ARTICLE_TOTAL_DETAIL)
    final = "SELECT is_final FROM weixin.coverage WHERE dataset = 'article_total'"
    found = []
    for articles, fetched in answers:
        load_pairs(warehouse, pair(body(*articles), fetched))
        found += [fetched for (is_final,) in rows(warehouse, final) if is_final]

    assert [it.startswith(final_on) for it in found] == [True]
    load_pairs(warehouse, pair(body(SECOND), "24 11:00"))
    assert rows(warehouse, final) == [(True,)]


def test_an_empty_day_is_provisional_while_the_figures_are_late(warehouse: Engine):
    """An article lacks the row of yesterday: yesterday's articles may not be listed yet either."""
    yesterday = date(2026, 11, 22)
    know(warehouse, "wx1")
    load_pairs(
        warehouse,
        pair(body(article("1_1", {"20": {}, "21": {}})), "23 10:30"),
        pair(body(), "23 10:30", day=yesterday),
    )
    told = (
        "SELECT state, reason FROM analytics.coverage "
        "WHERE dataset = 'article_total' AND publication_date = '2026-11-22'"
    )
    late = rows(warehouse, told)
    load_pairs(
        warehouse,
        pair(body(article("1_1", {"20": {}, "21": {}, "22": {}})), "23 11:00"),
        pair(body(), "23 11:00", day=yesterday),
    )

    assert late == [
        (
            "empty",
            "provisional: WeChat may not have listed the articles yet; a daily run asks again",
        )
    ]
    assert rows(warehouse, told) == [("empty", None)]


def test_an_empty_day_waits_until_its_account_speaks(warehouse: Engine):
    """An answer for another day that lists an article wakes it, and two such mornings end it."""
    empty, other_day = "is_final, is_resting, is_provisional", date(2026, 11, 19)
    load_pairs(warehouse, pair(body(), "27 11:00"))
    load_pairs(warehouse, pair(body(), "28 11:00"))
    rests = coverage(warehouse, empty)
    load_pairs(warehouse, pair(body(SECOND, day=other_day), "28 12:00", day=other_day))
    woken = coverage(warehouse, empty)
    load_pairs(warehouse, pair(body(), "28 13:00"))
    load_pairs(
        warehouse,
        pair(body(), "29 11:00"),
        pair(body(SECOND, day=other_day), "29 11:01", day=other_day),
    )

    assert rests == [(False, True, True)]
    assert woken == [(False, False, True), (False, False, True)]
    assert coverage(warehouse, empty)[1] == (True, False, False)
