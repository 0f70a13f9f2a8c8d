"""The nouns."""

from dataclasses import dataclass, field
from datetime import date

from weixin_etl.datasets import Dataset

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


@dataclass(frozen=True, slots=True)
class Account:
    """One Official Account, as its Airflow connection describes it."""

    conn_id: str
    appid: str
    secret: str = field(repr=False)
    name: str
    base_url: str = DEFAULT_BASE_URL

    def __str__(self) -> str:
        """What people call it, and which one it is."""
        return self.name if self.name == self.appid else f"{self.name} ({self.appid})"


class ParameterError(ValueError):
    """A parameter of the run can't be used. `str()` says why and what to enter."""

    is_retryable = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a dataset's DAG."""

    run_id: str
    dataset: Dataset
    today: date
    """The run's day in Beijing: of its logical date, or of its start when it has none."""
    is_scheduled: bool
    begin_date: date | None = None
    end_date: date | None = None
    accounts: tuple[str, ...] = ()
    """Connection ids or appids the run is limited to; none means all."""
    refetch: bool = False
    dry_run: bool = False
