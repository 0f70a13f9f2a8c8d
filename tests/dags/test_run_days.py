"""Whose time the tasks of a run go by."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_sandbox import Account, Sandbox, Scenario


def newest_instants(warehouse: Engine) -> dict[str, datetime]:
    """The newest instant in each column that has any: `coverage.fetched_at`, …"""
    newest = {}
    with warehouse.connect() as connection:
        for table, column in connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'weixin' AND data_type = 'timestamp with time zone'"
        ):
            sql = f"SELECT max({column}) FROM weixin.{table}"  # noqa: S608 # of the catalogue
            if found := connection.exec_driver_sql(sql).scalar():
                newest[f"{table}.{column}"] = found
    return newest


class FourMinutesAhead(datetime):
    """The time of a machine whose clock is ahead of the warehouse's."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + timedelta(minutes=4)


def test_tasks_write_instants_by_the_warehouses_clock(
    daily: DailyDag,
    sandbox: Sandbox,
    accounts: Callable[[int], list[Account]],
    warehouse: Engine,
    monkeypatch: pytest.MonkeyPatch,
):
    """Of answers, refusals, quotas and incidents alike: other machines compare theirs with them."""
    monkeypatch.delenv("WEIXIN_NOW")
    monkeypatch.setattr(clock, "_ahead", timedelta(0))  # as it was, afterwards
    monkeypatch.setattr(clock, "datetime", FourMinutesAhead)
    refused, _ = accounts(2)
    sandbox.scenarios[:] = [Scenario("unauthorized", account=refused.appid)]

    outcome = daily.run(datetime.now(UTC))

    written = newest_instants(warehouse)
    assert outcome.state == "failed"
    assert [column for column, at in written.items() if at > datetime.now(UTC)] == []
    assert {
        "api_call.quota_asked_at",
        "coverage.attempted_at",
        "coverage.ready_at",
        "dim_account.first_seen_at",
        "fact_article_total.changed_at",
        "incident.opened_at",
        "raw_response.fetched_at",
        "run_report.planned_at",
        "account_list.listed_at",
    } <= written.keys()
