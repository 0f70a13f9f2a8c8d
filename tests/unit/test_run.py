"""Airflow's run and the form's parameters in our own terms."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run
from weixin_etl.orchestration import form

LATE_EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
"""In Beijing the 24th has begun."""
YEARS_END = datetime(2026, 12, 31, tzinfo=UTC)
FORM = dict.fromkeys(("begin_date", "end_date", "accounts")) | {"refetch": False, "dry_run": False}
BOTH = {"begin_date": "2026-11-01", "end_date": "2026-11-03"}


def run(entered: dict[str, Any], **of_run: Any) -> Run:
    """Of what Airflow hands to a task."""
    times = {"logical_date": LATE_EVENING, "run_after": LATE_EVENING}
    dag_run = SimpleNamespace(**{"run_id": "manual__1", "run_type": "manual"} | times | of_run)
    return form.run_of(ARTICLE_TOTAL, {"dag_run": dag_run, "params": FORM | entered})


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
    expected = Run("manual__1", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=is_scheduled)
    assert run({}, **of_run) == expected


@pytest.mark.parametrize(
    ("entered", "first", "last"),
    [
        ({}, None, None),
        (BOTH, date(2026, 11, 1), date(2026, 11, 3)),
        ({"begin_date": "2026-11-01"}, date(2026, 11, 1), None),
    ],
)
def test_a_run_names_dates_if_the_form_does(
    entered: dict[str, str], first: date | None, last: date | None
) -> None:
    """One alone, too: `Run.dated` refuses it."""
    this = run(entered)

    assert (this.begin_date, this.end_date, this.names_dates) == (first, last, bool(entered))


@pytest.mark.parametrize(
    ("try_number", "max_tries", "is_last"),
    [(1, 3, False), (4, 3, True), (4, 5, False), (6, 5, True)],
)
def test_the_last_try_is_airflows(try_number: int, max_tries: int, is_last: bool) -> None:
    """A cleared task has as many retries as a new one."""
    context = {"ti": SimpleNamespace(try_number=try_number, max_tries=max_tries)}

    assert form.is_last_try(context) is is_last
