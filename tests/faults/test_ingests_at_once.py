"""One ingest of an account at a time (decision 0008), however many there are."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from ingest_processes import PATIENCE_SECONDS, Hold, IngestProcess, context
from pipeline import MORNING, Pipeline, Warehouses, accounts

from weixin_etl.datasets import Dataset
from weixin_sandbox import Sandbox

YESTERDAY = MORNING.date() - timedelta(days=1)
AT_ONCE = 4


def test_four_ingests_of_one_account(warehouses: Warehouses, dataset: Dataset):
    """Planned alike and begun together, they ask once for a day that the first makes final."""
    final = [MORNING.date() - timedelta(days=dataset.window + age) for age in range(3)]
    counting = [MORNING.date() - timedelta(days=age) for age in range(1, dataset.window)]
    sandbox = Sandbox(accounts(1), today=MORNING.date(), latency_seconds=0.02)
    with warehouses.passing("at_once") as engine, sandbox.serve() as url:
        pipeline = Pipeline(dataset, engine, sandbox, url)
        orders = [
            pipeline.plan(f"run {number}", MORNING, begin_date=min(final), end_date=YESTERDAY)
            for number in range(AT_ONCE)
        ]

        together = context.Barrier(AT_ONCE)
        processes = [IngestProcess(replace(order, together=together)) for order in orders]
        outcomes = [process.outcome() for process in processes]

        assert [(outcome.is_done, outcome.said) for outcome in outcomes] == [(True, "")] * AT_ONCE
        asked = Counter(call.publication_date for call in sandbox.calls if call.publication_date)
        assert asked == dict.fromkeys(final, 1) | dict.fromkeys(counting, AT_ONCE)
        assert pipeline.fact() == pipeline.truth([*final, *counting], MORNING.date())
        assert len(pipeline.contents()["raw_response"]) == len(asked)


def test_another_account_does_not_wait(
    warehouses: Warehouses, sandbox: Sandbox, sandbox_url: str, dataset: Dataset
):
    """While one account's ingest is held up, another's comes to its end."""
    sandbox.today = MORNING.date()
    with warehouses.passing("beside") as engine:
        order = Pipeline(dataset, engine, sandbox, sandbox_url).plan("run", MORNING)
        first, second = order.batch

        hold = Hold(statement=3)
        held_up = IngestProcess(replace(order, batch=[first], hold=hold))
        assert hold.reached.wait(PATIENCE_SECONDS)
        beside = IngestProcess(replace(order, batch=[second])).outcome()
        hold.over.set()

        assert beside.is_done
        assert held_up.outcome().is_done
