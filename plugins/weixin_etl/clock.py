"""The one clock: every instant and every calendar decision is by it, so a test can live weeks."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""WeChat counts days in Beijing time (UTC+8, no daylight saving)."""
TOLERANCE = timedelta(minutes=5)
"""How far apart two clocks may be and still agree."""


def now() -> datetime:
    """
    The current instant, aware, in UTC.

    `WEIXIN_NOW` (ISO 8601 with an offset, say `2026-11-24T08:30:00+08:00`) replaces it.

    Raises:
        ValueError: `WEIXIN_NOW` is no such time.
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


def beijing(instant: datetime) -> tuple[date, time]:
    """The day and the time of day in Beijing at an aware instant."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset, so its day in Beijing is unknown")
    there = instant.astimezone(SHANGHAI)
    return there.date(), there.time()


def beijing_date(instant: datetime) -> date:
    """The calendar day in Beijing at an aware instant."""
    return beijing(instant)[0]


def beijing_text(*instants: datetime, pattern: str = "%Y-%m-%d %H:%M") -> str:
    """An aware instant, or a stretch of time, for a sentence: `2026-11-24 08:30 Beijing time`."""
    texts = (at.astimezone(SHANGHAI).strftime(pattern) for at in instants)
    return f"{' to '.join(texts)} Beijing time"


def days_as_ranges(days: Sequence[date], to: str = " to ", comma: str = ", ") -> str:
    """Return `2026-11-17 to 2026-11-19, 2026-11-23`: the days in order, neighbours joined."""
    numbered = enumerate(sorted(set(days)))
    neighbours = groupby(numbered, lambda pair: pair[1].toordinal() - pair[0])
    ranges = ([day for _, day in group] for _, group in neighbours)
    return comma.join(f"{run[0]}{to}{run[-1]}" if len(run) > 1 else str(run[0]) for run in ranges)
