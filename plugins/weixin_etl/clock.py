"""The one clock: every calendar decision asks it, so a test can live through weeks."""

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""WeChat counts days in Beijing time (UTC+8, no daylight saving)."""


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
    try:
        instant = datetime.fromisoformat(replacement)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(
            f"WEIXIN_NOW={replacement!r} is not an ISO time with an offset; "
            "write it like 2026-11-24T08:30:00+08:00 or unset it."
        )
    return instant.astimezone(UTC)


def beijing_date(instant: datetime) -> date:
    """The calendar day in Beijing at an aware instant."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset, so its day in Beijing is unknown")
    return instant.astimezone(SHANGHAI).date()


def yesterday() -> date:
    """The newest publication day WeChat can be asked for."""
    return beijing_date(now()) - timedelta(days=1)
