"""Check that whole runs succeed as weixin_loader, also with odd settings of the role."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from support import rows
from support.warehouse_loads import ACCOUNT, article, body, load_chunk, refused, staged
from world.collector import Collector

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account, Run
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.warehouse.locks import begin_load

pytestmark = [pytest.mark.every_postgres, pytest.mark.usefixtures("now")]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_a_run_and_its_repetition_succeed_as_weixin_loader(
    loader: Engine, account: Account, dataset: Dataset
) -> None:
    """The report adds up over the tries; the repetition inserts nothing."""
    run = Run("run", dataset, clock.beijing_date(clock.now()), is_scheduled=True, refetch=True)
    inserted = []
    for minute in range(2):
        moment = clock.now() + timedelta(minutes=minute)
        collector = Collector(loader, {account.conn_id: account}, now=lambda at=moment: at)
        batch = collector.plan(run)
        collector.ingest(run, batch)
        totals = collector.report(run, batch)
        assert collector.check(run, batch).not_in == []
        assert (totals["calls"], totals["in"], totals["not_in"]) >= (dataset.window,) * 2 + (0,)
        inserted.append(totals["inserted"])

    assert inserted[0] == inserted[1] > 0


ODD = Path(__file__).with_name("odd_settings.txt").read_text().splitlines()


@pytest.fixture
def odd(loader: Engine, warehouse: Engine) -> Iterator[Engine]:
    """Yield the warehouse as the pipeline sees it with odd settings of its role."""
    with warehouse.begin() as connection:
        has_timeout = (connection.dialect.server_version_info or (0,)) >= (17,)
        for setting in [*ODD, *["transaction_timeout TO '200ms'"] * has_timeout]:
            connection.exec_driver_sql(f"ALTER ROLE weixin_loader SET {setting}")
    yield loader
    with warehouse.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE weixin_loader RESET ALL")


def test_loads_succeed_with_odd_settings_of_the_role(odd: Engine, warehouse: Engine) -> None:
    """
    Texts are unchanged; rejected rows, a refusal and a correction are loaded.

    A load that waited for another one sees what the other one wrote.
    """
    first = article("1_1", {"20": {"share_user": 5}, "21": {"share_user": "x"}}, title="春\\")
    load_chunk(odd, staged(body(first), "22 08:30"))
    load_chunk(odd, refused(WeixinError(ProblemKind.ENDPOINT_OFFLINE, code="47009")))
    later = staged(body(article("1_1", {"20": {"share_user": 6}})), "23 08:30")
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as other:
            begin_load(other, [ACCOUNT.appid])
            waiting = pool.submit(load_chunk, odd, later)
            while not rows(warehouse, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            other.exec_driver_sql("UPDATE weixin.fact_article_total SET share_user = 7")
            other.exec_driver_sql("SELECT pg_sleep(0.3)")  # longer than any limit of the role
        waiting.result()

    assert rows(warehouse, "SELECT row ->> 'share_user' FROM weixin.fact_history") == [("7",)]
    assert rows(warehouse, "SELECT title FROM weixin.dim_article") == [("春\\",)]
    assert len(rows(warehouse, "SELECT 1 FROM weixin.rejected_row")) == 1
