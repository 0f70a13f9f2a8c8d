"""The pipeline works as weixin_loader: no run needs a right that the role lacks."""

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import SCHEDULED, article, body, load_pairs, pair, rows

from weixin_etl.api.client import WeixinClient
from weixin_etl.check import check
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.pipeline import Pipeline
from weixin_etl.report import report


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)
def test_a_whole_run(loader: Engine, account: Account, dataset: Dataset):
    """Plan, ingest, report and check, twice: the second run of the same id replaces the first."""
    run = Run("scheduled", dataset, SCHEDULED.today, is_scheduled=True, refetch=True)
    configured = [ConfiguredAccount(account.conn_id, account.appid, account.name)]
    pipeline = Pipeline(run, loader)

    for _ in range(2):
        plan = pipeline.plan(configured, is_new=True)
        pipeline.ingest(plan.accounts, lambda _: WeixinClient(account, HASTE), by_itself=False)
        totals = report(run, loader, plan.counts)
        check(run, loader, configured)

    assert totals["calls"] == totals["loaded"] + totals["empty"] == dataset.window
    assert totals["unchanged"] > 0
    assert totals["failed"] == totals["not_ready"] == totals["planned"] == 0


def test_restated_and_rejected(loader: Engine):
    """What is rare is allowed too: corrections, rows that do not fit, answers that arrive late."""
    first = body(article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}))
    second = body(article("1_1", {"20": {"share_user": 4}}))
    for answer, fetched in ((first, "22 08:30"), (second, "23 08:30"), (first, "22 20:30")):
        load_pairs(loader, pair(answer, fetched))

    assert rows(loader, "SELECT old_value, new_value FROM weixin.restatement") == [(5, 4)]
    assert rows(loader, "SELECT DISTINCT stat_date::text FROM weixin.rejected_row") == [
        ("2026-11-21",)
    ]
