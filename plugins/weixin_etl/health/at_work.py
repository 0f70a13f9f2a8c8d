"""What Airflow knows, handed in, and how far the runs have come that ask WeChat at this moment."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection

from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.problem import Problem
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class EndedRun:
    """The run of a DAG that ended last."""

    run_id: str
    began_at: datetime
    ended_at: datetime
    is_red: bool
    is_by_hand: bool
    """Whether a person, and not the schedule, wanted it."""
    is_judged: bool
    """Whether its `check` said what came of it, and people were told."""


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a dataset's DAG."""

    is_paused: bool = False
    next_run_at: datetime | None = None
    """When the next scheduled run is created; in the past: it should have been."""
    last: EndedRun | None = None


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
    since: datetime | None = None
    """When the first try failed."""
    problem: Problem | None = None
    """Why the last one did."""


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
    asleep: Sequence[Asleep] = ()
    """Of their tasks, those that are tried again or wait."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """The runs that ask WeChat: none while no scheduler starts their tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def again_at(self, dataset: Dataset, run_id: str) -> datetime | None:
        """When a run asks again for what WeChat has not computed yet, if it waits for that."""
        ours = [it for it in self.asleep if (it.dataset, it.run_id) == (dataset.name, run_id)]
        waits = (it.next_at for it in ours if it.next_at and not it.failed_tries)
        return min(waits, default=None)

    def is_idle(self, dataset: str) -> bool:
        """Whether a person has paused its DAG, or left it out of the DAG file."""
        dag = self.dags.get(dataset)
        return dag.is_paused if dag else bool(self.dags)

    def failed_by_hand_at(self, dataset: str) -> datetime | None:
        """When the last run began, if a person wanted it and it failed."""
        dag = self.dags.get(dataset)
        last = dag.last if dag else None
        return last.began_at if last and last.is_red and last.is_by_hand else None


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
    again_at: datetime | None = None
    """When it asks again for what WeChat has not computed yet, if it waits for that."""


def progress(connection: Connection, dataset: Dataset, run_ids: Collection[str]) -> list[Progress]:
    """How far some runs of the dataset have come, account by account."""
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": [*run_ids]}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [convert(dict(row), Progress) for row in rows.mappings()]


def runs_at_work(
    airflow: Airflow | None, dataset: Dataset, at_work: Iterable[Progress]
) -> Iterator[RunAtWork]:
    """The dataset's runs, each with all its accounts."""
    of_runs: dict[str, list[Progress]] = defaultdict(list)
    for account in at_work:
        of_runs[account.run_id].append(account)
    for run_id, accounts in of_runs.items():
        count = sum(account.pair_count for account in accounts)
        left = sum(len(account.days_left) for account in accounts)
        again_at = airflow.again_at(dataset, run_id) if airflow else None
        yield RunAtWork(dataset.name, run_id, count, count - left, again_at)
