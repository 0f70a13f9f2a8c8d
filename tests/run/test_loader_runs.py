"""The pipeline works as weixin_loader: no run needs a right that the role lacks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import ACCOUNT, SCHEDULED, article, body, load_pairs, pair, refused, rows
from world.collector import Collector

from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, PlannedAccount
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.warehouse.locks import begin_load

pytestmark = [pytest.mark.every_postgres, pytest.mark.usefixtures("now")]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)
def test_a_whole_run(
    loader: Engine, account: Account, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, ingest, report and check, twice: the run adds up what it did, then nothing."""
    run, its = replace(SCHEDULED, dataset=dataset, refetch=True), Collector.of(loader, account)
    inserted = []
    for minute in (30, 31):
        monkeypatch.setenv("WEIXIN_NOW", f"2026-11-24T10:{minute}:00+08:00")
        batch = its.plan(run)
        its.ingest(run, batch)
        totals = its.report(run, batch)
        assert its.check(run, batch).not_in == []
        assert totals["calls"] >= totals["in"] >= dataset.window
        assert totals["not_in"] == 0
        inserted.append(totals["inserted"])

    assert inserted[0] == inserted[1] > 0


def test_restated_rejected_and_refused(loader: Engine) -> None:
    """What is rare is allowed too: corrections, rows that do not fit, an endpoint offline."""
    first = body(article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}))
    load_pairs(loader, pair(first, "22 08:30"))
    load_pairs(loader, pair(body(article("1_1", {"20": {"share_user": 4}})), "22 20:30"))
    load_pairs(loader, refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, errcode=47009)))

    assert rows(loader, "SELECT row ->> 'share_user' FROM weixin.fact_history") == [("5",)]
    assert len(rows(loader, "SELECT 1 FROM weixin.rejected_row")) == 1
    assert rows(loader, "SELECT error_code FROM weixin.coverage") == [(47009,)]


ODD = (
    "bytea_output TO escape",
    "client_encoding TO latin1",
    "datestyle TO sql, dmy",
    "default_transaction_isolation TO serializable",
    "idle_in_transaction_session_timeout TO '50ms'",
    "idle_session_timeout TO '50ms'",
    "intervalstyle TO iso_8601",
    "quote_all_identifiers TO on",
    "row_security TO off",
    "search_path TO pg_temp, public, pg_catalog",
    "standard_conforming_strings TO off",
    "timezone TO 'Asia/Kolkata'",
    "transform_null_equals TO on",
    "xmloption TO document",
)


@pytest.fixture
def odd(loader: Engine, warehouse: Engine) -> Iterator[Engine]:
    """The warehouse as the pipeline sees it when somebody has set all this for its role."""
    with warehouse.begin() as connection:
        for setting in ODD:
            connection.exec_driver_sql(f"ALTER ROLE weixin_loader SET {setting}")
    yield loader
    with warehouse.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE weixin_loader RESET ALL")


def test_a_run_of_a_role_with_odd_settings(
    odd: Engine, warehouse: Engine, account: Account
) -> None:
    """Texts stay as they are, and an account's lock is held for as long as WeChat takes."""
    free = []

    def open_client(_: PlannedAccount) -> WeixinClient:
        with warehouse.connect() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(0.2)")  # four idle timeouts
        taken = "SELECT lock_name FROM weixin.writer_lock FOR UPDATE SKIP LOCKED"
        free.append(rows(warehouse, taken))
        return WeixinClient(account, HASTE)

    its = replace(Collector.of(odd, account), open_client=open_client)
    assert its.run(SCHEDULED).problems == []
    load_pairs(odd, pair(body(article("1_1", {"20": {}}, title="春\\")), "22 08:30"))

    titles = "SELECT title FROM weixin.dim_article WHERE appid = 'wx1'"
    assert rows(warehouse, titles) == [("春\\",)]
    assert free == [[]]


def test_a_load_of_a_role_with_odd_settings_waits(odd: Engine, warehouse: Engine) -> None:
    """And sees what the load wrote that it waited for."""
    load_pairs(odd, pair(body(article("1_1", {"20": {"share_user": 5}})), "22 08:30"))
    later = pair(body(article("1_1", {"20": {"share_user": 6}})), "23 08:30")
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as other:
            begin_load(other, [ACCOUNT.appid])
            waiting = pool.submit(load_pairs, odd, later)
            while not rows(warehouse, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            other.exec_driver_sql("UPDATE weixin.fact_article_total SET share_user = 7")
        waiting.result()

    assert rows(warehouse, "SELECT row ->> 'share_user' FROM weixin.fact_history") == [("7",)]
