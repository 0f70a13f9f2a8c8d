"""Which publication days are due, and when a day's totals have stopped growing."""

from datetime import UTC, date, datetime

import pytest

from weixin_etl import clock, window
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.window import DateRange, DateRangeError

YESTERDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("today", "first", "last"),
    [
        (date(2026, 11, 24), date(2026, 11, 17), date(2026, 11, 23)),
        (date(2026, 12, 1), date(2026, 11, 24), date(2026, 11, 30)),
        (date(2027, 1, 1), date(2026, 12, 25), date(2026, 12, 31)),
        (date(2028, 3, 1), date(2028, 2, 23), date(2028, 2, 29)),
        (date(2027, 3, 1), date(2027, 2, 22), date(2027, 2, 28)),
    ],
)
def test_a_run_asks_for_the_last_seven_publication_days(
    today: date, first: date, last: date
) -> None:
    """Across months, years and leap days; never for its own day."""
    asked = window.look_back_window(ARTICLE_TOTAL, today, yesterday=last)

    assert asked == DateRange(first, last)
    assert len(asked.days()) == 7


def test_every_day_is_asked_for_on_the_seven_mornings_after_it() -> None:
    """The last of them finds the row of day P + 6."""
    asking = [
        day
        for day in range(2, 31)
        if date(2026, 11, 10)
        in window.look_back_window(ARTICLE_TOTAL, date(2026, 11, day), date(2026, 11, day - 1))
    ]

    assert asking == [11, 12, 13, 14, 15, 16, 17]


def test_days_are_listed_oldest_first() -> None:
    """Both ends included."""
    assert DateRange(date(2026, 11, 29), date(2026, 12, 1)).days() == [
        date(2026, 11, 29),
        date(2026, 11, 30),
        date(2026, 12, 1),
    ]


def test_a_run_dated_in_the_future_asks_for_no_day_after_the_real_yesterday() -> None:
    """WeChat would refuse it; the days before are asked for."""
    asked = window.look_back_window(ARTICLE_TOTAL, date(2026, 11, 27), YESTERDAY)

    assert asked == DateRange(date(2026, 11, 20), date(2026, 11, 23))


def test_a_run_far_in_the_future_asks_for_nothing() -> None:
    """Its window has not begun."""
    assert window.look_back_window(ARTICLE_TOTAL, date(2027, 3, 1), YESTERDAY).days() == []


def test_no_day_before_wechats_first_is_asked_for() -> None:
    """The first is 2014-12-01."""
    asked = window.look_back_window(ARTICLE_TOTAL, date(2014, 12, 4), YESTERDAY)

    assert asked == DateRange(date(2014, 12, 1), date(2014, 12, 3))
    assert window.look_back_window(ARTICLE_TOTAL, date(2014, 12, 1), YESTERDAY).days() == []


def test_the_form_asks_for_its_days_both_included() -> None:
    """From WeChat's first day to the real yesterday, and one day is a range."""
    for first, last in [
        (date(2014, 12, 1), YESTERDAY),
        (date(2026, 11, 1), date(2026, 11, 9)),
        (YESTERDAY, YESTERDAY),
    ]:
        assert window.requested_range(ARTICLE_TOTAL, first, last, YESTERDAY) == DateRange(
            first, last
        )


def test_an_empty_form_asks_for_no_days_of_its_own() -> None:
    """Then it is the window's turn."""
    assert window.requested_range(ARTICLE_TOTAL, None, None, YESTERDAY) is None


@pytest.mark.parametrize(
    ("begin_date", "end_date", "sentence"),
    [
        (date(2026, 11, 1), None, "give both begin_date and end_date, or neither"),
        (None, date(2026, 11, 1), "give both begin_date and end_date, or neither"),
        (
            date(2026, 11, 3),
            date(2026, 11, 2),
            "begin_date 2026-11-03 is after end_date 2026-11-02",
        ),
        (
            date(2026, 11, 20),
            date(2026, 11, 24),
            "end_date 2026-11-24 is too late: WeChat knows days up to yesterday in Beijing, "
            "2026-11-23",
        ),
        (
            date(2014, 11, 30),
            date(2014, 12, 2),
            "begin_date 2014-11-30 is too early: getarticletotal starts on 2014-12-01",
        ),
    ],
)
def test_a_range_out_of_reach_is_refused_with_a_sentence(
    begin_date: date | None, end_date: date | None, sentence: str
) -> None:
    """It says why, and what WeChat knows."""
    with pytest.raises(DateRangeError) as error:
        window.requested_range(ARTICLE_TOTAL, begin_date, end_date, YESTERDAY)

    assert str(error.value) == sentence


def test_the_last_row_of_a_day_is_that_of_six_days_later() -> None:
    """Seven rows, the publication day's own included."""
    assert window.last_stat_date(ARTICLE_TOTAL, date(2026, 11, 28)) == date(2026, 12, 4)


@pytest.mark.parametrize(
    ("fetched_at", "is_past"),
    [
        (datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 16, 0, 0, tzinfo=UTC), True),
    ],
)
def test_a_window_is_past_from_beijings_midnight_on(fetched_at: datetime, is_past: bool) -> None:
    """Of P + 7: the day 17 November is past its window on the 24th."""
    assert window.is_past_window(ARTICLE_TOTAL, date(2026, 11, 17), fetched_at) is is_past


@pytest.mark.parametrize(
    ("fetched_at", "is_sure"),
    [
        (datetime(2026, 11, 23, 23, 0, tzinfo=clock.SHANGHAI), False),
        (datetime(2026, 11, 24, 9, 59, 59, tzinfo=clock.SHANGHAI), False),
        (datetime(2026, 11, 24, 10, 0, tzinfo=clock.SHANGHAI), True),
        (datetime(2026, 11, 24, 2, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 25, 0, 0, tzinfo=clock.SHANGHAI), True),
    ],
)
def test_an_empty_day_is_sure_from_ten_in_the_morning_on(
    fetched_at: datetime, is_sure: bool
) -> None:
    """Beijing time, on P + 7: before it, WeChat may only be late."""
    assert window.is_empty_for_good(ARTICLE_TOTAL, date(2026, 11, 17), fetched_at) is is_sure
