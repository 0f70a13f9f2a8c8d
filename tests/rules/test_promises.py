"""What the rules promise after four good mornings, whatever happened in the 90 before."""

from dataclasses import replace
from typing import Any

import pytest
from hostile_answers import no_deadline
from hypothesis import example, given
from hypothesis import strategies as st
from world.drawn import Trouble, draw_calendar
from world.life import daily
from world.promises import broken_promises
from world.wechat import Refusal, World, at, in_time

from weixin_etl.datasets import ARTICLE_TOTAL

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


CALENDARS = {
    "fourteen mornings are missed, and the next is a lie": daily(
        world(range(30), lies_on={20: 1.0}), 30, range(6, 20)
    ),
    "an account stops for good, and then WeChat is silent": daily(
        world(range(-7, 14), silent=[(at(14), at(30))]), 30
    ),
    "WeChat stops counting an article, and 70 mornings are missed": daily(
        in_time(ARTICLE_TOTAL, {0: [range(2)]}), 75, range(4, 75)
    ),
    "47009 for five days in a row on one morning": daily(
        world(range(0), refused_on={(day, 3): Refusal.OFFLINE for day in range(-2, 3)}), 5
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_every_promise_holds_after(name: str) -> None:
    """Calendars that broke a promise before a rule was what it is."""
    assert broken_promises(CALENDARS[name]) == []
