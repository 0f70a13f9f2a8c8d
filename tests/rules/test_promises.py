"""What the rules promise after four good mornings, whatever happened in the 90 before."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hostile_answers import no_deadline
from hypothesis import example, given
from hypothesis import strategies as st
from world.drawn import Trouble, draw_calendar
from world.life import Calendar, daily
from world.promises import broken_promises
from world.wechat import Refusal, World, at, date_of, in_time

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run

ANY_TROUBLES = st.sets(st.sampled_from(Trouble)) | st.just(frozenset(Trouble))


@no_deadline
@given(st.integers(0, 2**32), st.integers(1, 90), ANY_TROUBLES)
@example(471588, 5, frozenset(Trouble))  # two lies empty a day's list, the second of a silence
def test_every_promise_holds_after_any_calendar(
    seed: int, mornings: int, troubles: frozenset[Trouble]
) -> None:
    """C1 to C10; `draw_calendar` with what hypothesis prints is the calendar that breaks one."""
    assert broken_promises(draw_calendar(seed, mornings, troubles)) == []


def world(days: range, **oddly: Any) -> World:
    """A whole article a day, with what is odd about the world."""
    return replace(in_time(ARTICLE_TOTAL, {day: [range(7)] for day in days}), **oddly)


def quiet(mornings: int, missed: range) -> Calendar:
    """An article that WeChat stops counting after two days, before so many missed mornings."""
    return daily(in_time(ARTICLE_TOTAL, {0: [range(2)]}), mornings, missed)


def logins(*connections: tuple[str, str | None, float, float]) -> Calendar:
    """Accounts A and B without articles."""
    calendar = daily(world(range(0)), 3)
    calendar.worlds[ARTICLE_TOTAL.name, "B"] = world(range(0))
    calendar.connections = list(connections)
    return calendar


def by_hand(day: int, first: int, last: int, **form: Any) -> tuple[float, Run, None]:
    """A run with dates, at 14:00."""
    dates = {"names_dates": True, "begin_date": date_of(first), "end_date": date_of(last)}
    return at(day, 14), Run(f"by hand {day}", ARTICLE_TOTAL, date_of(day), **dates, **form), None


def refused(day: float, until: float, refusal: Refusal) -> dict[str, Any]:
    """All pairs, for some time."""
    return {"refused": [(at(day), at(until), refusal, 1)]}


MONTH, FAILS = range(30), refused(20 + 14 / 24, 21, Refusal.FORBIDDEN)
CLEARED = replace(daily(world(MONTH, **FAILS), 30), clears=[(at(20, 15), "green all")] * 12)
GLITCH = {(day, 3): Refusal.OFFLINE for day in range(-2, 3)}
CALENDARS = {
    "fourteen mornings are missed, and the next is a lie": daily(
        world(MONTH, lies_on={20: 1.0}), 30, range(6, 20)
    ),
    "an account stops for good, and then WeChat is silent": daily(
        world(range(-7, 14), silent=[(at(14), at(30))]), 30
    ),
    "a backfill is answered by lies": daily(
        world(range(-80, 30), lies_on={12: 1.0}), 30, (), by_hand(12, -60, -50)
    ),
    "a refetch of a final day is refused": daily(
        world(range(1), **refused(10.5, 11, Refusal.FORBIDDEN)),
        12,
        (),
        by_hand(10, 0, 0, refetch=True),
    ),
    "48001 from P+W to P+W+3": daily(world(range(1), **refused(7, 11, Refusal.FORBIDDEN)), 14),
    "an article that WeChat stops counting, before 70 missed mornings": quiet(75, range(4, 75)),
    "47009 for five days in a row on one morning": daily(world(range(0), refused_on=GLITCH), 5),
    "47009 for good": daily(world(range(0), retired_at=at(1)), 5),
    "cleared with its plan while every call fails": CLEARED,
    "the login changes between plan and ingest": logins(
        ("a", "A", -inf, at(2, 8.508)), ("a", "B", at(2, 8.508), inf)
    ),
    "a connection has no login on one morning": logins(
        ("a", "A", -inf, inf), ("b", None, at(1), at(2)), ("b", "B", at(2), inf)
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_every_promise_holds_after(name: str) -> None:
    """Calendars that broke a promise before a rule was what it is."""
    assert broken_promises(CALENDARS[name]) == []
