"""A rejected part is open until later answers give what it is about."""

from datetime import date, timedelta
from typing import Any

import pytest
from parse_cases import DAY, FETCHED_AT, body, item, read, row

from weixin_etl.load.parts import OpenParts
from weixin_etl.parse import day_before

ROWS = [row(f"2026-11-{day}", share_user=day) for day in (17, 18, 19)]
"""Of each day that an answer of the 20th can have rows of."""
OTHER = item(row(share_user=1), msgid="200_1")
VALUE = item(row(share_user="many", share_count=1), *ROWS[1:])
NO_DATE = item(row("?", share_user=1), *ROWS[1:])
TOO_EARLY = item(*ROWS, row("2026-11-20", share_user=20))
NO_ROWS = item(details="none")
OTHER_DAY = item(*ROWS, ref_date="2026-11-16")
NO_NAME = item(*ROWS, msgid="")


@pytest.mark.parametrize(
    ("rejecting", "later", "is_open"),
    [
        ([VALUE], [[item(row(share_user=5))]], False),
        ([VALUE], [[item(row(share_user=None), *ROWS[1:])]], True),
        ([VALUE], [[item(*ROWS[1:])], [OTHER], []], True),
        ([TOO_EARLY], [[item(*ROWS)]], True),
        ([TOO_EARLY], [[item(row("2026-11-20"))]], False),
        ([NO_DATE], [[item(*ROWS[1:])]], True),
        ([NO_DATE], [[item(*ROWS[1:])], [item(*ROWS[:1])]], False),
        ([NO_ROWS], [[item()], [OTHER]], True),
        ([NO_ROWS], [[item(*ROWS)]], False),
        ([OTHER_DAY], [[OTHER]], True),
        ([OTHER_DAY], [[item(*ROWS)]], False),
        ([OTHER, NO_NAME], [[OTHER]], True),
        ([OTHER, NO_NAME], [[OTHER], [item()]], False),
        ([OTHER, None], [[OTHER, item()]], False),
    ],
    ids=[
        "a value of the same article, day and metric",
        "null is none",
        "what is left out is not given",
        "another row",
        "a row of the same day",
        "a row without a date: some of its days",
        "all of them, one after the other",
        "an article without its rows",
        "with its rows",
        "an article of another day left out",
        "of the day asked for",
        "an article without a name left out",
        "as many articles as were listed with it",
        "what is no article",
    ],
)
def test_a_part_is_open_until_it_is_given(
    rejecting: list[Any], later: list[list[Any]], is_open: bool
) -> None:
    """By the answers after it, in the order they were seen; its own twin gives nothing."""
    parts = OpenParts(DAY, window=7)

    for number, items in enumerate([rejecting, *later]):
        fetched_at = FETCHED_AT.replace(day=20) + timedelta(days=number)
        parts.take(number, read(body(*items), fetched_at), day_before(fetched_at))

    assert [number for number, _ in parts.open] == [0] * is_open
    assert [number for number, _ in parts.given] == [0] * (not is_open)


def test_days_that_a_part_cannot_be_about_are_not_waited_for() -> None:
    """A month later an answer still has the rows of the window, and no others."""
    parts = OpenParts(DAY, window=2)
    parts.take(0, read(body(NO_DATE)), date(2026, 11, 30))

    parts.take(1, read(body(item(*ROWS[:2]))), date(2026, 11, 30))

    assert parts.open == []
