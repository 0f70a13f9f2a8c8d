"""An account's followers: those won and lost on a day, by channel, and how many there are."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from weixin_sandbox.answers import Json, Row
from weixin_sandbox.figures import followers_once, random_of_day

_SINCE = date(2025, 1, 1)
"""A day on which the stock is known; others are counted from there."""
_CHANNELS = {0: 4, 1: 11, 17: 3, 30: 6, 57: 14, 100: 1, 149: 1, 161: 2, 200: 2, 201: 1}
"""By channel: about how many of ten thousand follow by it in a week."""


def change(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """A row for each channel that won or lost somebody."""
    random = random_of_day(seed, appid, day, "followers")
    size = followers_once(seed, appid) / 70_000
    for channel, usual in _CHANNELS.items():
        new_user = int(random.expovariate(1) * usual * size)
        cancel_user = int(random.expovariate(1) * usual * size * (2 if channel == 0 else 0.75))
        if new_user or cancel_user:
            yield channel, {"new_user": new_user, "cancel_user": cancel_user}


def total(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """The followers at the end of a day: what every day won and lost adds up to it."""
    months = (day.year - _SINCE.year) * 12 + day.month - _SINCE.month
    until = sum(_of_month(seed, appid, number) for number in range(min(0, months), max(0, months)))
    first = day.replace(day=1)
    since = sum(_net(seed, appid, first + timedelta(days=age)) for age in range(day.day))
    stock = followers_once(seed, appid) + (until if months > 0 else -until) + since
    yield "", {"cumulate_user": stock}


@cache
def _of_month(seed: int, appid: str, number: int) -> int:
    """What a month won and lost, by its number since `_SINCE`."""
    years, month = divmod(_SINCE.month - 1 + number, 12)
    day, net = date(_SINCE.year + years, month + 1, 1), 0
    while day.month == month + 1:
        net += _net(seed, appid, day)
        day += timedelta(days=1)
    return net


def _net(seed: int, appid: str, day: date) -> int:
    return sum(
        int(str(row["new_user"])) - int(str(row["cancel_user"]))
        for _, row in change(seed, appid, day)
    )
