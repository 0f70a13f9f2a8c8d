"""What Airflow knows, handed in, and how far the runs have come that ask WeChat at this moment."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection

from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A failed run of which no `check` has said what is missing: it was killed, or a person's."""

    run_id: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a dataset's DAG."""

    is_paused: bool = False
    next_run_at: datetime | None = None
    """When the next scheduled run is created; in the past: it should have been."""
    ended: EndedRun | None = None
    """The run that ended last, if it is such a one."""


@dataclass(frozen=True, slots=True)
class Asleep:
    """A task of a run at work that a try of has failed, or that waits for WeChat's figures."""

    dataset: str
    run_id: str
    next_at: datetime | None
    """When it goes on; None when it is at it again."""
    failed_tries: int = 0
    """0 when it waits."""
    tries: int = 0
    """How often it may be tried."""
    problem: Problem | None = None
    """Why the last one did."""


@dataclass(frozen=True, slots=True)
class Airflow:
    """What Airflow knows."""

    dags: Mapping[str, DagState]
    """The DAGs by dataset, as far as Airflow has read their files."""
    is_scheduler_alive: bool = True
    runs: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The runs that are queued or running, by dataset."""
    asleep: Sequence[Asleep] = ()
    """Of their tasks, those that are tried again or wait."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """The runs that ask WeChat: none while no scheduler starts their tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def again_at(self, dataset: str, run_id: str) -> datetime | None:
        """When a run asks again for what WeChat has not computed yet, if it waits for that."""
        ours = [it for it in self.asleep if (it.dataset, it.run_id) == (dataset, run_id)]
        waits = (it.next_at for it in ours if it.next_at and not it.failed_tries)
        return min(waits, default=None)

    def is_idle(self, dataset: str) -> bool:
        """Whether a person has paused its DAG, or left it out of the DAG file."""
        dag = self.dags.get(dataset)
        return dag.is_paused if dag else bool(self.dags)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run at work has come with an account."""

    dataset: str
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
    again_at: datetime | None = None
    """When it asks again for what WeChat has not computed yet, if it waits for that."""


def progress(connection: Connection, dataset: Dataset, run_ids: Collection[str]) -> list[Progress]:
    """How far some runs of the dataset have come, account by account."""
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": [*run_ids]}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [convert(dict(row), Progress) for row in rows.mappings()]


def runs_at_work(airflow: Airflow, at_work: Sequence[Progress]) -> Iterator[RunAtWork]:
    """The runs, each with all its accounts."""
    for run in dict.fromkeys((it.dataset, it.run_id) for it in at_work):
        ours = [it for it in at_work if (it.dataset, it.run_id) == run]
        count = sum(it.pair_count for it in ours)
        left = sum(len(it.days_left) for it in ours)
        yield RunAtWork(*run, count, count - left, airflow.again_at(*run))
