"""The settings: section [weixin] of Airflow's configuration."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowConfigException

from weixin_etl.orchestration import settings


@pytest.mark.parametrize(
    ("name", "written", "part", "field", "value"),
    [
        ("CONCURRENCY", "8", "pipeline", "concurrency", 8),
        ("CATCH_UP_DAYS", "0", "pipeline", "catch_up_days", 0),
        ("READY_HOUR", "9", "pipeline", "ready_hour", 9),
        ("DAILY_CALLS", "0", "pipeline", "daily_calls", 0),
        ("QUOTA_RESERVE", "7", "pipeline", "quota_reserve", 7),
        ("RUN_AT", "9:05", "dags", "run_at", time(9, 5)),
        ("DEADLINE_HOUR", "13:00", "dags", "deadline", time(13)),
        ("RETRY_DELAY_SECONDS", "1", "dags", "retry_delay", timedelta(seconds=1)),
    ],
)
def test_an_environment_variable_sets_one_of_them(
    name: str, written: str, part: str, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Airflow's usual form; the others keep their defaults."""
    before = read()

    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name}", written)

    assert read() == before | {part: replace(before[part], **{field: value})}
    assert getattr(before[part], field) != value


def read() -> dict[str, Any]:
    """All settings, by who reads them."""
    of_runs = settings.read()
    return {
        "pipeline": of_runs.pipeline,
        "dags": settings.read_of_dags(),
    }


def test_without_a_delay_a_failed_task_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a run wants to know at once."""
    assert settings.read_of_dags().retries == 3

    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "0")

    assert settings.read_of_dags().retries == 0


def test_messages_are_in_one_of_two_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is refused when the DAGs are created already."""
    assert settings.words().language == "en"

    monkeypatch.setenv("AIRFLOW__WEIXIN__LANGUAGE", "zh-CN")
    assert settings.words().language == "zh-CN"

    monkeypatch.setenv("AIRFLOW__WEIXIN__LANGUAGE", "fr")
    with pytest.raises(ValueError, match="language 'fr' is neither en nor zh-CN"):
        settings.read_of_dags()


def test_a_value_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Airflow, naming the option, and when the DAGs are created already."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "many")

    for reading in (settings.read_of_dags, settings.read):
        with pytest.raises(AirflowConfigException, match="concurrency"):
            reading()


@pytest.mark.parametrize(
    ("name", "written"),
    [("run_at", "8.30"), ("deadline_hour", "noon"), ("run_at", "12:00"), ("deadline_hour", "8:30")],
    ids=["no time", "no time either", "not before noon", "not after the run"],
)
def test_a_time_that_is_none_is_refused(
    name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the DAGs are created, so that Airflow shows it as an import error."""
    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name.upper()}", written)

    with pytest.raises(ValueError, match=rf"^\[weixin\] .*{name}"):
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
        f"{name} = {default}" for name, (_, default, _) in settings.OPTIONS.items()
    ]
