"""
Settings of the pipeline: section `[weixin]` of Airflow's configuration.

Airflow imports this module in each of its processes, because its configuration asks the provider
for OPTIONS. So the rest of the package is imported only when settings are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits

SECTION = "weixin"
NOON = time(12)
POOL = "weixin_api"
PAGE = "/weixin"
"""The page's path below Airflow's address."""

OPTIONS: dict[str, tuple[str, str, str]] = {
    # name: (type, default, description)
    "run_at": (
        "string",
        "08:30",
        "Time of day (Beijing) at which the daily runs begin. WeChat computes yesterday's figures "
        "between 08:00 and 10:00; a run that begins earlier waits for them until noon.",
    ),
    "concurrency": (
        "integer",
        "4",
        "API calls that a task makes at once. A task takes one slot of the pool weixin_api.",
    ),
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
    "commit_megabytes": (
        "integer",
        "64",
        "Megabytes of answers that an ingest task holds, which bounds its memory: one half is "
        "being committed while the other collects answers.",
    ),
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
    "retries": ("integer", "3", "How often Airflow retries a failed task."),
    "retry_delay_seconds": (
        "integer",
        "120",
        "Wait before the first retry; it doubles each time, with jitter.",
    ),
    "connect_timeout_seconds": ("float", "5", "How long a connection to WeChat may take."),
    "read_timeout_seconds": ("float", "30", "How long WeChat may stay silent in an answer."),
    "call_tries": ("integer", "5", "How often a call is tried when WeChat is busy or unreachable."),
    "call_total_seconds": ("float", "60", "How long all tries of a call may take together."),
    "backoff_seconds": (
        "float",
        "1",
        "Wait before the second try of a call; it doubles each time, with jitter.",
    ),
    "minute_quota_wait_seconds": (
        "float",
        "60",
        "Wait when the calls allowed in a minute are used up.",
    ),
}


@dataclass(frozen=True, slots=True)
class DagSettings:
    """The settings that the DAGs are created with."""

    retries: int
    retry_delay_seconds: int
    run_at: time
    """The time at which scheduled runs begin, in Beijing."""
    deadline: time
    """By when a daily run must have ended, in Beijing, on the run's day."""


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """The settings that tasks and commands work with."""

    pipeline: "run.Settings"
    call_limits: "CallLimits"
    installation_name: str
    """What messages call this Airflow; empty when it has no name."""


def read_of_dags() -> DagSettings:
    """
    Read the DAGs' settings, and check all others, so that the DAG file reports what is wrong.

    Raises:
        AirflowConfigException: a value is not a number.
        ValueError: `run_at` or `deadline_hour` is no time of day, or the deadline not the later;
            or `language` is none.
    """
    values = _values()
    language()
    run_at, deadline = (_time_of_day(name, values[name]) for name in ("run_at", "deadline_hour"))
    if deadline <= run_at:
        raise ValueError(
            f"[weixin] deadline_hour {deadline:%H:%M} is not after run_at {run_at:%H:%M}; "
            "give the daily runs some hours"
        )
    if run_at >= NOON:
        raise ValueError(
            f"[weixin] run_at {run_at:%H:%M} is not before 12:00, from when days are late"
        )
    return DagSettings(
        retries=values["retries"],
        retry_delay_seconds=values["retry_delay_seconds"],
        run_at=run_at,
        deadline=deadline,
    )


def read() -> TaskSettings:
    """
    Read the settings of tasks and commands.

    Raises:
        AirflowConfigException: a value is not a number.
    """
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits

    values = _values()
    return TaskSettings(
        pipeline=run.Settings(
            concurrency=values["concurrency"],
            catch_up_days=values["catch_up_days"],
            ready_hour=values["ready_hour"],
            commit_bytes=values["commit_megabytes"] << 20,
            daily_calls=values["daily_calls"],
            quota_reserve=values["quota_reserve"],
        ),
        call_limits=CallLimits(
            connect_seconds=values["connect_timeout_seconds"],
            read_seconds=values["read_timeout_seconds"],
            tries=values["call_tries"],
            total_seconds=values["call_total_seconds"],
            backoff_seconds=values["backoff_seconds"],
            minute_quota_wait_seconds=values["minute_quota_wait_seconds"],
        ),
        installation_name=values["installation_name"].strip(),
    )


def language() -> str:
    """
    What messages to people are written in: `en` or `zh-CN`.

    Raises:
        ValueError: the setting is neither.
    """
    from weixin_etl.trouble import chinese

    written: str = _values()["language"]
    if written not in ("en", chinese.LANGUAGE):
        raise ValueError(f"[weixin] language {written!r} is neither en nor {chinese.LANGUAGE}")
    return written


def _values() -> dict[str, Any]:
    """Every setting in force, by its name and of its type."""
    from airflow.configuration import conf

    read: dict[str, Callable[..., Any]] = {
        "integer": conf.getint,
        "float": conf.getfloat,
        "string": conf.get,
    }
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
