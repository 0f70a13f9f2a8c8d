"""What an account has left, and which days are held back for the daily runs of the day."""

from dataclasses import replace
from datetime import date, timedelta
from math import inf

import pytest

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
    ("run", "spare", "asked"),
    [
        (DAILY, 10, 7 + 3),
        (DAILY, 5, 7),
        (DAILY, -40, 7),
        (DAILY, inf, 67),
        (DATED, 10, 10),
        (DATED, 0, 0),
        (DATED, inf, 67),
        (PAST, 3, 3),
    ],
)
def test_days_beyond_the_quota_are_held_back(run: Run, spare: float, asked: int) -> None:
    """The window of a daily run never is."""
    held_back = [
        day for n, day in enumerate(DAYS) if rules.is_held_back(run, day, spare - n, TODAY)
    ]

    assert held_back == DAYS[asked:]


@pytest.mark.parametrize(
    ("limit", "held_back", "expected"),
    [(1000, 0, 0), (1000, 960, 1), (1000, 961, 2), (40, 9, 0), (None, 0, 0)],
)
def test_days_that_quota_is_lacking_for(limit: int | None, held_back: int, expected: int) -> None:
    """Each day leaves the reserve whole; 0 where it leaves nothing else."""
    assert rules.further_days(Quota(0, limit, limit, is_said=True), held_back, reserve=40) == (
        expected
    )


@pytest.mark.parametrize(
    ("left", "refetch", "spare"),
    [(100, False, 60), (30, False, -10), (None, False, inf), (0, True, inf), (1, True, -39)],
)
def test_calls_that_leave_the_reserve_whole(left: int | None, refetch: bool, spare: float) -> None:
    """A refetch does not believe that none is left: somebody may have had the quota raised."""
    quota = Quota(0, 1000, left, is_said=True)

    assert rules.spare_calls(quota, refetch=refetch, reserve=40) == spare
