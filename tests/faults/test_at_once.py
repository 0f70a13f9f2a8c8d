"""Check that at most one ingest of an account runs at a time, however many there are (0008)."""

from collections import Counter
from dataclasses import replace

from sqlalchemy import Engine
from world.expected_tables import differences, expected_tables, held, kept
from world.pipeline import MORNING
from world.processes import IngestProcess, context, order, several

from weixin_etl.datasets import ARTICLE_TOTAL

WAYS = [(0, 1), (11, -1), (3, 1), (8, -1)]
"""The first account of each ingest, and the direction in which it continues."""


def test_four_overlapping_ingests_ask_for_each_day_once(warehouse: Engine) -> None:
    """No ingest hangs, and the tables hold every answer."""
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
        answers = kept(warehouse)
        assert len(answers) == len(engine.asked)
        assert differences(held(warehouse), expected_tables([answers])) == []
