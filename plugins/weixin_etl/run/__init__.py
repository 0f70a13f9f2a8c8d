"""The verbs of a morning: plan, extract, ingest, report, check. They know no Airflow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.model import Run


@dataclass(frozen=True, slots=True)
class Settings:
    """How the verbs work; see `[weixin]` in Airflow's configuration."""

    concurrency: int = 4
    catch_up_days: int = 60
    ready_hour: int = 10
    commit_bytes: int = 64 << 20
    daily_calls: int = 1000
    """Calls of an endpoint that an account may make in a day; 0 when that is not known."""
    quota_reserve: int = 100
    """Calls of these that only daily runs may make."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run, and what its verbs work with."""

    run: Run
    warehouse: Engine
    settings: Settings = Settings()  # it is frozen
    now: Callable[[], datetime] = clock.now

    @property
    def today(self) -> date:
        """The real day in Beijing."""
        return clock.beijing_date(self.now())
