"""When nobody need ask for a pair again."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from weixin_etl import clock, coverage
from weixin_etl.coverage import Coverage
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse.articles import Article, Parsed, Rejected, row_type

DAY = date(2026, 11, 17)
"""The publication day: its last row is that of 23 November, ready on the morning of the 24th."""
Row = row_type(ARTICLE_TOTAL)


def at(day: int, hour: int = 8, minute: int = 30) -> datetime:
    """An instant of November 2026, Beijing time."""
    return datetime(2026, 11, day, hour, minute, tzinfo=clock.SHANGHAI)


def answer(*last_days: int, is_delayed: bool = False) -> Parsed:
    """An answer with an article per last day of November, each with all rows up to it."""
    articles = {}
    for number, last_day in enumerate(last_days, 1):
        days = [DAY + timedelta(days=offset) for offset in range(last_day - DAY.day + 1)]
        articles[f"100_{number}"] = Article(
            f"100_{number}", rows={day: Row(stat_date=day) for day in days}
        )
    return Parsed(articles, is_delayed=is_delayed)


def known(
    fetched_at: datetime, articles: int, rows: int, data_state: str | None = "loaded"
) -> Coverage:
    """The answer before."""
    return Coverage(DAY, data_state, fetched_at, False, articles, rows)


def is_final(
    parsed: Parsed,
    fetched_at: datetime,
    before: Coverage | None = None,
    has_changed: bool = False,
    is_unfinished: bool = False,
) -> bool:
    """Whether the pair is final after the answer."""
    return coverage.is_final(
        ARTICLE_TOTAL,
        DAY,
        parsed,
        fetched_at,
        known=before,
        has_changed=has_changed,
        is_unfinished=is_unfinished,
    )


def test_final_when_every_article_has_its_last_row() -> None:
    """At once, on the first morning past the window; a change does not matter."""
    assert is_final(answer(23, 23), at(24))
    assert is_final(answer(23, 23), at(24), known(at(23), 2, 12), has_changed=True)
    assert is_final(answer(23), at(24, hour=0, minute=0))


def test_not_final_before_the_window_is_past() -> None:
    """Not even with the last row, nor when two answers agree."""
    assert not is_final(answer(23), at(23, hour=23, minute=59))
    assert not is_final(answer(22), at(23), known(at(22), 1, 6))


def test_not_final_when_one_article_lacks_its_last_row() -> None:
    """The others having theirs is not enough, nor is a row beyond the window."""
    assert not is_final(answer(23, 22), at(24))
    beyond = answer(22)
    beyond.articles["100_1"].rows[date(2026, 11, 24)] = Row(stat_date=date(2026, 11, 24))
    assert not is_final(beyond, at(25))


def test_final_when_a_row_beyond_the_window_comes_with_the_last_one() -> None:
    """A window longer than declared is told by a check, not by asking for ever."""
    assert is_final(answer(24), at(25))


def test_final_when_answers_of_two_days_past_the_window_agree() -> None:
    """An article that WeChat stopped counting early has no last row ever."""
    assert is_final(answer(23, 20), at(25), known(at(24), 2, 11))


@pytest.mark.parametrize(
    ("before", "has_changed"),
    [
        (None, False),
        (known(at(25, hour=0, minute=0), 2, 11), False),
        (known(at(23, hour=23, minute=59), 2, 11), False),
        (known(at(24), 2, 11), True),
        (known(at(24), 3, 11), False),
        (known(at(24), 2, 12), False),
        (replace(known(at(24), 2, 11), fetched_at=None), False),
    ],
    ids=[
        "no answer before",
        "of the same day",
        "before the window was past",
        "a figure changed",
        "an article vanished",
        "a row vanished",
        "nothing was ever loaded",
    ],
)
def test_not_final_when_the_two_answers_do_not_count_or_agree(
    before: Coverage | None, has_changed: bool
) -> None:
    """Both must be past the window, of different days in Beijing, and say the same."""
    assert not is_final(answer(23, 20), at(25), before, has_changed)


def test_an_empty_list_is_final_from_ten_in_the_morning_on() -> None:
    """On P + 7; before, WeChat may only be late."""
    assert is_final(answer(), at(24, hour=10, minute=0))
    assert is_final(answer(), at(25), known(at(24), 0, 0, "empty"))
    assert not is_final(answer(), at(24, hour=9, minute=59))
    assert not is_final(answer(), at(23, hour=10))


def test_an_empty_list_where_there_are_figures_is_not_final_at_once() -> None:
    """Articles do not vanish: a second empty answer of another day has to confirm it."""
    assert not is_final(answer(), at(24, hour=11), known(at(23), 2, 12))
    assert is_final(answer(), at(25), known(at(24, hour=11), 0, 0))


def test_a_rejected_part_leaves_only_agreement() -> None:
    """Where a part was not read, not every article is known: last rows prove nothing."""
    rejected = [Rejected("msgid None is not a text", "{}")]
    unread, part_read = answer(), answer(23)
    unread.rejected = part_read.rejected = rejected

    assert not is_final(unread, at(24, hour=11))
    assert not is_final(part_read, at(24))
    assert is_final(part_read, at(25), known(at(24), 1, 7))


def test_never_final_when_wechat_says_that_figures_are_missing() -> None:
    """`is_delay` outweighs rows, agreement and emptiness."""
    assert not is_final(answer(23, is_delayed=True), at(24))
    assert not is_final(answer(20, is_delayed=True), at(25), known(at(24), 1, 4))
    assert not is_final(answer(is_delayed=True), at(24, hour=11))


def test_the_through_date_is_what_every_article_reaches() -> None:
    """The least of their last rows; None when one has no row, or there is no article."""
    assert coverage.through_date(answer(23, 20, 22)) == date(2026, 11, 20)
    assert coverage.through_date(answer()) is None
    without_rows = answer(23)
    without_rows.articles["100_2"] = Article("100_2")
    assert coverage.through_date(without_rows) is None


@pytest.mark.parametrize(
    ("yesterday", "is_counting"), [(date(2026, 11, 23), True), (date(2026, 11, 24), False)]
)
def test_a_day_counts_up_to_its_last_row(yesterday: date, is_counting: bool) -> None:
    """A row of the day P + 6 must come, one of P + 7 need not."""
    assert coverage.is_still_counting(ARTICLE_TOTAL, DAY, yesterday) is is_counting


def test_an_article_that_vanished_counts() -> None:
    """While a loaded article lacks its last row, only two days' agreement ends the wait for it."""
    assert not is_final(answer(23, 23), at(24), is_unfinished=True)
    assert is_final(answer(23), at(25), known(at(24), 1, 7), is_unfinished=True)
