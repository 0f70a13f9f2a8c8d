"""One ingest of an account at a time (decision 0008), however many there are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import ill_postgres
import pytest
from figures import loaded, truth
from ingest_processes import PATIENCE_SECONDS, Hold, IngestProcess, context
from trial import MORNING, Make, Trial, Warehouses, accounts

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.run import Settings
from weixin_sandbox import Sandbox

YESTERDAY = MORNING.date() - timedelta(days=1)
AT_ONCE = 4
LOADING = 9
"""A statement of a load."""


def test_four_ingests_of_accounts_that_overlap(warehouses: Warehouses):
    """
    Begun together, each with its accounts in another order, they end, and nothing is lost.

    A day that one of them brings in is asked for once.
    """
    window = ARTICLE_TOTAL.window
    final = [MORNING.date() - timedelta(days=window + age) for age in range(1, 4)]
    counting = [MORNING.date() - timedelta(days=age) for age in range(1, window + 1)]
    the_day_before = MORNING - timedelta(days=1)
    sandbox = Sandbox(accounts(12), today=the_day_before.date(), latency_seconds=0.01)
    with warehouses.passing("at_once") as engine, sandbox.serve() as url:
        trial = Trial(ARTICLE_TOTAL, engine, sandbox, url)
        first = trial.plan("first", the_day_before, begin_date=min(final), end_date=max(final))
        assert IngestProcess(first).outcome().is_done
        sandbox.today = MORNING.date()
        sandbox.calls.clear()
        together = context.Barrier(AT_ONCE)
        orders = [
            trial.plan(f"run {number}", MORNING, begin_date=min(final), end_date=YESTERDAY)
            for number in range(AT_ONCE)
        ]
        batches = [
            [orders[number].batch[(start + step * number_of) % 12] for number_of in range(9)]
            for number, (start, step) in enumerate([(0, 1), (11, -1), (3, 1), (8, -1)])
        ]
        settings = Settings(commit_bytes=200_000)
        processes = [
            IngestProcess(replace(order, batch=batch, settings=settings, together=together))
            for order, batch in zip(orders, batches, strict=True)
        ]
        outcomes = [process.outcome() for process in processes]

        assert [(outcome.is_done, outcome.said) for outcome in outcomes] == [(True, "")] * AT_ONCE
        asked = Counter(
            (call.appid, call.publication_date) for call in sandbox.calls if call.publication_date
        )
        assert asked == {
            (appid, day): 1 for appid in sandbox.accounts for day in [*final, *counting]
        }
        known = truth(sandbox, sandbox.accounts.values(), [*final, *counting], MORNING.date())
        assert loaded(engine) == known
        assert len(trial.contents()["raw_response"]) == len(asked)


@pytest.mark.parametrize("held", [[0], [0, 1]], ids=["one account", "both"])
def test_what_other_runs_ingest_holds_up_nothing_else(
    warehouses: Warehouses, make: Make, held: Sequence[int]
):
    """
    While other runs have some accounts, those left of the batch are brought in.

    Then the ingest waits in Postgres for one after the other, always in the same order: while it
    waits for the first it has no other, for which somebody may wait who has the first.
    """
    with warehouses.passing("beside") as engine:
        trial = make(engine)
        other, order = trial.plan("other", MORNING), trial.plan("run", MORNING)
        holds = [Hold(LOADING) for _ in held]
        others = [
            IngestProcess(replace(other, batch=[other.batch[place]], hold=hold))
            for place, hold in zip(held, holds, strict=True)
        ]
        for hold in holds:
            assert hold.reached.wait(PATIENCE_SECONDS)
        process = IngestProcess(replace(order, batch=order.batch[::-1]))
        for _ in range(1000):
            if trial.rows(ill_postgres.WAITING):
                break
            process.wait(0.02)
        in_meanwhile = trial.rows("SELECT DISTINCT appid FROM weixin.fact_article_total")
        for place, (hold, ended) in reversed(list(enumerate(zip(holds, others, strict=True)))):
            process.wait(0.2)
            assert len(trial.rows(ill_postgres.WAITING)) == 1
            assert len(trial.rows(ill_postgres.TAKEN)) == place + 1
            hold.over.set()
            assert ended.outcome().is_done

        assert {appid for (appid,) in in_meanwhile} == {
            account.appid for place, account in enumerate(order.batch) if place not in held
        }
        assert process.outcome().is_done
