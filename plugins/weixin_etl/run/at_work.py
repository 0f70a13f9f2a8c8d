"""How far the runs have come that ask WeChat at this moment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from weixin_etl.datasets import Dataset
from weixin_etl.model import Airflow
from weixin_etl.threads import convert
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run at work has come with an account."""

    run_id: str
    appid: str
    pair_count: int
    """The pairs of its plan."""
    days_left: tuple[date, ...]
    """The publication days that it has yet to bring in."""


@dataclass(frozen=True, slots=True)
class RunAtWork:
    """A run that asks WeChat, and how far it has come with all its accounts."""

    dataset: str
    run_id: str
    pair_count: int
    done: int


def progress(connection: Connection, dataset: Dataset, airflow: Airflow | None) -> list[Progress]:
    """How far the dataset's runs at work have come, account by account."""
    run_ids = airflow.at_work(dataset) if airflow else []
    if not run_ids:
        return []
    wanted = {"dataset": dataset.name, "run_ids": run_ids}
    rows = connection.execute(statement("status/at_work.sql"), wanted)
    return [convert(dict(row), Progress) for row in rows.mappings()]


def runs_at_work(dataset: Dataset, at_work: Iterable[Progress]) -> Iterator[RunAtWork]:
    """The dataset's runs, each with all its accounts."""
    of_runs: dict[str, list[Progress]] = defaultdict(list)
    for it in at_work:
        of_runs[it.run_id].append(it)
    for run_id, those in of_runs.items():
        count = sum(it.pair_count for it in those)
        left = sum(len(it.days_left) for it in those)
        yield RunAtWork(dataset.name, run_id, count, count - left)
