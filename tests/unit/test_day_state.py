"""What a pair is called where people look at it."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import AttemptState, Coverage, DataState, DayState
from weixin_etl.rules import OFFLINE, day_state, while_asked

MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=clock.SHANGHAI)
AFTERNOON = datetime(2026, 11, 24, 12, 0, tzinfo=clock.SHANGHAI)
YESTERDAY, DAY_BEFORE = date(2026, 11, 23), date(2026, 11, 22)
FIRST_DAILY = date(2026, 1, 1)


def answered(day: date, at: str, **what: object) -> Coverage:
    """A pair whose newest ready answer came at that time in Beijing."""
    instant = datetime.fromisoformat(f"{at}+08:00")
    attempt = {"attempt_state": AttemptState.OK, **what}
    return Coverage(day, DataState.LOADED, instant, instant, **attempt)  # type: ignore[arg-type]


def state(
    day: date, coverage: Coverage | None, now: datetime = AFTERNOON, *, is_retired: bool = False
) -> DayState:
    """The state of a pair of an account that has been collected since January."""
    return day_state(
        ARTICLE_TOTAL,
        day,
        coverage,
        first_daily_date=FIRST_DAILY,
        now=now,
        is_retired=is_retired,
        catch_up_days=60,
    )


FAILED = Coverage(YESTERDAY, attempt_state=AttemptState.FAILED, error_code=40164)
OFFLINE_NOW = Coverage(YESTERDAY, attempt_state=AttemptState.FAILED, error_code=OFFLINE)
ODD = Coverage(
    YESTERDAY,
    ready_at=MORNING,
    is_final=True,
    attempt_state=AttemptState.FAILED,
    attempted_at=MORNING,
)
"""Nothing fits of the answer that ended the asking."""
WAITING = {"attempt_state": AttemptState.NOT_READY}


@pytest.mark.parametrize(
    ("day", "coverage", "now", "expected"),
    [
        (YESTERDAY, answered(YESTERDAY, "2026-11-24 08:30"), AFTERNOON, DayState.IN),
        (DAY_BEFORE, answered(DAY_BEFORE, "2026-11-23 08:30"), MORNING, DayState.IN),
        (DAY_BEFORE, answered(DAY_BEFORE, "2026-11-23 08:30"), AFTERNOON, DayState.LATE),
        (DAY_BEFORE, answered(DAY_BEFORE, "2026-11-23 08:30", **WAITING), MORNING, DayState.OPEN),
        (DAY_BEFORE, answered(DAY_BEFORE, "2026-11-24 08:30", **WAITING), AFTERNOON, DayState.IN),
        (YESTERDAY, Coverage(YESTERDAY, **WAITING), MORNING, DayState.OPEN),  # type: ignore[arg-type]
        (YESTERDAY, Coverage(YESTERDAY, **WAITING), AFTERNOON, DayState.LATE),  # type: ignore[arg-type]
        (YESTERDAY, None, MORNING, DayState.OPEN),
        (YESTERDAY, None, AFTERNOON, DayState.NEVER_ASKED),
        (DAY_BEFORE, None, MORNING, DayState.NEVER_ASKED),
        (YESTERDAY, FAILED, MORNING, DayState.FAILED),
        (
            YESTERDAY,
            answered(YESTERDAY, "2026-11-24 08:30", is_final=True),
            AFTERNOON,
            DayState.FINAL,
        ),
        (YESTERDAY, ODD, AFTERNOON, DayState.FAILED),
        (YESTERDAY, replace(ODD, is_unwanted=True), AFTERNOON, DayState.FINAL),
        (YESTERDAY, replace(ODD, attempted_at=AFTERNOON), AFTERNOON, DayState.FINAL),
        (
            DAY_BEFORE,
            answered(DAY_BEFORE, "2026-11-20 08:30", is_resting=True),
            AFTERNOON,
            DayState.RESTING,
        ),
    ],
)
def test_a_day_within_reach_is_named_by_what_is_due(
    day: date, coverage: Coverage | None, now: datetime, expected: DayState
) -> None:
    """In the morning nothing is late that a run may still wait for; from noon on it is."""
    assert state(day, coverage, now) is expected


def test_a_day_no_daily_run_reaches_is_lost() -> None:
    """Older than window and catch-up together, or from before the account was collected."""
    assert state(date(2026, 9, 18), None) is DayState.NEVER_ASKED
    assert state(date(2026, 9, 17), None) is DayState.LOST
    assert state(date(2026, 9, 17), OFFLINE_NOW) is DayState.LOST
    backfilled = answered(date(2026, 9, 17), "2026-11-24 08:30")
    assert state(date(2026, 9, 17), backfilled) is DayState.IN
    before_first = day_state(
        ARTICLE_TOTAL,
        date(2026, 11, 10),
        None,
        first_daily_date=date(2026, 11, 20),
        now=AFTERNOON,
        is_retired=False,
        catch_up_days=60,
    )
    assert before_first is DayState.LOST


def test_a_day_asked_for_in_vain_has_failed_until_it_is_not_wanted() -> None:
    """Though no daily run reaches it."""
    unwanted = replace(FAILED, is_unwanted=True)

    assert state(date(2026, 9, 17), FAILED) is DayState.FAILED
    assert state(date(2026, 9, 17), unwanted) is DayState.LOST


def test_a_final_day_stays_final_and_a_retired_one_is_no_failure() -> None:
    """What WeChat took offline is not called late; what other refusals left open still failed."""
    old = answered(date(2026, 2, 1), "2026-02-08 08:30", is_final=True)

    assert state(date(2026, 2, 1), old) is DayState.FINAL
    assert state(YESTERDAY, OFFLINE_NOW, is_retired=True) is DayState.RETIRED
    assert state(YESTERDAY, None, is_retired=True) is DayState.RETIRED
    assert state(YESTERDAY, FAILED, is_retired=True) is DayState.FAILED


def test_what_a_run_at_work_has_yet_to_bring_in_is_being_asked() -> None:
    """But for what is in, or rests until WeChat lists an article: it is what it is."""
    asked = {it for it in DayState if while_asked(it) is DayState.BEING_ASKED}

    assert asked - {DayState.BEING_ASKED} == {
        *(DayState.OPEN, DayState.LATE, DayState.FAILED, DayState.NEVER_ASKED, DayState.LOST)
    }
