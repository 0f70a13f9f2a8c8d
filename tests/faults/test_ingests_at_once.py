"""One ingest of an account at a time (decision 0008), however many there are."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from ingest_processes import PATIENCE_SECONDS, Hold, IngestProcess, context
from trial import MORNING, Make, Trial, Warehouses, accounts

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox import Sandbox

YESTERDAY = MORNING.date() - timedelta(days=1)
AT_ONCE = 4


def test_four_ingests_of_one_account(warehouses: Warehouses):
    """Planned alike and begun together, they ask once for a day that the first makes final."""
    window = ARTICLE_TOTAL.window
    final = [MORNING.date() - timedelta(days=window + age) for age in range(3)]
    counting = [MORNING.date() - timedelta(days=age) for age in range(1, window)]
    sandbox = Sandbox(accounts(1), today=MORNING.date(), latency_seconds=0.02)
    with warehouses.passing("at_once") as engine, sandbox.serve() as url:
        trial = Trial(ARTICLE_TOTAL, engine, sandbox, url)
        together = context.Barrier(AT_ONCE)
        orders = [
            trial.plan(f"run {number}", MORNING, begin_date=min(final), end_date=YESTERDAY)
            for number in range(AT_ONCE)
        ]
        processes = [IngestProcess(replace(order, together=together)) for order in orders]
        outcomes = [process.outcome() for process in processes]

        assert [(outcome.is_done, outcome.said) for outcome in outcomes] == [(True, "")] * AT_ONCE
        asked = Counter(call.publication_date for call in sandbox.calls if call.publication_date)
        assert asked == dict.fromkeys(final, 1) | dict.fromkeys(counting, AT_ONCE)
        assert trial.fact() == trial.truth([*final, *counting], MORNING.date())
        assert len(trial.contents()["raw_response"]) == len(asked)


def test_another_account_does_not_wait(warehouses: Warehouses, make: Make):
    """While one account's ingest is held up, another's comes to its end."""
    with warehouses.passing("beside") as engine:
        order = make(engine).plan("run", MORNING)
        first, second = order.batch

        hold = Hold(statement=3)
        held_up = IngestProcess(replace(order, batch=[first], hold=hold))
        assert hold.reached.wait(PATIENCE_SECONDS)
        beside = IngestProcess(replace(order, batch=[second])).outcome()
        hold.over.set()

        assert beside.is_done
        assert held_up.outcome().is_done
