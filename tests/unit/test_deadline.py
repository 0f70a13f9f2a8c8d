"""By when a daily run must have ended."""

from datetime import UTC, datetime, timedelta

import pytest

from weixin_etl.orchestration.tasks.deadline import counted_from

DUE = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
FOUR_HOURS = timedelta(hours=4)


@pytest.mark.parametrize(
    ("created_after_minutes", "minutes"),
    [(0, 240), (119, 240), (120, 360), (239, 479), (600, 840)],
)
def test_a_run_that_is_created_late_is_not_late_by_that(
    created_after_minutes: int, minutes: int
) -> None:
    """It has as long from its creation as one that is created in time."""
    created = DUE + timedelta(minutes=created_after_minutes)

    assert counted_from(DUE, created, FOUR_HOURS) + FOUR_HOURS == DUE + timedelta(minutes=minutes)
