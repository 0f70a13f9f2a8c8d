"""
The steps of a run: plan, ingest (extract, parse and load), report and check.

The tasks of a DAG call them with a `Work`. The steps themselves do not import Airflow. The first
task, `refresh_access_token`, has no step here: `orchestration/connections/accounts.py` does its
work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.model import Run


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the steps, from the section `[weixin]` of Airflow's configuration."""

    concurrency: int = 4
    """The number of calls at once of one ingest task."""
    catch_up_days: int = 60
    """The number of days before the window that a daily run still requests."""
    ready_hour: int = 10
    """The hour in Beijing by which WeChat has computed yesterday's figures."""
    commit_bytes: int = 64 << 20
    """The bytes of answers that an ingest task holds at most before it loads them."""
    daily_calls: int = 1000
    """The calls of an endpoint that an account may make in a day. 0 if the number is unknown."""
    quota_reserve: int = 100
    """The part of `daily_calls` that is reserved for daily runs."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run with its warehouse, its settings and its clock: the input of each step."""

    run: Run
    warehouse: Engine
    settings: Settings = Settings()  # a mutable default is no risk: the class is frozen
    now: Callable[[], datetime] = clock.now

    @property
    def today(self) -> date:
        """The real day in Beijing."""
        return clock.beijing_date(self.now())
