"""What the report logs, by how many pairs the run planned."""

import logging
from datetime import datetime

import pytest
from sqlalchemy import Engine
from warehouse_loads import SCHEDULED

from weixin_etl.model import PlanStamp
from weixin_etl.run.report import PAIRS_IN_LOG, report

PLANNED_AT = datetime.fromisoformat("2026-11-24T08:30:00+08:00")
PLAN = """
    INSERT INTO weixin.run_report (
        run_id, dataset, appid, publication_date, planned_at, calls, state
    )
    SELECT %s, 'article_total', 'wx' || number, DATE '2026-11-17' + day, %s, 1,
        CASE WHEN number = 1 AND day != 3 THEN 'failed' ELSE 'loaded' END
    FROM generate_series(1, %s) AS number CROSS JOIN generate_series(0, 6) AS day
"""
NAME = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
    SELECT DISTINCT appid, 'account ' || appid, appid, now() FROM weixin.run_report
"""
REFUSE = """
    INSERT INTO weixin.coverage (
        dataset, appid, publication_date, attempt_state, attempted_at, ready_at, data_state,
        fetched_at, error_kind, error, cure
    )
    SELECT dataset, appid, publication_date, CASE state WHEN 'failed' THEN state ELSE 'ok' END,
        now(), loaded_at, CASE state WHEN 'loaded' THEN state END, loaded_at,
        refusal.*
    FROM weixin.run_report
    CROSS JOIN LATERAL (SELECT CASE state WHEN 'loaded' THEN now() END) AS loaded (loaded_at)
    LEFT JOIN (
        VALUES ('configuration', 'the secret is wrong', 'correct the password')
    ) AS refusal (error_kind, error, cure) ON state = 'failed'
"""


def lines(
    warehouse: Engine, caplog: pytest.LogCaptureFixture, accounts: int
) -> list[tuple[str, str]]:
    """What the report logs of a week of so many accounts; one is refused on six days."""
    stamp = PlanStamp(PLANNED_AT, 7 * accounts)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(PLAN, (SCHEDULED.run_id, stamp.planned_at, accounts))
        connection.exec_driver_sql(NAME)
        connection.exec_driver_sql(REFUSE)
    caplog.set_level(logging.INFO)
    totals = report(SCHEDULED, warehouse, {}, stamp)
    assert (totals["calls"], totals["failed"]) == (7 * accounts, 6)
    return [(record.levelname, record.message) for record in caplog.records]


def test_every_pair_of_a_few_accounts_has_a_line(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """What came of it; why some are not in is a line per account and cause, which comes last."""
    logged = lines(warehouse, caplog, PAIRS_IN_LOG // 7)

    assert [level for level, _ in logged].count("INFO") == PAIRS_IN_LOG - 6
    assert (
        "WARNING",
        "account wx1 2026-11-23: failed; 1 calls, 0 inserted, 0 updated, 0 unchanged, 0 rejected, "
        "0 restated",
    ) in logged
    assert logged[-1] == (
        "ERROR",
        "account wx1: correct the password (the secret is wrong) · "
        "2026-11-17 to 2026-11-19, 2026-11-21 to 2026-11-23 · wx1",
    )


def test_of_many_accounts_those_not_in_have_a_line(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """Ten thousand accounts would be seventy thousand lines that say that all is well."""
    logged = lines(warehouse, caplog, PAIRS_IN_LOG // 7 + 1)

    assert logged == [
        ("INFO", "weixin.run_report has the counts of each of the 707 pairs"),
        (
            "ERROR",
            "account wx1: correct the password (the secret is wrong) · "
            "2026-11-17 to 2026-11-19, 2026-11-21 to 2026-11-23 · wx1",
        ),
    ]
