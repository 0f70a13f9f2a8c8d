"""Coverage: what the warehouse has of a pair, and how the last attempt ended."""

from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import ACCOUNT, DAY, article, at, body, load_pairs, pair, rows

from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.pair import Pair

COMPLETE = body(article("1_1", {"20": {"share_count": 1}, "23": {"share_count": 2}}))
DATA = "data_state, through_date::text, fetched_at, is_final, article_count, row_count"
ATTEMPT = "attempt_state, attempted_at, attempts, next_attempt_at, error_code, error"
NO_ERROR = (None, None, None)


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def coverage(warehouse: Engine, columns: str, day: date = DAY) -> tuple:
    ((*found,),) = rows(
        warehouse,
        f"SELECT {columns} FROM weixin.coverage "  # noqa: S608 # columns are the test's
        "WHERE dataset = 'article_total' AND appid = 'wx1' AND publication_date = :day",
        day=day,
    )
    return tuple(found)


def refused(error: WeixinError, calls: int = 1) -> Pair:
    return Pair(DAY, calls, error=error)


def test_loaded(warehouse: Engine):
    """A pair with articles is loaded, through the last day every article reaches."""
    answer = body(
        article("1_1", {"20": {}, "22": {}, "23": {}}),
        article("1_2", {"20": {}, "22": {}}),
    )

    (report,) = load_pairs(warehouse, pair(answer, "24 08:30"))

    assert coverage(warehouse, DATA) == ("loaded", "2026-11-22", at("24 08:30"), False, 2, 5)
    assert coverage(warehouse, ATTEMPT) == ("ok", at("24 10:30"), 0, *NO_ERROR)
    assert report.state == "loaded"


def test_article_without_a_row_reaches_no_day(warehouse: Engine):
    """One article without any row leaves the pair without a day every article reaches."""
    answer = body(article("1_1", {"23": {}}), article("1_2", {}))

    load_pairs(warehouse, pair(answer, "24 08:30"))

    assert coverage(warehouse, DATA) == ("loaded", None, at("24 08:30"), False, 2, 1)


def test_empty(warehouse: Engine):
    """A day without publications is empty, which is in, too."""
    (report,) = load_pairs(warehouse, pair(body(), "24 08:30"))

    assert coverage(warehouse, DATA) == ("empty", None, at("24 08:30"), False, 0, 0)
    assert coverage(warehouse, ATTEMPT) == ("ok", at("24 10:30"), 0, *NO_ERROR)
    assert report.state == "empty"


def test_pair_that_had_articles_stays_loaded(warehouse: Engine):
    """An empty list after articles leaves the pair loaded; the counts are the newest answer's."""
    load_pairs(warehouse, pair(COMPLETE, "24 08:30"))

    load_pairs(warehouse, pair(body(), "24 09:30"))

    assert coverage(warehouse, DATA) == ("loaded", None, at("24 09:30"), False, 0, 0)


def test_refusal_of_a_pair_without_data(warehouse: Engine):
    """A pair that never came in has no data, and the sentence that says why."""
    error = UnreachableError("timeout", account=str(ACCOUNT), errcode=-1)

    (report,) = load_pairs(warehouse, refused(error, calls=5))

    assert coverage(warehouse, DATA) == (None, None, None, False, None, None)
    assert coverage(warehouse, ATTEMPT) == (
        "failed",
        at("24 10:30"),
        1,
        None,
        -1,
        "报纸 (wx1): WeChat could not be reached or was busy (errcode -1: timeout)",
    )
    assert report.state == "failed"
    assert rows(warehouse, "SELECT calls, state FROM weixin.run_report") == [(5, "failed")]


