"""An ingest that is killed at any moment loses nothing and leaves nothing behind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from time import monotonic

import pytest
from ingest_processes import IngestProcess, Order, Outcome
from pipeline import MORNING, Pipeline, Warehouses

from weixin_etl.datasets import Dataset
from weixin_sandbox import Sandbox, Scenario

LATER = MORNING + timedelta(minutes=10)
ALL_SEEDS = 270
"""A dataset's kills in the long run: every other one at the beginning of a statement."""
STRIDE = 29
DAYS = 32
"""One more than a commit holds."""


@dataclass(frozen=True)
class Ground:
    """Where a dataset's ingest is killed, and what an undisturbed one makes of it."""

    warehouse: str
    undisturbed: dict[str, list[str]]
    statements: int
    seconds: float


def planned(pipeline: Pipeline, run_id: str, now: datetime) -> Order:
    """A run for the last 32 days, whatever is final."""
    yesterday = MORNING.date() - timedelta(days=1)
    begin = yesterday - timedelta(days=DAYS - 1)
    return pipeline.plan(run_id, now, begin_date=begin, end_date=yesterday, refetch=True)


@pytest.fixture(scope="module")
def ground_of(
    warehouses: Warehouses, sandbox: Sandbox, sandbox_url: str
) -> Callable[[Dataset], Ground]:
    """The ground of a dataset: an hour before, the newest totals were lower; now rows are odd."""

    @cache
    def make(dataset: Dataset) -> Ground:
        name = f"before_{dataset.name}"
        before = Pipeline(dataset, warehouses.copy(name), sandbox, sandbox_url)
        sandbox.today = MORNING.date()
        sandbox.scenarios[:] = [Scenario("falling-total")]
        order = planned(before, "before", MORNING - timedelta(hours=1))
        assert IngestProcess(order).outcome().is_done
        before.warehouse.dispose()

        sandbox.scenarios[:] = [Scenario("odd-row")]
        with warehouses.passing("undisturbed", of=name) as engine:
            pipeline = Pipeline(dataset, engine, sandbox, sandbox_url)
            order = planned(pipeline, "undisturbed", MORNING)
            begun = monotonic()
            outcome = IngestProcess(order).outcome()
            seconds = monotonic() - begun
            assert outcome.is_done
            return Ground(name, pipeline.contents(), outcome.statements, seconds)

    return make


def test_the_ground_is_worth_a_kill(ground_of: Callable[[Dataset], Ground], dataset: Dataset):
    """Two commits of each of two accounts, every table filled, and a seed for every boundary."""
    ground = ground_of(dataset)

    assert len(ground.undisturbed["coverage"]) == 2 * DAYS
    assert len(ground.undisturbed["restatement"]) > 1000
    assert all(ground.undisturbed.values())
    assert ground.statements > 4 * 15
    boundaries = {boundary(number, ground.statements) for number in range(ALL_SEEDS // 2)}
    assert boundaries == set(range(1, ground.statements + 1))


def test_a_second_run_makes_a_kill_good(
    ground_of: Callable[[Dataset], Ground],
    warehouses: Warehouses,
    sandbox: Sandbox,
    sandbox_url: str,
    dataset: Dataset,
    kill_seed: int,
):
    """Killed at a statement's beginning or at any other moment: the tables are as if it was not."""
    ground, random = ground_of(dataset), Random(kill_seed)
    with warehouses.passing("killed", of=ground.warehouse) as engine:
        pipeline = Pipeline(dataset, engine, sandbox, sandbox_url)
        order = planned(pipeline, "killed", MORNING)

        if kill_seed % 2:
            kill_at_a_moment(order, ground, random)
        else:
            statement = boundary(kill_seed // 2, ground.statements)
            assert IngestProcess(replace(order, killed_at=statement)).outcome() == Outcome()
        if random.random() < 0.5:
            second = replace(order, is_retry=True)
        else:
            second = planned(pipeline, "second", LATER)
        outcome = IngestProcess(second).outcome()

        assert outcome.is_done, outcome.said
        assert pipeline.contents() == ground.undisturbed


def boundary(number: int, statements: int) -> int:
    """A statement, from 1: numbers in turn come to all of them, the first few far apart."""
    return number * STRIDE % statements + 1


def kill_at_a_moment(order: Order, ground: Ground, random: Random) -> None:
    """Kill it while it runs; one that was faster than expected runs again."""
    while True:
        process = IngestProcess(order)
        process.wait(random.uniform(0, ground.seconds))
        process.kill()
        if process.outcome() == Outcome():
            return
