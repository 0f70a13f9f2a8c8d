"""What the page's first view says, by the server."""

from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl.datasets import DATASETS


def test_an_account_is_found_however_its_connection_is_spelt(
    daily: DailyDag, warehouse: Engine
) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) "
            "VALUES ('wx1', '沙箱公众号', 'Main_Account', TRUE, now());"
            "INSERT INTO weixin.first_daily_run VALUES ('article_total', 'wx1', '2026-11-24')"
        )

    searches = ("Main_Account", "main_account", "沙箱", "WX", "nobody")
    found = {it: problems.view(list(DATASETS.values()), it, 0).account_count for it in searches}
    assert found == {"Main_Account": 1, "main_account": 1, "沙箱": 1, "WX": 1, "nobody": 0}


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
