"""
The clock of the package, with conversions to Beijing time.

All code reads the time here. Tests set `WEIXIN_NOW` and so simulate weeks of runs. Where it is set,
the log, the page and `weixin-etl status` say so, in case it was left behind by mistake.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""WeChat counts days in Beijing time (UTC+8, no daylight saving)."""
TOLERANCE = timedelta(minutes=5)
"""The largest difference at which two clocks still agree."""


def now() -> datetime:
    """
    Return the current instant, aware, in UTC.

    The environment variable `WEIXIN_NOW` replaces it: ISO 8601 with an offset, for example
    `2026-11-24T08:30:00+08:00`.

    Raises:
        ValueError: `WEIXIN_NOW` is not an ISO time with an offset.
    """
    replacement = os.environ.get("WEIXIN_NOW")
    if not replacement:
        return datetime.now(UTC)
    with suppress(ValueError):
        instant = datetime.fromisoformat(replacement)
        if instant.tzinfo:
            return instant.astimezone(UTC)
    raise ValueError(
        f"WEIXIN_NOW={replacement!r} is not an ISO time with an offset; "
        "write it like 2026-11-24T08:30:00+08:00 or unset it."
    )


def is_replaced() -> bool:
    """Return whether the environment variable `WEIXIN_NOW` replaces the clock."""
    return bool(os.environ.get("WEIXIN_NOW"))


def replaced_clock_warning() -> str:
    """
    Return what to tell the reader of a log while `WEIXIN_NOW` replaces the clock.

    Raises:
        ValueError: `WEIXIN_NOW` is not an ISO time with an offset.
    """
    return (
        f"WEIXIN_NOW replaces the clock: for the pipeline it is {beijing_text(now())}. "
        "Unset it in the environment of all of Airflow's processes, unless this is a test."
    )


def beijing(instant: datetime) -> tuple[date, time]:
    """
    Return the day and the time of day in Beijing at an aware instant.

    Raises:
        ValueError: the instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset, so its day in Beijing is unknown")
    beijing_time = instant.astimezone(SHANGHAI)
    return beijing_time.date(), beijing_time.time()


def beijing_date(instant: datetime) -> date:
    """Return the calendar day in Beijing at an aware instant; raise ValueError if it is naive."""
    return beijing(instant)[0]


def beijing_text(*instants: datetime, pattern: str = "%Y-%m-%d %H:%M") -> str:
    """
    Return one or two aware instants as text for a sentence: `2026-11-24 08:30 Beijing time`.

    Two instants form a period, joined by " to ". `pattern` is the `strftime` format of each.
    """
    texts = (at.astimezone(SHANGHAI).strftime(pattern) for at in instants)
    return f"{' to '.join(texts)} Beijing time"


def time_text(instant: datetime) -> str:
    """Return the day and time in Beijing at an aware instant: `2026-11-24 08:30`."""
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def hour_text(instant: datetime) -> str:
    """Return the time of day in Beijing at an aware instant: `08:30`."""
    return f"{instant.astimezone(SHANGHAI):%H:%M}"


def days_as_ranges(days: Sequence[date], to: str = " to ", comma: str = ", ") -> str:
    """
    Return the days in order, neighbours joined: `2026-11-17 to 2026-11-19, 2026-11-23`.

    The days may be in any order and repeated. Without days the text is empty. `to` joins the ends
    of a range, and `comma` joins ranges.
    """
    numbered = enumerate(sorted(set(days)))
    # The difference of a day and its position is the same for all days of an unbroken range.
    groups = groupby(numbered, lambda numbered_day: numbered_day[1].toordinal() - numbered_day[0])
    ranges = ([day for _, day in group] for _, group in groups)
    return comma.join(str(days[0]) + (f"{to}{days[-1]}" if days[1:] else "") for days in ranges)
