"""A warehouse in trouble is a wait or a sentence, and the next try makes the tables complete."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from random import Random

import ill_postgres
import pytest
from ingest_processes import PATIENCE_SECONDS, Hold, IngestProcess, Order, Outcome
from pipeline import Pipeline, Warehouses, ingest
from sqlalchemy import Engine

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_sandbox import Sandbox

MORNING = datetime(2026, 12, 24, 10, 30, tzinfo=SHANGHAI)
LOADING = 5
"""A statement of the first account's load."""
STATEMENTS = 30
"""An ingest of two accounts has at least these."""

Make = Callable[[Engine], Pipeline]


@pytest.fixture
def make(dataset: Dataset, sandbox: Sandbox, sandbox_url: str) -> Make:
    """The dataset's pipeline on a warehouse, on the morning of 24 December."""
    sandbox.today = MORNING.date()
    return lambda engine: Pipeline(dataset, engine, sandbox, sandbox_url)


@pytest.fixture(scope="session")
def known() -> dict[Dataset, dict[str, list[str]]]:
    """What `undisturbed` found out already."""
    return {}


@pytest.fixture
def undisturbed(
    make: Make,
    warehouses: Warehouses,
    dataset: Dataset,
    known: dict[Dataset, dict[str, list[str]]],
) -> dict[str, list[str]]:
    """What the tables hold after a run without trouble."""
    if dataset not in known:
        with warehouses.passing("undisturbed") as engine:
            pipeline = make(engine)
            outcome = IngestProcess(pipeline.plan("undisturbed", MORNING)).outcome()
            assert outcome.is_done
            assert outcome.statements >= STATEMENTS
            known[dataset] = pipeline.contents()
    return known[dataset]


def disturbed(order: Order, statement: int, trouble: AbstractContextManager[None]) -> Outcome:
    """What comes of an ingest that meets the trouble at a statement."""
    hold = Hold(statement)
    process = IngestProcess(replace(order, hold=hold))
    assert hold.reached.wait(PATIENCE_SECONDS)
    with trouble:
        hold.over.set()
        return process.outcome()


def test_a_stopped_server(
    durable_warehouses: Warehouses,
    make: Make,
    undisturbed: dict[str, list[str]],
    stop_seed: int,
):
    """Stopped in whatever way at whatever statement: a sentence, and after its start no gap."""
    random, server = Random(stop_seed), durable_warehouses.server
    stop = ill_postgres.STOPS[stop_seed % 3]
    with durable_warehouses.passing("stopped") as engine:
        pipeline = make(engine)
        order = pipeline.plan("stopped", MORNING)

        first = disturbed(order, random.randint(1, STATEMENTS), ill_postgres.stopped(server, stop))
        assert first.said.startswith("IngestError: the warehouse ")
        assert "Background on this error" not in first.said
        second = ingest(replace(order, is_retry=True))

        assert second.is_done, second.said
        assert pipeline.contents() == undisturbed


def test_a_server_restarted_during_the_calls(
    durable_warehouses: Warehouses,
    make: Make,
    sandbox: Sandbox,
    undisturbed: dict[str, list[str]],
):
    """The answers that come meanwhile are loaded over new connections: nobody need ask again."""
    server = durable_warehouses.server
    with durable_warehouses.passing("restarted") as engine:
        pipeline = make(engine)
        order = pipeline.plan("restarted", MORNING)
        asked = len(sandbox.calls)
        sandbox.latency_seconds = 0.3

        process = IngestProcess(order)
        while len(sandbox.calls) == asked:
            process.wait(0.01)
        with ill_postgres.stopped(server, ill_postgres.stop_fast):
            pass
        sandbox.latency_seconds = 0
        outcome = process.outcome()

        assert outcome.is_done, outcome.said
        assert pipeline.contents() == undisturbed


def test_a_lost_lock_session(warehouses: Warehouses, make: Make, undisturbed: dict[str, list[str]]):
    """An idle session that a firewall cuts off holds nothing up: the loads have their own."""
    with warehouses.passing("lost") as engine:
        pipeline = make(engine)
        order = pipeline.plan("lost", MORNING)

        outcome = disturbed(order, LOADING, ill_postgres.ended_idle_sessions(engine))

        assert outcome.is_done, outcome.said
        assert pipeline.contents() == undisturbed


def test_used_up_connections(
    durable_warehouses: Warehouses, make: Make, undisturbed: dict[str, list[str]]
):
    """The sentence says what to raise; with connections left the account comes in."""
    with durable_warehouses.passing("crowded") as engine:
        pipeline = make(engine)
        order = pipeline.plan("crowded", MORNING)

        first = disturbed(order, 1, ill_postgres.no_connection_left(durable_warehouses.server))
        assert "the warehouse has no connection left at postgresql+psycopg2://postgres:***@" in (
            first.said
        )
        assert "; close some, or raise its max_connections (" in first.said
        assert first.is_retryable
        second = ingest(replace(order, is_retry=True))

        assert second.is_done, second.said
        assert pipeline.contents() == undisturbed


def test_a_lock_on_the_fact(
    warehouses: Warehouses,
    make: Make,
    undisturbed: dict[str, list[str]],
    dataset: Dataset,
    is_soak: bool,
):
    """Whoever locks the fact, a minute say, is waited for."""
    with warehouses.passing("locked") as engine:
        pipeline = make(engine)
        order = pipeline.plan("locked", MORNING)

        with engine.begin() as other:
            other.exec_driver_sql(f"LOCK TABLE weixin.{dataset.fact} IN ACCESS EXCLUSIVE MODE")
            process = IngestProcess(order)
            while not ill_postgres.is_anyone_waiting(other):
                process.wait(0.02)
            process.wait(60 if is_soak else 0.2)
        outcome = process.outcome()

        assert outcome.is_done, outcome.said
        assert pipeline.contents() == undisturbed
