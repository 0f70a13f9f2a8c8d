"""Tests of user input: the form of a run, and the settings of Airflow's section [weixin]."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowConfigException
from airflow.models import DagRun

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration import form, settings

LATE_EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
"""A logical date on 23 November in UTC, which is the 24th in Beijing."""
YEARS_END = datetime(2026, 12, 31, tzinfo=UTC)
EMPTY = dict.fromkeys(("begin_date", "end_date", "accounts")) | {"refetch": False, "dry_run": False}


@pytest.mark.parametrize(
    ("of_run", "entered", "expected"),
    [
        ({"run_type": "scheduled", "run_after": YEARS_END}, {}, {"is_scheduled": True}),
        ({"run_type": "backfill", "run_after": YEARS_END}, {}, {}),
        ({"logical_date": None}, {}, {}),
        ({}, {"begin_date": "2026-11-01"}, {"begin_date": date(2026, 11, 1), "names_dates": True}),
    ],
)
def test_the_day_of_a_run_is_its_logical_date_in_beijing(
    of_run: dict[str, Any], entered: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A run without a logical date has the day of its start."""
    times = {"logical_date": LATE_EVENING, "run_after": LATE_EVENING}
    dag_run = DagRun("d", "r", **{"run_type": "manual"} | times | of_run)

    run = form.run_of(ARTICLE_TOTAL, {"dag_run": dag_run, "params": EMPTY | entered})

    assert run == Run("r", ARTICLE_TOTAL, date(2026, 11, 24), **expected)


@pytest.mark.parametrize(
    ("entered", "is_backfill", "sentence"),
    [
        ({"acounts": [], "dryrun": 1}, False, "acounts is no parameter: did you mean accounts?"),
        ({"zz": 1}, False, "zz is no parameter; there are begin_date, end_date, accounts"),
        ({"a" * (1 << 20): 1}, False, f"{'a' * 40}… is no parameter; there are begin_date, "),
        ({"begin_date": "2026-11-01"}, True, "leave begin_date and end_date empty in a backfill"),
        ({"begin_date": "", "refetch": True}, True, ""),
    ],
)
def test_unknown_parameters_and_dates_of_a_backfill_are_refused(
    entered: dict[str, object], is_backfill: bool, sentence: str
) -> None:
    """
    Airflow accepts any parameter name. A run with the typing error `acounts` would not be limited.

    With dates in the form, each run of a backfill would ask for the same days.
    """
    message = ""
    try:
        form.require_known(entered, is_backfill=is_backfill)
    except ParameterError as refused:
        message = str(refused)

    assert message.startswith(sentence)
    assert bool(message) == bool(sentence)


def read() -> dict[str, Any]:
    language = settings.words().language
    return asdict(settings.read()) | asdict(settings.read_of_dags()) | {"language": language}


@pytest.mark.parametrize(
    ("name", "written", "changed"),
    [
        ("CONCURRENCY", "8", {"concurrency": 8}),
        ("READY_HOUR", "9", {"ready_hour": 9}),
        ("CATCH_UP_DAYS", "9", {"catch_up_days": 9}),
        ("DAILY_CALLS", "9", {"daily_calls": 9}),
        ("QUOTA_RESERVE", "9", {"quota_reserve": 9}),
        ("RUN_AT", "9:05", {"schedule": "5 9 * * *", "time_to_end": timedelta(minutes=205)}),
        ("DEADLINE_HOUR", "13:00", {"time_to_end": timedelta(minutes=270)}),
        ("RETRY_DELAY_SECONDS", "1", {"retry_delay": timedelta(seconds=1)}),
        ("RETRY_DELAY_SECONDS", "0", {"retry_delay": timedelta(), "retries": 0}),
        ("LANGUAGE", "zh-CN", {"language": "zh-CN"}),
        ("CONCURRENCY", "many", None),
        ("RUN_AT", "8.30", None),
        ("RUN_AT", "12:00", None),  # not before noon
        ("DEADLINE_HOUR", "8:30", None),  # not after the run
        ("LANGUAGE", "fr", None),
    ],
)
def test_an_environment_variable_changes_one_setting(
    name: str, written: str, changed: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid value is refused when the DAG file is parsed, and becomes an import error."""
    before = read()
    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name}", written)

    if changed is None:
        with pytest.raises((ValueError, AirflowConfigException), match=name.lower()):
            settings.read_of_dags()
    else:
        assert read() == before | changed != before
