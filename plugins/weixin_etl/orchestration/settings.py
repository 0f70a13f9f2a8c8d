"""
Settings of the pipeline: section `[weixin]` of Airflow's configuration.

Airflow imports this module in each of its processes, because its configuration asks the provider
for OPTIONS. So the rest of the package is imported only when settings are read.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits
    from weixin_etl.health.words import Words

SECTION = "weixin"
NOON = time(12)
PAGE = "/weixin"
"""The page's path below Airflow's address."""
_RETRIES = 3
_IN_HASTE = "WEIXIN_IN_HASTE"
"""An environment variable of tests: calls that are tried again hardly wait."""

OPTIONS: dict[str, tuple[str, str, str]] = {
    # name: (type, default, description)
    "run_at": (
        "string",
        "08:30",
        "Time of day (Beijing) at which the daily runs begin. WeChat computes yesterday's figures "
        "between 08:00 and 10:00; a run that begins earlier waits for them until noon.",
    ),
    "concurrency": ("integer", "4", "API calls that a task makes at once."),
    "catch_up_days": (
        "integer",
        "60",
        "How many days before the window a daily run asks for if they are not final.",
    ),
    "ready_hour": (
        "integer",
        "10",
        "Hour (Beijing) by which WeChat has computed yesterday's figures. Before it, an answer in "
        "which no article has yesterday's row is not ready.",
    ),
    "deadline_hour": (
        "string",
        "12:30",
        "Time of day (Beijing) by which a scheduled run must have ended; if not, people are told. "
        "After run_at.",
    ),
    "installation_name": (
        "string",
        "",
        "What people call this Airflow, such as production: in the title of each message. Empty: "
        "not named.",
    ),
    "language": ("string", "en", "Language of messages to people: en or zh-CN."),
    "daily_calls": (
        "integer",
        "1000",
        "Calls of an endpoint that WeChat allows an account per day; 0 if unknown: then nothing is "
        "held back.",
    ),
    "quota_reserve": (
        "integer",
        "100",
        "Of the calls allowed per day, those kept for daily runs: runs with dates stop before "
        "them.",
    ),
    "retry_delay_seconds": (
        "integer",
        "120",
        "Wait before a failed task is tried again, three times; it doubles each time, with jitter. "
        "0: a failed task is not tried again.",
    ),
}


@dataclass(frozen=True, slots=True)
class DagSettings:
    """The settings that the DAGs are created with."""

    run_at: time
    """The time at which scheduled runs begin, in Beijing."""
    deadline: time
    """By when a scheduled run must have ended, in Beijing, on the run's day."""
    retry_delay: timedelta

    @property
    def time_to_end(self) -> timedelta:
        """How long a scheduled run may take."""
        begin, end = (datetime.combine(date.min, at) for at in (self.run_at, self.deadline))
        return end - begin

    @property
    def retries(self) -> int:
        """How often a failed task is tried again."""
        return _RETRIES if self.retry_delay else 0


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """The settings that tasks and commands work with."""

    pipeline: "run.Settings"
    call_limits: "CallLimits"


def read_of_dags() -> DagSettings:
    """
    Read the DAGs' settings, and check all others, so that the DAG file reports what is wrong.

    Raises:
        AirflowConfigException: a value is not a number.
        ValueError: `run_at` or `deadline_hour` is no time of day, or the deadline not the later;
            or `language` is none.
    """
    words()
    values = _values()
    run_at, deadline = (_time_of_day(name, values[name]) for name in ("run_at", "deadline_hour"))
    if not run_at < min(deadline, NOON):
        raise ValueError(
            f"[weixin] run_at {run_at:%H:%M} is not before deadline_hour {deadline:%H:%M} and "
            "12:00, from when days are late"
        )
    return DagSettings(run_at, deadline, timedelta(seconds=values["retry_delay_seconds"]))


def read() -> TaskSettings:
    """
    Read the settings of tasks and commands.

    Raises:
        AirflowConfigException: a value is not a number.
    """
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits

    values = _values()
    names = ("concurrency", "catch_up_days", "ready_hour", "daily_calls", "quota_reserve")
    limits = CallLimits()
    if os.environ.get(_IN_HASTE):
        limits = replace(limits, backoff_seconds=0.01, minute_quota_wait_seconds=0.01)
    return TaskSettings(run.Settings(**{name: values[name] for name in names}), limits)


def words(language: str = "") -> "Words":
    """
    What people read is written in, with the settings that it names.

    Raises:
        ValueError: the setting `language` is neither `en` nor `zh-CN`.
    """
    from weixin_etl.health.words import CHINESE, ENGLISH, Words

    values = _values()
    written = language or values["language"]
    if written not in (ENGLISH, CHINESE):
        raise ValueError(f"[weixin] language {written!r} is neither {ENGLISH} nor {CHINESE}")
    return Words(written, values)


def installation_name() -> str:
    """What messages call this Airflow; empty when it has no name."""
    name: str = _values()["installation_name"]
    return name.strip()


def _values() -> dict[str, Any]:
    """Every setting in force, by its name and of its type."""
    from airflow.configuration import conf

    read: dict[str, Callable[..., Any]] = {"integer": conf.getint, "string": conf.get}
    return {
        name: read[kind](SECTION, name, fallback=default)
        for name, (kind, default, _) in OPTIONS.items()
    }


def _time_of_day(name: str, text: str) -> time:
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 # no instant
    except ValueError:
        default = OPTIONS[name][1]
        raise ValueError(f"[weixin] {name} {text!r} is no time of day, such as {default}") from None
