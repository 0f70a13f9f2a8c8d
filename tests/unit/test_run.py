"""Airflow's run and the form's parameters in our own terms."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run
from weixin_etl.orchestration.tasks import run_context

LATE_EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
"""In Beijing the 24th has begun."""
FORM = {
    "begin_date": None,
    "end_date": None,
    "accounts": None,
    "refetch": False,
    "dry_run": False,
}


def context(form: dict[str, Any] = FORM, **of_run: Any) -> dict[str, Any]:
    """What Airflow hands to a task."""
    dag_run = {
        "run_id": "manual__1",
        "run_type": "manual",
        "logical_date": LATE_EVENING,
        "run_after": LATE_EVENING,
    }
    return {"dag_run": SimpleNamespace(**dag_run | of_run), "params": form}


YEARS_END = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("of_run", "is_scheduled"),
    [
        ({"run_type": "scheduled", "run_after": YEARS_END}, True),
        ({"run_type": "backfill", "run_after": YEARS_END}, False),
        ({"run_type": "asset_triggered"}, False),
        ({"logical_date": None}, False),
    ],
    ids=["scheduled", "backfill", "asset", "the form and REST"],
)
def test_the_runs_day(of_run: dict[str, Any], is_scheduled: bool) -> None:
    """That of its logical date in Beijing, whenever it really runs; without one, of its start."""
    this = run_context.of(ARTICLE_TOTAL, context(**of_run))

    assert this == Run("manual__1", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=is_scheduled)


@pytest.mark.parametrize(
    ("try_number", "max_tries", "was_waiting", "is_by_itself", "is_last"),
    [
        (1, 3, False, False, False),
        (1, 3, True, True, False),  # after a wait for figures that were not ready
        (2, 3, False, True, False),
        (4, 3, False, True, True),
        (3, 5, False, False, False),  # cleared after two tries: three more retries
        (4, 5, False, True, False),
        (6, 5, False, True, True),
    ],
)
def test_a_retry_is_airflows_own_and_not_a_persons(
    try_number: int, max_tries: int, was_waiting: bool, is_by_itself: bool, is_last: bool
) -> None:
    """After "clear" somebody wants everything asked for again."""
    context = {
        "ti": SimpleNamespace(
            try_number=try_number,
            max_tries=max_tries,
            task=SimpleNamespace(retries=3),
            get_first_reschedule_date=lambda _: LATE_EVENING if was_waiting else None,
        )
    }

    assert run_context.is_by_itself(context) is is_by_itself
    assert run_context.is_last_try(context) is is_last
    assert run_context.is_first_try(context) is (try_number == 1)
