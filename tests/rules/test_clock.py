"""Check the one clock of the pipeline, and the date in Beijing."""

from datetime import UTC, date, datetime

import pytest

from weixin_etl import clock


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-24T15:59:59+00:00", date(2026, 11, 24)),
        ("2026-12-31T16:00:00+00:00", date(2027, 1, 1)),
        ("2026-11-24T12:00:00-04:00", date(2026, 11, 25)),
    ],
)
def test_a_day_in_beijing_starts_at_16_utc(instant: str, day: date) -> None:
    """An instant without an offset is refused: guessing would shift rows by a day."""
    assert clock.beijing_date(datetime.fromisoformat(instant)) == day
    with pytest.raises(ValueError, match="no offset"):
        clock.beijing_date(datetime.fromisoformat(instant[:19]))


def test_weixin_now_replaces_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is not an instant with an offset is refused."""
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T07:30:00+08:00")
    assert clock.now() == datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    for written in ("2026-11-24T08:30:00", "2026-11-24", "tomorrow", "08:30", "1795480200"):
        monkeypatch.setenv("WEIXIN_NOW", written)
        with pytest.raises(ValueError, match=f"WEIXIN_NOW='{written}'"):
            clock.now()
