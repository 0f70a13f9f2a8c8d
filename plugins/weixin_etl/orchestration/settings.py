"""
The settings of the pipeline: section `[weixin]` of Airflow's configuration.

Airflow imports this module in each of its processes, because its configuration asks the provider
for the settings and their defaults, which `provider.toml` declares. The functions therefore import
the rest of the package only when they are called.
"""

import os
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import weixin_etl

if TYPE_CHECKING:
    from weixin_etl import run
    from weixin_etl.api.http import CallLimits
    from weixin_etl.health.wording import Wording

NOON = time(12)
PAGE = "/weixin"
"""The path of the page "WeChat" below Airflow's address."""
_RETRIES = 3

PROVIDER: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("provider.toml").read_text(encoding="utf-8")
)
"""The declaration that Airflow reads through `get_provider_info`."""
OPTIONS: dict[str, dict[str, str]] = PROVIDER["config"]["weixin"]["options"]
"""The settings by name, each with its `type`, `default` and `description`."""


def get_provider_info() -> dict[str, Any]:
    """
    Return the provider's declaration in the form of Airflow's `provider_info.schema.json`.

    Airflow calls the function by the entry point `apache_airflow_provider`, and builds the
    connection form from the result. The declaration is the file `provider.toml`, with the version
    of the package. No setting has an example: the schema demands the key, and TOML has no null.
    """
    section = PROVIDER["config"]["weixin"]
    options = {name: option | {"example": None} for name, option in OPTIONS.items()}
    config = {"weixin": section | {"options": options}}
    return PROVIDER | {"versions": [weixin_etl.__version__], "config": config}


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
    Return the settings of the DAGs, and validate all settings of `[weixin]`.

    The DAG file calls the function when it is parsed, so Airflow shows an invalid setting as an
    import error. With `retry_delay_seconds` 0, a failed task is not retried.

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
    """
    Return the setting `name`, such as `08:30`, as a time of day.

    Raises:
        ValueError: the setting is no time of day. The text names the setting and its default.
    """
    text = values()[name]
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 # no instant
    except ValueError:
        default = OPTIONS[name]["default"]
        raise ValueError(f"[weixin] {name} {text!r} is no time of day, such as {default}") from None


def read() -> "run.Settings":
    """
    Return the settings of the steps `plan`, `ingest`, `report` and `check`.

    A setting of the steps that Airflow's configuration does not have keeps its default.

    Raises:
        AirflowConfigException: a value is not a number.
    """
    from weixin_etl import run

    names = ("concurrency", "catch_up_days", "ready_hour", "daily_calls", "quota_reserve")
    return run.Settings(**{name: value for name, value in values().items() if name in names})


def call_limits() -> "CallLimits":
    """
    Return the time limits and retries of API calls in tasks.

    They are the defaults of `CallLimits`. With the environment variable `WEIXIN_IN_HASTE`, which
    tests set, retries wait 10 ms only.
    """
    from weixin_etl.api.http import CallLimits

    if os.environ.get("WEIXIN_IN_HASTE"):
        return CallLimits(backoff_seconds=0.01, minute_quota_wait_seconds=0.01)
    return CallLimits()


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
    """
    Return every setting in force by its name: Airflow's configuration, or else the default.

    A setting of type `integer` is an int, every other a text.

    Raises:
        AirflowConfigException: a setting of type `integer` is not a number.
    """
    from airflow.configuration import conf

    getters: dict[str, Any] = {"integer": conf.getint, "string": conf.get}
    return {
        name: getters[option["type"]]("weixin", name, fallback=option["default"])
        for name, option in OPTIONS.items()
    }
