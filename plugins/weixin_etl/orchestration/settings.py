"""
The settings of the pipeline: section `[weixin]` of Airflow's configuration.

Airflow imports this module in each of its processes, because its configuration asks the provider
for `OPTIONS`. The functions therefore import the rest of the package only when they are called.
"""

import os
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits
    from weixin_etl.health.wording import Wording

SECTION = "weixin"
NOON = time(12)
PAGE = "/weixin"
"""The path of the page "WeChat" below Airflow's address."""
_RETRIES = 3
_IN_HASTE = "WEIXIN_IN_HASTE"
"""An environment variable for tests: with it, retried calls wait 10 ms."""

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
    """The settings that the DAG file needs to create the DAGs."""

    schedule: str
    """The cron expression of scheduled runs, in Beijing time."""
    time_to_end: timedelta
    """The time from the start of a scheduled run to its deadline."""
    retry_delay: timedelta
    """The wait before the first retry of a failed task."""
    retries: int
    """The number of retries of a failed task."""


def read_of_dags() -> DagSettings:
    """
    Return the DAGs' settings, and validate all others, so that Airflow shows an import error.

    Raises:
        AirflowConfigException: a value is not a number.
        ValueError: `run_at` or `deadline_hour` is not a time of day, `run_at` is not before both
            the deadline and noon, or `language` is unknown.
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
    """Return a setting such as `08:30` as a time of day."""
    text = values()[name]
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 # no instant
    except ValueError:
        default = OPTIONS[name][0]
        raise ValueError(f"[weixin] {name} {text!r} is no time of day, such as {default}") from None


def read() -> "run.Settings":
    """
    Return the settings of the verbs `plan`, `ingest`, `report` and `check`.

    Raises:
        AirflowConfigException: a value is not a number.
    """
    from weixin_etl import run

    names = ("concurrency", "catch_up_days", "ready_hour", "daily_calls", "quota_reserve")
    return run.Settings(**{name: value for name, value in values().items() if name in names})


def call_limits() -> "CallLimits":
    """Return the time limits and retries of API calls."""
    from weixin_etl.api.http import CallLimits

    if not os.environ.get(_IN_HASTE):
        return CallLimits()
    return replace(CallLimits(), backoff_seconds=0.01, minute_quota_wait_seconds=0.01)


def words(language: str = "") -> "Wording":
    """
    Return the formatter of sentences for people, which fills in the settings in force.

    Args:
        language: `en` or `zh-CN`; empty for the setting `language`.

    Raises:
        ValueError: the language is neither `en` nor `zh-CN`.
    """
    from weixin_etl.health.wording import CHINESE, ENGLISH, Wording

    in_force = values()
    chosen = language or in_force["language"]
    if chosen not in (ENGLISH, CHINESE):
        raise ValueError(f"[weixin] language {chosen!r} is neither {ENGLISH} nor {CHINESE}")
    return Wording(chosen, in_force)


def values() -> dict[str, Any]:
    """Return every setting in force by its name; a setting with a numeric default is a number."""
    from airflow.configuration import conf

    return {
        name: (conf.getint if isinstance(default, int) else conf.get)(
            SECTION, name, fallback=default
        )
        for name, (default, _) in OPTIONS.items()
    }
