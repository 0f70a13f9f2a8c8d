"""What the page's first view says, by the server."""

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


def test_what_lasted_seconds_lasted_a_minute_as_in_the_message(
    daily: DailyDag, warehouse: Engine
) -> None:
    """The server words it, for messages and page alike."""
    from weixin_etl.orchestration.page import problems

    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.incident (dataset, kind, account, conn_id, cause, cure, "
            "publication_dates, opened_at, seen_at, closed_at) VALUES ('article_total', "
            "'unreachable', '', '', 'down', '', '{}', '2026-11-24 00:31:00+00', "
            "'2026-11-24 00:31:00+00', '2026-11-24 00:31:10+00')"
        )

    (over,) = problems.view(list(DATASETS.values()), "", 0).closed
    assert over["lasted"] == "1 min"
