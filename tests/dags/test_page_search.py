"""The page's search for accounts."""

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import DATASETS


@pytest.mark.parametrize("search", ["Main_Account", "main_account", "沙箱", "WX"])
def test_an_account_is_found_however_its_connection_is_spelt(
    daily: DailyDag, warehouse: Engine, search: str
) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.page import problems

    daily.run()
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.dim_account SET conn_id = 'Main_Account'")

    assert problems.view(list(DATASETS.values()), search, 0).account_count == 1
    assert problems.view(list(DATASETS.values()), "nobody", 0).account_count == 0
