"""The pipeline works as weixin_loader: no run needs a right that the role lacks."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import SCHEDULED, article, body, load_pairs, pair, refused, rows

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import EndpointOfflineError
from weixin_etl.check import check
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, ConfiguredAccount
from weixin_etl.pipeline import Pipeline
from weixin_etl.report import report


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)
def test_a_whole_run(loader: Engine, account: Account, dataset: Dataset):
    """Plan, ingest, report and check, twice: the second try of the run adds to the first."""
    run = replace(SCHEDULED, dataset=dataset, refetch=True)
    configured = [ConfiguredAccount(account.conn_id, account.appid, account.name)]
    pipeline = Pipeline(run, loader)

    totals = {}
    for is_new in (True, False):
        plan = pipeline.plan(configured, is_new=is_new)
        pipeline.ingest(plan.accounts, lambda _: WeixinClient(account, HASTE), by_itself=False)
        totals = report(run, loader, plan.counts)
        check(run, loader, configured)

    assert totals["calls"] >= totals["loaded"] + totals["empty"] > 5
    assert totals["inserted"] > 0
    assert totals["failed"] == totals["not_ready"] == totals["planned"] == 0


@pytest.mark.usefixtures("now")
def test_restated_rejected_and_refused(loader: Engine):
    """What is rare is allowed too: corrections, rows that do not fit, an endpoint offline."""
    first = body(article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}))
    second = body(article("1_1", {"20": {"share_user": 4}}))

    load_pairs(loader, pair(first, "22 08:30"))
    load_pairs(loader, pair(second, "22 20:30"))
    load_pairs(loader, pair(first, "22 10:30"))
    load_pairs(loader, refused(EndpointOfflineError(account="wx1", errcode=47009)))

    assert rows(loader, "SELECT old_value, new_value FROM weixin.restatement LIMIT 1") == [(5, 4)]
    assert rows(loader, "SELECT DISTINCT stat_date::text FROM weixin.rejected_row") == [
        ("2026-11-21",)
    ]
    assert rows(loader, "SELECT error_code FROM weixin.coverage") == [(47009,)]
