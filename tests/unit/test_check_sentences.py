"""What check says of broken promises: each account, its reasons and their days."""

from collections import namedtuple
from datetime import date

from weixin_etl.check import _named as named

Broken = namedtuple("Broken", "appid publication_date msgid detail")


def test_one_reason_of_many_calls_is_said_once() -> None:
    """WeChat marks each call with an id of its own; the days are what differs."""
    rows = [
        Broken("wx1", date(2026, 11, day), None, f"failed: no (errcode 48001: no rid: 6a-{day}b)")
        for day in range(17, 24)
    ]

    assert named(rows) == (
        "wx1 failed: no (errcode 48001: no) [2026-11-17, 2026-11-18, 2026-11-19, 2026-11-20, "
        "2026-11-21, 2026-11-22, 2026-11-23]"
    )


def test_every_account_is_named_and_many_reasons_are_cut() -> None:
    """An article each: the first five, then that there are more."""
    rows = [Broken("wx1", None, f"1_{n}", "fell") for n in range(1, 8)]

    assert named([*rows, Broken("wx2", None, None, "planned")]) == (
        "wx1 1_1 fell; wx1 1_2 fell; wx1 1_3 fell; wx1 1_4 fell; wx1 1_5 fell; …; wx2 planned"
    )
