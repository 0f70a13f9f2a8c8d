"""The one clock, and the day in Beijing."""

from datetime import UTC, date, datetime, timedelta

import pytest

from weixin_etl import clock


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-24T23:30:00+00:00", date(2026, 11, 25)),
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
    with pytest.raises(ValueError, match="has no offset, so its day in Beijing is unknown"):
        clock.beijing_date(datetime(2026, 11, 24, 8, 30))  # noqa: DTZ001 # naive is the case


def test_weixin_now_replaces_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instant it names, in UTC; the day in Beijing follows."""
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T07:30:00+08:00")

    assert clock.now() == datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    assert clock.beijing_date(clock.now()) == date(2026, 11, 25)


@pytest.mark.parametrize(
    "written", ["2026-11-24T08:30:00", "2026-11-24", "tomorrow", "08:30", "1795480200"]
)
def test_a_weixin_now_without_offset_or_sense_is_refused(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is silently wrong would be worse than none."""
    monkeypatch.setenv("WEIXIN_NOW", written)

    with pytest.raises(ValueError, match="is not an ISO time with an offset") as error:
        clock.now()

    assert str(error.value) == (
        f"WEIXIN_NOW='{written}' is not an ISO time with an offset; "
        "write it like 2026-11-24T08:30:00+08:00 or unset it."
    )


def test_clocks_that_disagree_are_told_in_beijing_time() -> None:
    """As all times in sentences are; it says so. Five minutes are no disagreement."""
    theirs = datetime.now(UTC) - timedelta(minutes=61)
    at = theirs.astimezone(clock.SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")

    said = clock.disagreement(theirs)

    assert said.startswith("this machine's clock says 20")
    assert said.endswith(f", WeChat's {at} Beijing time")
    assert clock.disagreement(theirs + timedelta(minutes=57)) == ""


def test_a_time_in_a_sentence_is_beijings_and_says_so():
    """So is a stretch of time."""
    first = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)

    assert clock.beijing_text(first) == "2026-11-24 08:30 Beijing time"
    assert clock.beijing_text(first, first + timedelta(hours=1), pattern="%H:%M") == (
        "08:30 to 09:30 Beijing time"
    )
