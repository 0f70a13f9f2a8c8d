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
    this = form.run_of(ARTICLE_TOTAL, context(**of_run))

    assert this == Run("manual__1", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=is_scheduled)


@pytest.mark.parametrize(
    ("entered", "begin", "end", "names_dates"),
    [
        ({}, None, None, False),
        ({"begin_date": "2026-11-01", "end_date": "2026-11-03"}, 1, 3, True),
        ({"begin_date": "2026-11-01"}, 1, None, True),
    ],
    ids=["none", "both", "one, which is refused"],
)
def test_a_run_names_dates_if_the_form_does(
    entered: dict[str, str], begin: int | None, end: int | None, names_dates: bool
) -> None:
    """Without them it is about its morning's window: see `Run.dated`."""
    run = form.run_of(ARTICLE_TOTAL, context(FORM | entered))

    assert run.begin_date == (begin and date(2026, 11, begin))
    assert run.end_date == (end and date(2026, 11, end))
    assert run.names_dates is names_dates


@pytest.mark.parametrize(
    ("try_number", "max_tries", "is_last"),
    [(1, 3, False), (4, 3, True), (4, 5, False), (6, 5, True)],
    ids=["first", "last", "cleared after two tries", "the last of these"],
)
def test_the_last_try_is_airflows(try_number: int, max_tries: int, is_last: bool) -> None:
    """A cleared task has as many retries as a new one."""
    context = {"ti": SimpleNamespace(try_number=try_number, max_tries=max_tries)}

    assert form.is_last_try(context) is is_last
