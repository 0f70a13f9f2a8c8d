"""A warehouse in trouble is a wait or a sentence, and the next try makes the tables complete."""

from dataclasses import replace
from random import Random

import ill_postgres
from ingest_processes import IngestProcess
from pipeline import MORNING, STATEMENTS, Make, Warehouses, disturbed, ingest

from weixin_etl.datasets import Dataset
from weixin_sandbox import Sandbox, Scenario

LOADING = 5
"""A statement of the first account's load."""
SECOND_ACCOUNT = 20
"""A statement of the second account's ingest, when the first was refused."""


def test_a_stopped_server(
    durable_warehouses: Warehouses,
    make: Make,
    undisturbed: dict[str, list[str]],
    dataset: Dataset,
    stop_seed: int,
):
    """Stopped in whatever way at whatever statement: a sentence, and after its start no gap."""
    random, server = Random(stop_seed), durable_warehouses.server
    stop = ill_postgres.STOPS[(stop_seed + dataset.window) % 3]  # two seeds of each see all three
    with durable_warehouses.passing("stopped") as engine:
        pipeline = make(engine)
        order = pipeline.plan("stopped", MORNING)

        first = disturbed(order, random.randint(1, STATEMENTS), ill_postgres.stopped(server, stop))
        assert first.said.startswith("IngestError: the warehouse ")
        assert "Background on this error" not in first.said
        second = ingest(replace(order, is_retry=True))

        assert second.is_done, second.said
        assert pipeline.contents() == undisturbed


def test_what_was_found_out_before_the_trouble_is_said_too(
    durable_warehouses: Warehouses, make: Make, sandbox: Sandbox
):
    """One account is refused, then the server stops: both are in the sentence."""
    server, refused = durable_warehouses.server, next(iter(sandbox.accounts))
    sandbox.scenarios[:] = [Scenario("unauthorized", account=refused)]
    with durable_warehouses.passing("both") as engine:
        order = make(engine).plan("both", MORNING)

        trouble = ill_postgres.stopped(server, ill_postgres.stop_fast)
        outcome = disturbed(order, SECOND_ACCOUNT, trouble)

        assert f"号1 ({refused}): the account may not use this API" in outcome.said
        assert "; the warehouse " in outcome.said
        assert outcome.is_retryable


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
