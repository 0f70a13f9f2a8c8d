"""Which day a run is of, whatever started it."""

from datetime import UTC, date, datetime

import pytest

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.orchestration import run_context

FORM = {"begin_date": None, "end_date": None, "accounts": None, "refetch": False, "dry_run": False}
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "logical_date", "today", "is_scheduled"),
    [
        ("scheduled", datetime(2026, 11, 24, 0, 30, tzinfo=UTC), date(2026, 11, 24), True),
        ("backfill", datetime(2026, 10, 31, 0, 30, tzinfo=UTC), date(2026, 10, 31), False),
        ("backfill", datetime(2025, 12, 31, 23, 30, tzinfo=UTC), date(2026, 1, 1), False),
        ("manual", datetime(2026, 11, 20, 0, 0, tzinfo=UTC), date(2026, 11, 20), False),
        ("manual", None, date(2026, 11, 24), False),
    ],
)
def test_the_day_is_that_of_the_logical_date_in_beijing(
    run_type: str, logical_date: datetime | None, today: date, is_scheduled: bool
):
    """A backfill's run of a past morning is of that morning; without logical date it is today."""
    from airflow.models.dagrun import DagRun

    dag_run = DagRun(
        dag_id="weixin_article_total",
        run_id="a-run",
        run_type=run_type,
        logical_date=logical_date,
        run_after=NOW,
    )

    this = run_context.of(ARTICLE_TOTAL, {"dag_run": dag_run, "params": FORM})

    assert this.today == today
    assert this.is_scheduled is is_scheduled
