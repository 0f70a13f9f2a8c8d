"""What an account has left, and which days are held back for the daily runs of the day."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weixin_etl import rules
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run
from weixin_etl.rules import Quota

TODAY = date(2026, 11, 24)
DAILY = Run("daily", ARTICLE_TOTAL, TODAY, is_scheduled=True)
DATED = replace(DAILY, begin_date=date(2026, 1, 1), end_date=date(2026, 11, 23))
PAST = replace(DAILY, today=date(2026, 11, 20))
DAYS = [TODAY - timedelta(days=age) for age in range(1, 68)]
"""The window of seven, then sixty to catch up."""


def having(left: int | None, *, is_said: bool = True) -> Quota:
    """A quota of which this is left."""
    return Quota(0, 1000, left, is_said=is_said)


@pytest.mark.parametrize(
    ("said_limit", "said_left", "assumed_limit", "expected"),
    [
        (None, None, 1000, Quota(60, 1000, 940, is_said=False)),
        (500, None, 1000, Quota(60, 500, 440, is_said=False)),
        (1000, 20, 1000, Quota(60, 1000, 20, is_said=True)),
        (1000, 990, 1000, Quota(60, 1000, 990, is_said=True)),
        (None, 0, 0, Quota(60, None, 0, is_said=True)),
        (50, None, 1000, Quota(60, 50, 0, is_said=False)),
        (None, None, 0, Quota(60, None, None, is_said=False)),
    ],
    ids=[
        "the setting",
        "what WeChat said before",
        "WeChat says less than the count",
        "WeChat says more than the count",
        "45009",
        "more calls than the limit",
        "nobody says",
    ],
)
def test_what_is_left(
    said_limit: int | None, said_left: int | None, assumed_limit: int, expected: Quota
) -> None:
    """WeChat's word of the day, else the limit less what was counted."""
    assert expected == rules.quota(
        60, said_limit=said_limit, said_left=said_left, assumed_limit=assumed_limit
    )


@pytest.mark.parametrize(
    ("run", "left", "asked"),
    [
        (DAILY, 50, 7 + 3),
        (DAILY, 45, 7),
        (DAILY, 0, 7),
        (DAILY, 1000, 67),
        (DATED, 50, 10),
        (DATED, 40, 0),
        (PAST, 43, 3),
        (DAILY, None, 67),
        (DATED, None, 67),
    ],
)
def test_days_beyond_the_quota_are_held_back(run: Run, left: int | None, asked: int) -> None:
    """The window of a daily run never is; others leave a reserve of 40, the newest come first."""
    held_back = rules.beyond_quota(run, DAYS, having(left), today=TODAY, reserve=40)

    assert held_back == DAYS[asked:]


def test_a_refetch_does_not_believe_that_the_quota_is_used_up() -> None:
    """Somebody may have had it raised; what is left above nothing is believed."""
    refetch = replace(DATED, refetch=True)

    assert rules.beyond_quota(refetch, DAYS, having(0), today=TODAY, reserve=40) == []
    assert rules.beyond_quota(refetch, DAYS, having(1), today=TODAY, reserve=40) == DAYS


@given(
    left=st.integers(0, 200),
    reserve=st.integers(0, 120),
    count=st.integers(0, 67),
    run=st.sampled_from([DAILY, DATED, PAST]),
)
def test_the_reserve_is_whole(left: int, reserve: int, count: int, run: Run) -> None:
    """Unless the window of a daily run takes from it; and no call above it is left unused."""
    days = DAYS[:count]
    held_back = rules.beyond_quota(run, days, having(left), today=TODAY, reserve=reserve)
    asked = days[: len(days) - len(held_back)]
    beyond_window = [day for day in asked if not rules.has_priority(run, day, TODAY)]

    assert asked + held_back == days
    assert not any(rules.has_priority(run, day, TODAY) for day in held_back)
    if beyond_window:
        assert left - len(asked) >= reserve
    if held_back:
        assert left - len(asked) <= reserve
