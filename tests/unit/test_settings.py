"""The settings: section [weixin] of Airflow's configuration."""

from dataclasses import replace
from datetime import time

import pytest
from airflow.exceptions import AirflowConfigException

from weixin_etl import run
from weixin_etl.api.http import CallLimits
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.settings import DagSettings, Settings

DEFAULTS = Settings(
    pipeline=run.Settings(concurrency=4, catch_up_days=60, ready_hour=10, commit_bytes=64 << 20),
    call_limits=CallLimits(
        connect_seconds=5,
        read_seconds=30,
        tries=5,
        total_seconds=60,
        backoff_seconds=1,
        minute_quota_wait_seconds=60,
    ),
)

DAG_DEFAULTS = DagSettings(retries=3, retry_delay_seconds=120, deadline=time(12, 30))


def of_pipeline(**changed: int) -> Settings:
    """The defaults but for these of the pipeline."""
    return replace(DEFAULTS, pipeline=replace(DEFAULTS.pipeline, **changed))


def test_without_configuration_the_defaults_hold() -> None:
    """Those of the design."""
    assert settings.read() == DEFAULTS
    assert settings.read_of_dags() == DAG_DEFAULTS


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("CONCURRENCY", "8", of_pipeline(concurrency=8)),
        ("CATCH_UP_DAYS", "0", of_pipeline(catch_up_days=0)),
        ("READY_HOUR", "9", of_pipeline(ready_hour=9)),
        ("COMMIT_MEGABYTES", "1", of_pipeline(commit_bytes=1 << 20)),
        ("DAILY_CALLS", "0", of_pipeline(daily_calls=0)),
        ("QUOTA_RESERVE", "7", of_pipeline(quota_reserve=7)),
        ("DEADLINE_HOUR", "13:00", replace(DAG_DEFAULTS, deadline=time(13))),
        ("RETRIES", "0", replace(DAG_DEFAULTS, retries=0)),
        ("RETRY_DELAY_SECONDS", "1", replace(DAG_DEFAULTS, retry_delay_seconds=1)),
        ("CONNECT_TIMEOUT_SECONDS", "0.5", {"connect_seconds": 0.5}),
        ("READ_TIMEOUT_SECONDS", "7", {"read_seconds": 7}),
        ("CALL_TRIES", "2", {"tries": 2}),
        ("CALL_TOTAL_SECONDS", "9", {"total_seconds": 9}),
        ("BACKOFF_SECONDS", "0.01", {"backoff_seconds": 0.01}),
        ("MINUTE_QUOTA_WAIT_SECONDS", "0", {"minute_quota_wait_seconds": 0}),
    ],
)
def test_an_environment_variable_sets_one_of_them(
    name: str,
    written: str,
    expected: Settings | DagSettings | dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In Airflow's usual form; the others keep their defaults."""
    monkeypatch.setenv(f"AIRFLOW__WEIXIN__{name}", written)

    if isinstance(expected, dict):
        expected = replace(DEFAULTS, call_limits=replace(DEFAULTS.call_limits, **expected))
    read = settings.read_of_dags if isinstance(expected, DagSettings) else settings.read
    assert read() == expected


def test_a_value_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Airflow, naming the option, and when the DAGs are created already."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "many")

    for read in (settings.read_of_dags, settings.read):
        with pytest.raises(AirflowConfigException, match="concurrency"):
            read()
