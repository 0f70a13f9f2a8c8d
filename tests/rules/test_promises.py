"""What the rules promise after four good mornings, whatever happened in the 90 before."""

from math import inf
from typing import Any

import pytest
from hostile_answers import no_deadline
from hypothesis import example, given
from hypothesis import strategies as st
from world.drawn import Trouble, draw_calendar
from world.life import Calendar, Start, daily
from world.promises import broken_promises
from world.wechat import Refusal, World, at, date_of, in_time

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
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


# ------------------------------------------------------------------------------ calendars by name

FULL = range(ARTICLE_TOTAL.window)
QUIET = range(2)
"""The rows of an article that WeChat stops counting after two days."""


def one_day(*articles: range, late: dict[int, float] | None = None) -> World:
    """Articles of day 0 alone."""
    return in_time(ARTICLE_TOTAL, {0: articles}, late)


def silent() -> World:
    """No article ever."""
    return in_time(ARTICLE_TOTAL, {})


def refused(world: World, begin: float, end: float, refusal: Refusal) -> World:
    """The world, with a refusal of all pairs for some time."""
    world.refused.append((begin, end, refusal, 1))
    return world


def lying(world: World, *days: int) -> World:
    """The world, whose answers on some days are lies."""
    world.lies_on = dict.fromkeys(days, 1.0)
    return world


def silenced(world: World, begin: float, end: float) -> World:
    """The world, whose every answer is empty for some time."""
    world.silent.append((begin, end))
    return world


def every_day(days: range, late: dict[int, float] | None = None) -> World:
    """An article a day."""
    return in_time(ARTICLE_TOTAL, {day: [FULL] for day in days}, late)


def by_hand(moment: float, day: int, **form: Any) -> Start:
    """A run of a day, started by hand."""
    return moment, Run(f"by hand {day}", ARTICLE_TOTAL, date_of(day), **form), None


def two_accounts(mornings: int, *connections: tuple[str, str | None, float, float]) -> Calendar:
    """A calendar of accounts A and B without articles."""
    calendar = daily(silent(), mornings)
    calendar.worlds[ARTICLE_TOTAL.name, "B"] = silent()
    calendar.connections = list(connections)
    return calendar


def two_datasets() -> Calendar:
    """The other dataset's DAG is switched on for the last five mornings."""
    calendar = daily(silent(), 95)
    other = daily(in_time(ARTICLE_TOTAL_DETAIL, {}), 95, range(94))
    return Calendar(95, calendar.worlds | other.worlds, calendar.runs + other.runs)


REFETCH = {"names_dates": True, "begin_date": date_of(0), "end_date": date_of(0), "refetch": True}
GLITCH = silent()
GLITCH.refused_on = {(day, 3): Refusal.OFFLINE for day in range(-2, 3)}
RETIRED = silent()
RETIRED.retired_at = at(1)
CALENDARS = {
    "the last row is there on P+W+1 at 11:00": daily(one_day(FULL, late={6: at(8, 11)}), 12),
    "the last row is there on P+W at 11:00": daily(every_day(range(12), {6: at(7, 11)}), 12),
    "a row is later than the last one": daily(one_day(FULL, late={5: at(7, 9.1)}), 12),
    "the answer of P+W is a lie": daily(lying(one_day(FULL, FULL), 7), 12),
    "fourteen mornings are missed, and the next is a lie": daily(
        lying(every_day(range(30)), 20), 30, range(6, 20)
    ),
    "twelve silent mornings": daily(silenced(every_day(range(30)), at(8), at(20)), 30),
    "an account stops for good, and then WeChat is silent": daily(
        silenced(every_day(range(-7, 14)), at(14), at(30)), 30
    ),
    "a backfill is answered by lies": daily(
        lying(every_day(range(-80, 30)), 12),
        30,
        (),
        by_hand(at(12, 14), 12, names_dates=True, begin_date=date_of(-60), end_date=date_of(-50)),
    ),
    "cleared with its plan while every call fails": Calendar(
        30,
        {
            (ARTICLE_TOTAL.name, "A"): refused(
                every_day(range(30)), at(20, 14), at(21), Refusal.FORBIDDEN
            )
        },
        daily(every_day(range(1)), 30).runs,
        clears=[(at(20, 15), "green all")] * 12,
    ),
    "yesterday's rows come at 09:15": daily(one_day(FULL, late={3: at(4, 9.25)}), 12),
    "48001 from P+W to P+W+3": daily(refused(one_day(FULL), at(7), at(11), Refusal.FORBIDDEN), 14),
    "is_delay all day, of a day with data": daily(
        refused(one_day(FULL), at(3), at(4), Refusal.IS_DELAY), 5
    ),
    "an article that WeChat stops counting": daily(one_day(QUIET), 14),
    "it was so before 70 mornings were missed": daily(one_day(QUIET), 75, range(4, 75)),
    "it was so before 47, of thirty days": daily(
        in_time(ARTICLE_TOTAL_DETAIL, {3: [QUIET]}), 50, range(3, 50)
    ),
    "47009 for all on the first morning": daily(
        refused(one_day(FULL), at(0), at(1), Refusal.OFFLINE), 1
    ),
    "47009 for five days in a row on one morning": daily(GLITCH, 5),
    "47009 for good": daily(RETIRED, 5),
    "the other dataset is switched on later": two_datasets(),
    "a refetch of a final day is refused": daily(
        refused(one_day(FULL), at(10, 14), at(10, 15), Refusal.FORBIDDEN),
        12,
        (),
        by_hand(at(10, 14), 10, **REFETCH),
    ),
    "repaired, then a later run is refused": daily(
        refused(
            refused(one_day(FULL), at(1), at(2), Refusal.FORBIDDEN),
            at(5, 9),
            at(5, 12),
            Refusal.FORBIDDEN,
        ),
        2,
        (),
        by_hand(at(5, 9), 5),
    ),
    "a backfill of past mornings came first": daily(
        silent(), 80, range(79), by_hand(at(78, 15), 0), by_hand(at(78, 15.1), 1)
    ),
    "the login changes between plan and ingest": two_accounts(
        3, ("a", "A", -inf, at(2, 8.508)), ("a", "B", at(2, 8.508), inf)
    ),
    "a connection has no login on one morning": two_accounts(
        3, ("a", "A", -inf, inf), ("b", None, at(1), at(2)), ("b", "B", at(2), inf)
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_every_promise_holds_after(name: str) -> None:
    """Calendars that broke a promise before a rule was what it is."""
    assert broken_promises(CALENDARS[name]) == []
