"""One ingest of an account at a time (0008), however many there are."""

from collections import Counter
from dataclasses import replace

from sqlalchemy import Engine
from world.pipeline import MORNING
from world.processes import IngestProcess, context, order, several
from world.truth import differences, held, kept, truth

from weixin_etl.datasets import ARTICLE_TOTAL

WAYS = [(0, 1), (11, -1), (3, 1), (8, -1)]
"""Where each ingest begins, and in which direction it goes on."""


def test_four_ingests_of_accounts_that_overlap(warehouse: Engine) -> None:
    """They end, whatever their order; nothing is lost, and a day is asked for once."""
    with several(warehouse, 12) as engine:
        collector, together = engine.collector, context.Barrier(len(WAYS))
        processes = []
        for number, (start, step) in enumerate(WAYS):
            made = order(collector, replace(MORNING, run_id=f"run {number}"), together=together)
            batch = [made.batch[(start + step * place) % 12] for place in range(9)]
            processes.append(IngestProcess(replace(made, batch=batch)))
        outcomes = [process.outcome() for process in processes]

        ends = [(outcome.is_done, outcome.problems) for outcome in outcomes]
        assert ends == [(True, ())] * len(WAYS)
        assert {*Counter(engine.asked).values()} == {1}
        assert len(engine.asked) == 12 * ARTICLE_TOTAL.window
        told = kept(warehouse)
        assert len(told) == len(engine.asked)
        assert differences(held(warehouse), truth([told])) == []
