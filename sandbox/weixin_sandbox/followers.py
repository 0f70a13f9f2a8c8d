"""Made-up followers of an account: those won and lost on a day by channel, and the total."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from weixin_sandbox.answers import Json, Row
from weixin_sandbox.articles import followers_once, random_of

_SINCE = date(2025, 1, 1)
"""The day with a known total; the totals of other days are counted from it."""
_CHANNELS = {0: 4, 1: 11, 17: 3, 30: 6, 57: 14, 100: 1, 149: 1, 161: 2, 200: 2, 201: 1}
"""The weekly new followers of each channel, in about ten thousand followers."""


def change(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """Yield a row for each channel that won or lost followers on a day."""
    for channel, (new_user, cancel_user) in _by_channel(seed, appid, day).items():
        if new_user or cancel_user:
            yield channel, {"new_user": new_user, "cancel_user": cancel_user}


def total(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """Yield the row with the followers at the end of a day, the sum of all changes."""
    months = (day.year - _SINCE.year) * 12 + day.month - _SINCE.month
    between = range(min(0, months), max(0, months))
    months_net = sum(_month_net(seed, appid, month) for month in between)
    days_net = sum(_net(seed, appid, day.replace(day=n)) for n in range(1, day.day + 1))
    stock = followers_once(seed, appid) + (months_net if months > 0 else -months_net) + days_net
    yield "", {"cumulate_user": stock}


def _by_channel(seed: int, appid: str, day: date) -> dict[int, tuple[int, int]]:
    """Return the followers that each channel won and lost on a day."""
    random = random_of(seed, appid, day, "followers")
    size = followers_once(seed, appid) / 70_000
    return {
        channel: (
            int(random.expovariate(1) * usual * size),
            int(random.expovariate(1) * usual * size * (2 if channel == 0 else 0.75)),
        )
        for channel, usual in _CHANNELS.items()
    }


@cache
def _month_net(seed: int, appid: str, number: int) -> int:
    """Return the net change of a month, by its number since `_SINCE`."""
    years, month = divmod(_SINCE.month - 1 + number, 12)
    days = (date(_SINCE.year + years, month + 1, 1) + timedelta(days=age) for age in range(31))
    return sum(_net(seed, appid, day) for day in days if day.month == month + 1)


def _net(seed: int, appid: str, day: date) -> int:
    """Return the net change of a day."""
    return sum(won - lost for won, lost in _by_channel(seed, appid, day).values())
