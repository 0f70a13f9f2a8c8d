"""Check that concurrent loads of one account wait for each other, and those of several do not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from support import rows
from support.warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    body,
    load_chunk,
    staged,
)

from weixin_etl import warehouse as warehouse_package
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.kept.replay import replay
from weixin_etl.load import Load
from weixin_etl.model import Counts
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse.locks import begin_load, ingest_locks

pytestmark = pytest.mark.usefixtures("now")
WAITING = "SELECT FROM pg_locks WHERE NOT granted"
FREE = "SELECT lock_name FROM weixin.writer_lock ORDER BY 1 FOR UPDATE SKIP LOCKED"


@pytest.fixture
def impatient(warehouse: Engine) -> Iterator[Engine]:
    """Yield a warehouse whose statements wait for no lock, during a load of ACCOUNT."""
    engine = warehouse_package.engine(warehouse.url, {"lock_timeout": "50ms"})
    with warehouse.connect() as connection, connection.begin():
        begin_load(connection, [ACCOUNT.appid])
        yield engine
    engine.dispose()


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
def test_loads_of_one_account_wait_for_each_other(impatient: Engine, dataset: Dataset) -> None:
    """Loads of either endpoint and replays wait; loads of other accounts do not."""
    answer = body(article("1_1", {"20": {"share_user": 1}}), rows_key=dataset.rows_key)
    first = staged(answer, "24 08:30", dataset=dataset)
    second = replace(first, account=OTHER_ACCOUNT)

    with pytest.raises(OperationalError, match="lock timeout"):
        load_chunk(impatient, first, dataset=dataset)
    with pytest.raises(WarehouseError, match="lock timeout"):
        replay(impatient, dataset, [(ACCOUNT.appid, [DAY])], ready_hour=10)
    counts = load_chunk(impatient, second, dataset=dataset)
    assert counts == Counts(calls=1, inserted=1)


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after it has waited"])
def test_an_ingest_of_an_account_does_not_delay_other_accounts(
    warehouse: Engine, impatient: Engine, waits: bool
) -> None:
    """The first ingest may have waited for its account."""
    with (
        ingest_locks(warehouse, "article_total", ["wx1"], waits=waits) as first,
        ingest_locks(impatient, "article_total", ["wx1", "wx2"], waits=False) as second,
    ):
        assert (first, second) == ({"wx1"}, {"wx2"})


def test_a_load_takes_its_locks_in_one_order(warehouse: Engine) -> None:
    """While it waits for the first lock it holds no other: two loads cannot wait for each other."""
    accounts = [replace(ACCOUNT, appid=f"wx{number}") for number in range(1, 9)]
    answer = staged(body(), "24 08:30")
    chunks = [[replace(answer, account=account)] for account in accounts]
    load = Load(warehouse, SCHEDULED, ready_hour=10)
    with warehouse.begin() as connection:
        begin_load(connection, [account.appid for account in reversed(accounts)])
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as connection:
            begin_load(connection, ["wx1"])
            loading = pool.submit(load.commit, chunks)
            while not rows(warehouse, WAITING):
                assert not loading.done()
            free = rows(warehouse, FREE)
        loading.result()

    assert free == [(f"load:wx{number}",) for number in range(2, 9)]
