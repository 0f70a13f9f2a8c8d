"""An ingest that is killed at any moment loses nothing and leaves nothing behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from time import monotonic

import pytest
from ingest_processes import IngestProcess, Order, Outcome
from trial import MORNING, MOST_EDGES, STEADY, Trial, Warehouses, accounts

from weixin_etl.datasets import Dataset
from weixin_sandbox import Sandbox, Scenario

LATER = MORNING + timedelta(minutes=10)
STRIDE = 37
"""A prime above any number of edges, so that steps of it come to all of them."""
ACCOUNTS = 4
DAYS = 3
FEW_COMMITS = replace(STEADY, commit_bytes=160_000)
ACCOUNTS_OF_COMMITS = """
    SELECT count(DISTINCT appid) FROM weixin.raw_response
    GROUP BY xmin::text::bigint ORDER BY xmin::text::bigint
"""
"""In the order of the commits."""


@dataclass(frozen=True)
class Ground:
    """Where a dataset's ingest is killed, and what an undisturbed one makes of it."""

    warehouse: str
    undisturbed: dict[str, list[str]]
    edges: int
    seconds: float


def planned(trial: Trial, run_id: str, now: datetime) -> Order:
    """A run for the last days, whatever is final."""
    yesterday = MORNING.date() - timedelta(days=1)
    begin = yesterday - timedelta(days=DAYS - 1)
    return trial.plan(run_id, now, begin_date=begin, end_date=yesterday, refetch=True)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Sandbox, str]]:
    """Several accounts, so that a commit holds pairs of some, and some are cut by it."""
    sandbox = Sandbox(accounts(ACCOUNTS), today=MORNING.date(), daily_limit=10**9)
    with sandbox.serve() as url:
        yield sandbox, url


@pytest.fixture(scope="session")
def ground_of(warehouses: Warehouses, served: tuple[Sandbox, str]) -> Callable[[Dataset], Ground]:
    """
    The ground of a dataset: before, figures and titles were others; now rows are odd.

    Of a stock a day was not there yet, though it was late: its answer was empty. Several commits of
    several accounts, every table filled, and a seed for every statement.
    """
    sandbox, url = served

    @cache
    def make(dataset: Dataset) -> Ground:
        name = f"before_{dataset.name}"
        before = Trial(dataset, warehouses.copy(name), sandbox, url)
        sandbox.scenarios[:] = [Scenario("falling-total")]
        if not dataset.can_be_empty:
            sandbox.scenarios[:] = [Scenario("empty", day=MORNING.date() - timedelta(days=2))]
        order = planned(before, "before", MORNING - timedelta(minutes=20))
        assert IngestProcess(order).outcome().is_done == dataset.can_be_empty
        with before.warehouse.begin() as connection:
            connection.exec_driver_sql("UPDATE weixin.dim_article SET title = 'before ' || title")
            if not dataset.describes_articles:  # no total of it falls
                figure = dataset.figures[0].name
                connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {figure} = 7")  # noqa: S608 # ours
        before.warehouse.dispose()

        sandbox.scenarios[:] = odd_rows(dataset)
        with warehouses.passing("undisturbed", of=name) as engine:
            trial = Trial(dataset, engine, sandbox, url, FEW_COMMITS)
            order = planned(trial, "undisturbed", MORNING)
            begun = monotonic()
            outcome = IngestProcess(order).outcome()
            seconds = monotonic() - begun
            assert outcome.is_done
            contents = trial.contents()
            shared = trial.rows(ACCOUNTS_OF_COMMITS)
        assert len(shared) > 1
        assert sum(count > 1 for (count,) in shared[1:]) > 1 or not dataset.describes_articles
        assert len(contents["coverage"]) == ACCOUNTS * DAYS
        assert len(contents["fact_history"]) >= ACCOUNTS * (DAYS - 1)
        described = ("dim_article", "dim_article_title_history")
        empty = {*(described if not dataset.describes_articles else ())}
        if not odd_rows(dataset):
            empty.add("rejected_row")
        assert {name for name, found in contents.items() if not found} == empty
        assert outcome.edges <= MOST_EDGES
        return Ground(name, contents, outcome.edges, seconds)

    return make


def test_a_second_run_makes_a_kill_good(
    ground_of: Callable[[Dataset], Ground],
    warehouses: Warehouses,
    sandbox: Sandbox,
    sandbox_url: str,
    dataset: Dataset,
    kill_seed: int,
):
    """Killed before or after a commit or at any other moment: the tables are as if it was not."""
    ground, random = ground_of(dataset), Random(kill_seed)
    sandbox.scenarios[:] = odd_rows(dataset)
    with warehouses.passing("killed", of=ground.warehouse) as engine:
        trial = Trial(dataset, engine, sandbox, sandbox_url, FEW_COMMITS)
        order = planned(trial, "killed", MORNING)

        if edge := edge_of(kill_seed, ground.edges):
            assert IngestProcess(replace(order, killed_at=edge)).outcome() == Outcome()
        else:
            at_once = replace(FEW_COMMITS, concurrency=4)
            process = IngestProcess(replace(order, settings=at_once))
            process.wait(random.uniform(0, ground.seconds))
            process.kill()
        second = order if random.random() < 0.5 else planned(trial, "second", LATER)
        outcome = IngestProcess(second).outcome()

        assert outcome.is_done, outcome.said
        assert trial.contents() == ground.undisturbed


def odd_rows(dataset: Dataset) -> list[Scenario]:
    """The trouble of the run that is killed: an odd row of a stock is all of its answer."""
    return [Scenario("odd-row")] if dataset.can_be_empty else []


def edge_of(seed: int, edges: int) -> int:
    """
    A seed's edge, from 1; 0 for any moment: one seed of four, and all beyond the edges.

    Seeds in turn come to each edge once, the first few far apart.
    """
    number = seed * 3 // 4
    if seed % 4 == 1 or number >= edges:
        return 0
    return number * STRIDE % edges + 1
