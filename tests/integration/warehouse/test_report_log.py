"""What the report logs, by how many pairs the run planned."""

import logging
from datetime import datetime, timedelta

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


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        (
            PAIRS_IN_LOG // 7,
            "account wx1 2026-11-23: failed; 1 calls, 0 inserted, 0 updated, 0 unchanged, "
            "0 rejected, 0 restated",
        ),
        (PAIRS_IN_LOG // 7 + 1, "weixin.run_report has the counts of each of the 707 pairs"),
    ],
    ids=["few", "many"],
)
def test_what_is_logged_of_a_week(
    warehouse: Engine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    accounts: int,
    told: str,
):
    """
    A line for each pair of a few accounts; ten thousand would be seventy thousand lines.

    How long it took is compared with what the plan expected, unless the run was cleared since. Why
    some are not in is a line per account and cause, which comes last.
    """
    monkeypatch.setenv("WEIXIN_NOW", (PLANNED_AT + timedelta(seconds=97)).isoformat())
    stamp = PlanStamp(PLANNED_AT, 7 * accounts)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(PLAN, (SCHEDULED.run_id, stamp.planned_at, accounts))
        connection.exec_driver_sql(NAME)
        connection.exec_driver_sql(REFUSE)
    caplog.set_level(logging.INFO)

    totals = report(SCHEDULED, warehouse, {}, stamp, timedelta(minutes=1))

    assert (totals["calls"], totals["failed"]) == (7 * accounts, 6)
    assert told in caplog.messages
    assert len(caplog.messages) == (PAIRS_IN_LOG + 2 if accounts == PAIRS_IN_LOG // 7 else 3)
    assert caplog.messages[-2] == "took 97 s since the plan, which expected about 60 s"
    assert caplog.messages[-1] == (
        "account wx1: correct the password (the secret is wrong) · "
        "2026-11-17 to 2026-11-19, 2026-11-21 to 2026-11-23 · wx1"
    )

    caplog.clear()
    report(SCHEDULED, warehouse, {}, stamp, None)
    assert not any("since the plan" in it for it in caplog.messages)
