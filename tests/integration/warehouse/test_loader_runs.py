"""The pipeline works as weixin_loader: no run needs a right that the role lacks."""

import json

import pytest
from sqlalchemy import Engine
from support import HASTE, TODAY
from warehouse_loads import ACCOUNT, DAY, article, body, load_pairs, pair, rows
from weixin_etl.ingest import Ingest
from weixin_etl.pair import Pair
from weixin_etl.plan import plan

from weixin_etl.api.errors import EndpointOfflineError
from weixin_etl.check import check
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, Run
from weixin_etl.orchestration.accounts import CheckedAccount
from weixin_etl.orchestration.settings import Settings
from weixin_etl.report import report

SETTINGS = Settings(concurrency=2, retries=0, retry_delay_seconds=0, call_limits=HASTE)
EACH_DATASET = pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)


@EACH_DATASET
def test_a_whole_run(
    loader: Engine,
    account: Account,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
):
    """Plan, ingest, report and check, twice: the second try of the run replaces the first."""
    connection = {
        "conn_type": "weixin",
        "login": account.appid,
        "password": account.secret,
        "host": account.base_url,
    }
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_DEFAULT", json.dumps(connection))
    checked = [CheckedAccount(account.conn_id, account.appid, account.name)]
    this = Run("scheduled", dataset, TODAY, is_scheduled=True, refetch=True)

    totals = {}
    for _ in range(2):
        batches = plan(this, checked, loader, is_first_try=True)
        for batch in batches:
            Ingest(this, SETTINGS, loader, is_retry=False).batch(batch)
        totals = report(this, loader)
        check(this, loader)

    assert totals["calls"] == totals["loaded"] + totals["empty"] > 5
    assert totals["unchanged"] > 0
    assert totals["failed"] == totals["not_ready"] == totals["planned"] == 0


@pytest.mark.usefixtures("now")
def test_restated_rejected_and_retired(loader: Engine):
    """What is rare is allowed too: corrections, rows that do not fit, an endpoint offline."""
    first = body(article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}))
    second = body(article("1_1", {"20": {"share_user": 4}}))
    offline = Pair(DAY, 1, error=EndpointOfflineError(account=str(ACCOUNT), errcode=47009))

    load_pairs(loader, pair(first, "21 08:30"))
    load_pairs(loader, pair(second, "22 08:30"))
    load_pairs(loader, pair(first, "21 20:30"))
    load_pairs(loader, offline)
    retired = rows(loader, "SELECT appid FROM weixin.retired")
    load_pairs(loader, pair(second, "23 08:30"))

    assert retired == [("wx1",)]
    assert rows(loader, "SELECT appid FROM weixin.retired") == []
    assert rows(loader, "SELECT old_value, new_value FROM weixin.restatement LIMIT 1") == [(5, 4)]
    assert rows(loader, "SELECT DISTINCT stat_date::text FROM weixin.rejected_row") == [
        ("2026-11-21",)
    ]
