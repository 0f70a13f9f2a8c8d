"""The one clock, and the day in Beijing."""

from datetime import UTC, date, datetime

import pytest

from weixin_etl import clock


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-24T15:59:59+00:00", date(2026, 11, 24)),
        ("2026-11-24T16:00:00+00:00", date(2026, 11, 25)),
        ("2026-12-31T16:00:00+00:00", date(2027, 1, 1)),
        ("2028-02-28T16:00:00+00:00", date(2028, 2, 29)),
        ("2026-11-24T12:00:00-04:00", date(2026, 11, 25)),
        ("2026-11-25T00:00:00+08:00", date(2026, 11, 25)),
    ],
)
def test_a_day_in_beijing_starts_at_16_utc(instant: str, day: date) -> None:
    """All year, at the ends of months and years too, whatever offset the instant is given in."""
    assert clock.beijing_date(datetime.fromisoformat(instant)) == day


def test_an_instant_without_an_offset_has_no_day() -> None:
    """Guessing the zone would shift rows by a day."""
    with pytest.raises(ValueError, match="no offset"):
        clock.beijing_date(datetime(2026, 11, 24, 8, 30))  # noqa: DTZ001 # naive is the case


def test_weixin_now_replaces_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instant it names, in UTC."""
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T07:30:00+08:00")

    assert clock.now() == datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    "written", ["2026-11-24T08:30:00", "2026-11-24", "tomorrow", "08:30", "1795480200"]
)
def test_a_weixin_now_without_offset_or_sense_is_refused(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is silently wrong would be worse than none."""
    monkeypatch.setenv("WEIXIN_NOW", written)

    with pytest.raises(ValueError, match=f"WEIXIN_NOW='{written}'"):
        clock.now()
