"""
Settings of the pipeline: section `[weixin]` of Airflow's configuration.

Airflow imports this module in each of its processes, because its configuration asks the provider
for OPTIONS. So the rest of the package is imported only when settings are read.
"""

import os
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits
    from weixin_etl.health.notifications import Words

SECTION = "weixin"
NOON = time(12)
PAGE = "/weixin"
"""The page's path below Airflow's address."""
_RETRIES = 3
_IN_HASTE = "WEIXIN_IN_HASTE"
"""An environment variable of tests: calls that are tried again hardly wait."""

OPTIONS: dict[str, tuple[int | str, str]] = {
    # name: (default, description)
    "run_at": (
        "08:30",
        "Time of day (Beijing) at which the daily runs begin. WeChat computes yesterday's figures "
        "between 08:00 and 10:00; a run that begins earlier waits for them until noon.",
    ),
    "concurrency": (4, "API calls that a task makes at once."),
    "catch_up_days": (60, "Days before the window that a daily run asks for if not final."),
    "ready_hour": (
        10,
        "Hour (Beijing) by which WeChat has computed yesterday's figures. Before it, an answer in "
        "which no article has yesterday's row is not ready.",
    ),
    "deadline_hour": (
        "12:30",
        "Time of day (Beijing) by which a scheduled run must have ended; if not, people are told. "
        "After run_at.",
    ),
    "language": ("en", "Language of messages to people: en or zh-CN."),
    "daily_calls": (
        1000,
        "Calls of an endpoint that WeChat allows an account per day; 0 if unknown: then nothing is "
        "held back.",
    ),
    "quota_reserve": (
        100,
        "Of these, those kept for daily runs: runs with dates stop before.",
    ),
    "retry_delay_seconds": (
        120,
        "Wait before a failed task is tried again, three times; it doubles each time, with jitter. "
        "0: a failed task is not tried again.",
    ),
}


@dataclass(frozen=True, slots=True)
class DagSettings:
    """What the DAGs are created with."""

    schedule: str
    """When scheduled runs begin, in Beijing, as cron has it."""
    time_to_end: timedelta
    """How long a scheduled run may take."""
    retry_delay: timedelta
    retries: int
    """How often a failed task is tried again."""


def read_of_dags() -> DagSettings:
    """
    Read the DAGs' settings, and check all others, so that the DAG file reports what is wrong.

    Raises:
        AirflowConfigException: a value is not a number.
        ValueError: `run_at` or `deadline_hour` is no time of day, or the deadline not the later;
            or `language` is none.
    """
    words()
    run_at, deadline = _time_of_day("run_at"), _time_of_day("deadline_hour")
    if not run_at < min(deadline, NOON):
        raise ValueError(
            f"[weixin] run_at {run_at:%H:%M} is not before deadline_hour {deadline:%H:%M} and "
            "12:00, from when days are late"
        )
    begin, end = (datetime.combine(date.min, at) for at in (run_at, deadline))
    delay = timedelta(seconds=values()["retry_delay_seconds"])
    schedule = f"{run_at.minute} {run_at.hour} * * *"
    return DagSettings(schedule, end - begin, delay, _RETRIES if delay else 0)


def _time_of_day(name: str) -> time:
    text = values()[name]
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 # no instant
    except ValueError:
        usual = OPTIONS[name][0]
        raise ValueError(f"[weixin] {name} {text!r} is no time of day, such as {usual}") from None


def read() -> "run.Settings":
    """
    Read the settings of the verbs.

    Raises:
        AirflowConfigException: a value is not a number.
    """
    from weixin_etl import run

    names = ("concurrency", "catch_up_days", "ready_hour", "daily_calls", "quota_reserve")
    return run.Settings(**{name: value for name, value in values().items() if name in names})


def call_limits() -> "CallLimits":
    """How long calls may take."""
    from weixin_etl.api.http import CallLimits

    if not os.environ.get(_IN_HASTE):
        return CallLimits()
    return replace(CallLimits(), backoff_seconds=0.01, minute_quota_wait_seconds=0.01)


def words(language: str = "") -> "Words":
    """
    What people read is written in, with the settings that it names.

    Raises:
        ValueError: the setting `language` is neither `en` nor `zh-CN`.
    """
    from weixin_etl.health.notifications import CHINESE, ENGLISH, Words

    in_force = values()
    written = language or in_force["language"]
    if written not in (ENGLISH, CHINESE):
        raise ValueError(f"[weixin] language {written!r} is neither {ENGLISH} nor {CHINESE}")
    return Words(written, in_force)


def values() -> dict[str, Any]:
    """Every setting in force, by its name, a number where its default is one."""
    from airflow.configuration import conf

    return {
        name: (conf.getint if isinstance(default, int) else conf.get)(
            SECTION, name, fallback=default
        )
        for name, (default, _) in OPTIONS.items()
    }
