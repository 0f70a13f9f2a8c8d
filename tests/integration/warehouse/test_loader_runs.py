"""The pipeline works as weixin_loader: no run needs a right that the role lacks."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import ACCOUNT, SCHEDULED, article, body, load_pairs, pair, refused, rows

from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, ConfiguredAccount, PlannedAccount
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Work
from weixin_etl.run.check import check, report
from weixin_etl.run.ingest import ingest
from weixin_etl.run.plan import plan
from weixin_etl.warehouse.locks import lock_load

pytestmark = pytest.mark.every_postgres


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)
def test_a_whole_run(
    loader: Engine, account: Account, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
):
    """Plan, ingest, report and check, twice: the run adds up what it did, then nothing."""
    run = replace(SCHEDULED, dataset=dataset, refetch=True)
    configured = [ConfiguredAccount(account.conn_id, account.appid, account.name)]
    client = WeixinClient(account, HASTE)

    changed = []
    for minute in (30, 31):
        monkeypatch.setenv("WEIXIN_NOW", f"2026-11-24T10:{minute}:00+08:00")
        work = Work(run, loader)
        batch = plan(work, configured).accounts
        ingest(work, batch, lambda _: client)
        totals = report(work, batch)
        assert check(work, configured, batch).not_in == []
        assert totals["calls"] >= totals["in"] >= dataset.window
        assert totals["not_in"] == 0
        changed.append(totals["inserted"])

    assert changed[0] == changed[1] > 0


@pytest.mark.usefixtures("now")
def test_restated_rejected_and_refused(loader: Engine):
    """What is rare is allowed too: corrections, rows that do not fit, an endpoint offline."""
    first = body(article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}))
    second = body(article("1_1", {"20": {"share_user": 4}}))

    load_pairs(loader, pair(first, "22 08:30"))
    load_pairs(loader, pair(second, "22 20:30"))
    load_pairs(
        loader, refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, account="wx1", errcode=47009))
    )

    assert rows(loader, "SELECT row ->> 'share_user' FROM weixin.fact_history") == [("5",)]
    assert rows(loader, "SELECT DISTINCT stat_date::text FROM weixin.rejected_row") == [
        ("2026-11-21",)
    ]
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
FREE = "SELECT lock_name FROM weixin.writer_lock ORDER BY 1 FOR UPDATE SKIP LOCKED"


@pytest.fixture
def odd(loader: Engine, warehouse: Engine) -> Iterator[Engine]:
    """The warehouse as the pipeline sees it when somebody has set all this for its role."""
    with warehouse.begin() as connection:
        for setting in ODD:
            connection.exec_driver_sql(f"ALTER ROLE weixin_loader SET {setting}")
    yield loader
    with warehouse.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE weixin_loader RESET ALL")


def test_a_run_of_a_role_with_odd_settings(odd: Engine, warehouse: Engine, account: Account):
    """Texts stay as they are, and the lock of an account is held for as long as WeChat takes."""
    free = []

    def open_client(_: PlannedAccount) -> WeixinClient:
        time.sleep(0.2)
        free.append(rows(warehouse, FREE))
        return WeixinClient(account, HASTE)

    configured = [ConfiguredAccount(account.conn_id, account.appid, account.name)]
    batch = plan(Work(SCHEDULED, odd), configured).accounts
    ingest(Work(SCHEDULED, odd), batch, open_client)
    load_pairs(odd, pair(body(article("1_1", {"20": {"share_user": 5}}, title="春\\")), "22 08:30"))

    assert rows(warehouse, "SELECT title FROM weixin.dim_article WHERE appid = 'wx1'") == [
        ("春\\",)
    ]
    assert free == [[]]
    assert (f"ingest:article_total:{account.appid}",) in rows(warehouse, FREE)


def test_a_load_of_a_role_with_odd_settings_waits(odd: Engine, warehouse: Engine):
    """And sees what the load wrote that it waited for."""
    load_pairs(odd, pair(body(article("1_1", {"20": {"share_user": 5}})), "22 08:30"))
    later = pair(body(article("1_1", {"20": {"share_user": 6}})), "23 08:30")
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as other:
            lock_load(other, [ACCOUNT.appid])
            waiting = pool.submit(load_pairs, odd, later)
            while not rows(warehouse, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            other.exec_driver_sql("UPDATE weixin.fact_article_total SET share_user = 7")
        waiting.result()

    history = "SELECT row ->> 'share_user' FROM weixin.fact_history"
    assert rows(warehouse, history) == [("7",)]
