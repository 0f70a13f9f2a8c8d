"""One ingest of an account at a time (0008), however many there are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import ill_postgres
import pytest
from support import rows
from warehouses import LOADING, MORNING, Warehouses, accounts
from world.processes import PATIENCE_SECONDS, Hold, IngestProcess, context, order
from world.truth import differences, held, kept, truth

from weixin_etl.datasets import ARTICLE_TOTAL

AT_ONCE = 4


def test_four_ingests_of_accounts_that_overlap(warehouses: Warehouses) -> None:
    """
    Begun together, each with its accounts in another order, they end, and nothing is lost.

    A day that one of them brings in is asked for once.
    """
    with accounts(warehouses, 12) as engine:
        its, together = engine.collector, context.Barrier(AT_ONCE)
        runs = [replace(MORNING, run_id=f"run {n}") for n in range(AT_ONCE)]
        orders = [order(its, run, together=together) for run in runs]
        batches = [
            [orders[n].batch[(start + step * place) % 12] for place in range(9)]
            for n, (start, step) in enumerate([(0, 1), (11, -1), (3, 1), (8, -1)])
        ]
        processes = [
            IngestProcess(replace(it, batch=batch))
            for it, batch in zip(orders, batches, strict=True)
        ]
        outcomes = [process.outcome() for process in processes]

        assert [(outcome.is_done, outcome.said) for outcome in outcomes] == [(True, ())] * AT_ONCE
        assert {*Counter(engine.asked).values()} == {1}
        assert len(engine.asked) == 12 * ARTICLE_TOTAL.window
        told = kept(engine.warehouse)
        assert len(told) == len(engine.asked)
        assert differences(held(engine.warehouse), truth([told])) == []


@pytest.mark.parametrize("busy", [[0], [0, 1]], ids=["one account", "both"])
def test_what_other_runs_ingest_holds_up_nothing_else(
    warehouses: Warehouses, busy: Sequence[int]
) -> None:
    """
    While other runs have some accounts, those left of the batch are brought in.

    Then the ingest waits in Postgres for one after the other, always in the same order: while it
    waits for the first it has no other, for which somebody may wait who has the first.
    """
    with accounts(warehouses, 2) as engine:
        other, ours = (order(engine.collector, replace(MORNING, run_id=it)) for it in "ab")
        holds = [Hold(LOADING) for _ in busy]
        others = [
            IngestProcess(replace(other, batch=[other.batch[place]], hold=hold))
            for place, hold in zip(busy, holds, strict=True)
        ]
        for hold in holds:
            assert hold.reached.wait(PATIENCE_SECONDS)
        process = IngestProcess(replace(ours, batch=ours.batch[::-1]))
        for _ in range(1000):
            if rows(engine.warehouse, ill_postgres.WAITING):
                break
            process.wait(0.02)
        in_meanwhile = rows(engine.warehouse, "SELECT DISTINCT appid FROM weixin.dim_article")
        for place, (hold, ended) in reversed(list(enumerate(zip(holds, others, strict=True)))):
            process.wait(0.2)
            assert len(rows(engine.warehouse, ill_postgres.WAITING)) == 1
            assert len(rows(engine.warehouse, ill_postgres.TAKEN)) == place + 1
            hold.over.set()
            assert ended.outcome().is_done

        free = [it.appid for place, it in enumerate(ours.batch) if place not in busy]
        assert [appid for (appid,) in in_meanwhile] == free
        assert process.outcome().is_done
