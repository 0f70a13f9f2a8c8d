"""What Airflow knows, handed in, and how far the runs have come that ask WeChat at this moment."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection

from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a dataset's DAG."""

    is_paused: bool = False
    next_run_at: datetime | None = None
    """When the next scheduled run is created; in the past: it should have been."""


@dataclass(frozen=True, slots=True)
class Airflow:
    """What Airflow knows."""

    dags: Mapping[str, DagState]
    """The DAGs by dataset, as far as Airflow has read their files."""
    is_scheduler_alive: bool = True
    alerts: str = ""
    """The connection by which people are told; empty when there is none."""
    runs: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The runs that are queued or running, by dataset."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """The runs that ask WeChat: none while no scheduler starts their tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run at work has come with an account."""

    run_id: str
    appid: str
    pair_count: int
    """The pairs of its plan."""
    days_left: tuple[date, ...]
    """The days that it has yet to bring in."""


@dataclass(frozen=True, slots=True)
class RunAtWork:
    """A run that asks WeChat, and how far it has come with all its accounts."""

    dataset: str
    run_id: str
    pair_count: int
    done: int


def progress(connection: Connection, dataset: Dataset, run_ids: Collection[str]) -> list[Progress]:
    """How far some runs of the dataset have come, account by account."""
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": [*run_ids]}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [convert(dict(row), Progress) for row in rows.mappings()]


def runs_at_work(dataset: Dataset, at_work: Iterable[Progress]) -> Iterator[RunAtWork]:
    """The dataset's runs, each with all its accounts."""
    of_runs: dict[str, list[Progress]] = defaultdict(list)
    for account in at_work:
        of_runs[account.run_id].append(account)
    for run_id, accounts in of_runs.items():
        count = sum(account.pair_count for account in accounts)
        left = sum(len(account.days_left) for account in accounts)
        yield RunAtWork(dataset.name, run_id, count, count - left)