def test_refusal_keeps_the_data(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """A pair with data that is refused today keeps its data half; only the attempt changes."""
    load_pairs(warehouse, pair(COMPLETE, "24 08:30"))
    before = coverage(warehouse, DATA)
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T08:30:00+08:00")

    load_pairs(warehouse, refused(ConfigurationError("", account="报纸", errcode=40164)))

    assert before == ("loaded", "2026-11-23", at("24 08:30"), False, 1, 2)
    assert coverage(warehouse, DATA) == before
    assert coverage(warehouse, ATTEMPT) == (
        "failed",
        at("25 08:30"),
        1,
        None,
        40164,
        "报纸: this machine's IP is not on the account's whitelist; add it in the console "
        "(errcode 40164)",
    )


def test_refusal_of_an_empty_pair_leaves_it_empty(warehouse: Engine):
    """What was empty stays so when asking once more fails."""
    load_pairs(warehouse, pair(body(), "24 08:30"))

    load_pairs(warehouse, refused(UnreachableError()))

    assert coverage(warehouse, DATA) == ("empty", None, at("24 08:30"), False, 0, 0)
    assert coverage(warehouse, "attempt_state") == ("failed",)


def test_refusal_of_a_final_pair_leaves_it_final(warehouse: Engine):
    """What is final stays final when asking once more fails."""
    final = body(article("1_1", {"26": {"share_count": 1}}))
    load_pairs(warehouse, pair(final, "27 08:30"))

    load_pairs(warehouse, refused(UnreachableError()))

    assert coverage(warehouse, "is_final, attempt_state") == (True, "failed")


def test_attempts_are_counted_until_one_is_ok(warehouse: Engine):
    """Attempts in a row that brought nothing are counted; an ok one starts over and clears why."""
    for _ in range(3):
        load_pairs(warehouse, refused(UnreachableError()))
    assert coverage(warehouse, "attempts") == (3,)

    load_pairs(warehouse, pair(COMPLETE, "24 10:00"))
    assert coverage(warehouse, ATTEMPT) == ("ok", at("24 10:30"), 0, *NO_ERROR)

    load_pairs(warehouse, refused(UnreachableError()))
    assert coverage(warehouse, "attempts") == (1,)


@pytest.mark.parametrize(
    ("now_", "next_attempt"),
    [
        ("2026-11-24T10:30:00+08:00", "25 00:00"),
        ("2026-11-24T23:59:59+08:00", "25 00:00"),
        ("2026-11-25T00:00:00+08:00", "26 00:00"),
        ("2026-11-24T15:59:00+00:00", "25 00:00"),
        ("2026-11-24T16:01:00+00:00", "26 00:00"),
    ],
)
def test_daily_quota_rests_until_midnight_in_beijing(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, now_: str, next_attempt: str
):
    """After 45009 nobody need ask before the next day in Beijing begins."""
    monkeypatch.setenv("WEIXIN_NOW", now_)

    load_pairs(warehouse, refused(DailyQuotaError(account="报纸", errcode=45009)))

    assert coverage(warehouse, "error_code, next_attempt_at") == (45009, at(next_attempt))


def test_rest_ends_with_the_next_attempt(warehouse: Engine):
    """An attempt that ends otherwise takes the rest back."""
    load_pairs(warehouse, refused(DailyQuotaError(errcode=45009)))

    load_pairs(warehouse, refused(UnreachableError()))

    assert coverage(warehouse, "error_code, next_attempt_at") == (None, None)


def test_older_answer_arriving_late_leaves_the_data_half(warehouse: Engine):
    """Of the data half the answer fetched last stands, not the one that arrived last."""
    load_pairs(warehouse, pair(COMPLETE, "24 09:30"))

    load_pairs(warehouse, pair(body(article("1_1", {"20": {}, "21": {}, "22": {}})), "23 08:30"))

    assert coverage(warehouse, DATA) == ("loaded", "2026-11-23", at("24 09:30"), False, 1, 2)


def test_older_articles_arriving_late_after_an_empty_answer(warehouse: Engine):
    """Articles that arrive late make an empty pair loaded, and leave the newest answer's counts."""
    load_pairs(warehouse, pair(body(), "24 09:30"))

    (report,) = load_pairs(warehouse, pair(COMPLETE, "24 08:30"))

    assert coverage(warehouse, DATA) == ("loaded", None, at("24 09:30"), False, 0, 0)
    assert report.state == "loaded"


def test_pair_not_asked_for_keeps_its_coverage(warehouse: Engine):
    """A pair that was final already is reported as it is and its attempt is left alone."""
    load_pairs(warehouse, pair(COMPLETE, "24 08:30"))
    before = coverage(warehouse, "xmin, *")

    (report,) = load_pairs(warehouse, Pair(DAY, 0), run_id="later")

    assert coverage(warehouse, "xmin, *") == before
    assert report.state == "loaded"
    assert rows(
        warehouse, "SELECT calls, unchanged, state FROM weixin.run_report WHERE run_id = 'later'"
    ) == [(0, 0, "loaded")]


def test_an_answer_of_which_nothing_fits_is_a_failure(warehouse: Engine):
    """It is kept and not taken for a day without publications."""
    answer = body(article("", {"20": {"share_count": 1}}))

    (report,) = load_pairs(warehouse, pair(answer, "24 08:30"))

    state, attempt_state, error = coverage(warehouse, "data_state, attempt_state, error")
    assert (report.state, state, attempt_state) == ("failed", "loaded", "failed")
    assert "no row of the answer fits, the first of 1 rejected parts because of" in error
    assert "msgid '' is not a text" in error
    assert rows(warehouse, "SELECT reason FROM weixin.rejected_row") == [
        ("msgid '' is not a text",)
    ]


def test_an_article_of_which_no_row_fits_is_a_failure(warehouse: Engine):
    """Its figures are not in, however late they come."""
    answer = body(article("1_1", {"20": {"share_count": "1"}, "23": {"share_count": "2"}}))

    (report,) = load_pairs(warehouse, pair(answer, "30 08:30"))

    assert report.state == "failed"
    assert coverage(warehouse, "is_final, attempt_state") == (False, "failed")
