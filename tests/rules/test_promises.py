"""
Check the promises C1 to C10 of `world/promises.py`, after random calendars and known ones.

A calendar has up to 90 mornings with faults, and then four good ones. It is executed in memory,
with the rules alone.
"""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.hostile_answers import no_deadline
from world.promises import broken_promises
from world.random_calendars import Fault, draw_calendar
from world.simulation import Calendar, Start, daily
from world.wechat import Refusal, WeChat, at, date_of, in_time

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.model import Run

ANY_FAULTS = st.sets(st.sampled_from(Fault)) | st.just(frozenset(Fault))


@no_deadline
@given(st.integers(0, 2**32), st.integers(1, 90), ANY_FAULTS)
@example(784856, 80, frozenset(Fault))  # one endpoint retired, another unreadable for good
@example(471588, 5, frozenset(Fault))  # two lies empty a day's list, the second of a silence
def test_every_promise_holds_after_any_calendar(
    seed: int, mornings: int, faults: frozenset[Fault]
) -> None:
    """Hypothesis prints the arguments of `draw_calendar` that give the failing calendar."""
    assert broken_promises(draw_calendar(seed, mornings, faults)) == []


def daily_articles(days: range, late: dict[int, float] | None = None, **oddly: Any) -> WeChat:
    """Return an account with one article a day, all rows in time unless `late`, and its faults."""
    return replace(in_time(ARTICLE_TOTAL, {day: [range(7)] for day in days}, late), **oddly)


def refused(days: range, *times: tuple[float, float], by: Refusal = Refusal.FORBIDDEN) -> WeChat:
    """Return such an account whose calls are refused between the moments."""
    return daily_articles(days, refused=[(*time, by, 1) for time in times])


def by_hand(moment: float, day: int, **form: Any) -> Start:
    """Return the start of a run of a day, started by hand."""
    return moment, Run(f"by hand {day}", ARTICLE_TOTAL, date_of(day), **form), None


def two_accounts(*connections: tuple[str, str | None, float, float]) -> Calendar:
    """Return three mornings of accounts A and B, which have no articles."""
    calendar, names = (
        daily(daily_articles(range(0)), 3),
        [(ARTICLE_TOTAL.name, appid) for appid in "AB"],
    )
    return replace(
        calendar,
        wechats={name: daily_articles(range(0)) for name in names},
        connections=[*connections],
    )


def two_datasets() -> Calendar:
    """Return 95 mornings; the other dataset's DAG is unpaused for the last five."""
    first, other = daily(daily_articles(range(0)), 95), daily(in_time(DETAIL, {}), 95, range(94))
    return Calendar(95, first.wechats | other.wechats, first.runs + other.runs)


def dates(first: int, last: int, **form: Any) -> dict[str, Any]:
    """Return a run form's fields with dates."""
    names = {"begin_date": date_of(first), "end_date": date_of(last)}
    return {"names_dates": True, **names, **form}


DETAIL, ONE_DAY, MONTH, NO_DAYS = ARTICLE_TOTAL_DETAIL, range(1), range(30), range(0)
REFUSED_AT = refused(MONTH, (at(20, 14), at(21)))
CALENDARS = {
    "the last row is there on P+W+1 at 11:00": daily(daily_articles(ONE_DAY, {6: at(8, 11)}), 12),
    "the last row is there on P+W at 11:00": daily(daily_articles(range(12), {6: at(7, 11)}), 12),
    "a row is later than the last one": daily(daily_articles(ONE_DAY, {5: at(7, 9.1)}), 12),
    "yesterday's rows come at 09:15": daily(daily_articles(ONE_DAY, {3: at(4, 9.25)}), 12),
    "the answer of P+W is wrong": daily(daily_articles(ONE_DAY, lies_on={7: 1.0}), 12),
    "fourteen mornings are missed, and the next answer is wrong": daily(
        daily_articles(MONTH, lies_on={20: 1.0}), 30, range(6, 20)
    ),
    "a backfill gets wrong answers": daily(
        daily_articles(range(-80, 30), lies_on={12: 1.0}),
        30,
        (),
        by_hand(at(12, 14), 12, **dates(-60, -50)),
    ),
    "twelve silent mornings": daily(daily_articles(MONTH, silent=[(at(8), at(20))]), 30),
    "an account stops for good, and then WeChat is silent": daily(
        daily_articles(range(-7, 14), silent=[(at(14), at(30))]), 30
    ),
    "cleared with its plan while every call fails": replace(
        daily(REFUSED_AT, 30), clears=[(at(20, 15), "green all")] * 12
    ),
    "48001 from P+W to P+W+3": daily(refused(ONE_DAY, (at(7), at(11))), 14),
    "is_delay all day, of a day with data": daily(
        refused(ONE_DAY, (at(3), at(4)), by=Refusal.IS_DELAY), 5
    ),
    "an article that WeChat stops counting": daily(in_time(ARTICLE_TOTAL, {0: [range(2)]}), 14),
    "it was so before 70 mornings were missed": daily(
        in_time(ARTICLE_TOTAL, {0: [range(2)]}), 75, range(4, 75)
    ),
    "it was so before 47, of thirty days": daily(
        in_time(DETAIL, {3: [range(2)]}), 50, range(3, 50)
    ),
    "47009 for all on the first morning": daily(
        refused(ONE_DAY, (at(0), at(1)), by=Refusal.OFFLINE), 1
    ),
    "47009 for five days in a row on one morning": daily(
        daily_articles(NO_DAYS, refused_on={(day, 3): Refusal.OFFLINE for day in range(-2, 3)}), 5
    ),
    "47009 for good": daily(daily_articles(NO_DAYS, retired_at=at(1)), 5),
    "the other dataset is switched on later": two_datasets(),
    "a refetch of a final day is refused": daily(
        refused(ONE_DAY, (at(10, 14), at(10, 15))),
        12,
        (),
        by_hand(at(10, 14), 10, **dates(0, 0, refetch=True)),
    ),
    "repaired, then a later run is refused": daily(
        refused(ONE_DAY, (at(1), at(2)), (at(5, 9), at(5, 12))), 2, (), by_hand(at(5, 9), 5)
    ),
    "a backfill of past mornings came first": daily(
        daily_articles(NO_DAYS), 80, range(79), by_hand(at(78, 15), 0), by_hand(at(78, 15.1), 1)
    ),
    "the login changes between plan and ingest": two_accounts(
        ("a", "A", -inf, at(2, 8.508)), ("a", "B", at(2, 8.508), inf)
    ),
    "a connection has no login on one morning": two_accounts(
        ("a", "A", -inf, inf), ("b", None, at(1), at(2)), ("b", "B", at(2), inf)
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_every_promise_holds_after_a_known_calendar(name: str) -> None:
    """Each calendar once broke a promise, before a rule was corrected."""
    assert broken_promises(CALENDARS[name]) == []
