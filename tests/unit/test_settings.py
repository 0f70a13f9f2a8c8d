"""The settings: section [weixin] of Airflow's configuration."""

import os
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowConfigException

from weixin_etl.orchestration import settings


def read() -> dict[str, Any]:
    """All that is read of the settings."""
    language = settings.words().language
    return asdict(settings.read()) | asdict(settings.read_of_dags()) | {"language": language}


@pytest.mark.parametrize(
    ("name", "written", "changed"),
    [
        ("CONCURRENCY", "8", {"concurrency": 8}),
        ("CATCH_UP_DAYS", "0", {"catch_up_days": 0}),
        ("READY_HOUR", "9", {"ready_hour": 9}),
        ("DAILY_CALLS", "0", {"daily_calls": 0}),
        ("QUOTA_RESERVE", "7", {"quota_reserve": 7}),
        ("RUN_AT", "9:05", {"schedule": "5 9 * * *", "time_to_end": timedelta(minutes=205)}),
        ("DEADLINE_HOUR", "13:00", {"time_to_end": timedelta(minutes=270)}),
        ("RETRY_DELAY_SECONDS", "1", {"retry_delay": timedelta(seconds=1)}),
        ("RETRY_DELAY_SECONDS", "0", {"retry_delay": timedelta(), "retries": 0}),
        ("LANGUAGE", "zh-CN", {"language": "zh-CN"}),
    ],
)
def test_an_environment_variable_sets_one_of_them(
    name: str, written: str, changed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Airflow's usual form; the others keep their defaults."""
    before = read()

    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name}", written)

    assert read() == before | changed != before


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("concurrency", "many"),
        ("run_at", "8.30"),
        ("run_at", "12:00"),  # not before noon
        ("deadline_hour", "noon"),
        ("deadline_hour", "8:30"),  # not after the run
        ("language", "fr"),
    ],
)
def test_a_value_that_is_none_is_refused(
    name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the DAGs are created, so that Airflow shows it as an import error."""
    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name.upper()}", written)

    with pytest.raises((ValueError, AirflowConfigException), match=name):
        settings.read_of_dags()


def test_the_settings_and_their_defaults_are_listed_by_airflow() -> None:
    """`airflow config list` shows an operator every setting there is."""
    airflow = Path(sys.executable).with_name("airflow")
    listed = subprocess.run(
        [airflow, "config", "list", "--section", "weixin", "--show-values"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout

    # a value that no file and no environment sets is shown as a comment
    lines = listed.split("[weixin]")[1].split("\n")
    assert [line.removeprefix("# ") for line in lines if line] == [
        f"{name} = {default}" for name, (default, _) in settings.OPTIONS.items()
    ]
