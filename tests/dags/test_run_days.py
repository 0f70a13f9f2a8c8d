"""Which day a run is of, whatever started it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine
from support import newest_instants

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.orchestration import run_context
from weixin_sandbox import Account, Sandbox, Scenario

FORM = {"begin_date": None, "end_date": None, "accounts": None, "refetch": False, "dry_run": False}
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "logical_date", "today", "is_scheduled"),
    [
        ("scheduled", datetime(2026, 11, 24, 0, 30, tzinfo=UTC), date(2026, 11, 24), True),
        ("backfill", datetime(2026, 10, 31, 0, 30, tzinfo=UTC), date(2026, 10, 31), False),
        ("backfill", datetime(2025, 12, 31, 23, 30, tzinfo=UTC), date(2026, 1, 1), False),
        ("manual", datetime(2026, 11, 20, 0, 0, tzinfo=UTC), date(2026, 11, 20), False),
        ("manual", None, date(2026, 11, 24), False),
    ],
)
def test_the_day_is_that_of_the_logical_date_in_beijing(
    run_type: str, logical_date: datetime | None, today: date, is_scheduled: bool
):
    """A backfill's run of a past morning is of that morning; without logical date it is today."""
    from airflow.models.dagrun import DagRun

    dag_run = DagRun(
        dag_id="weixin_article_total",
        run_id="a-run",
        run_type=run_type,
        logical_date=logical_date,
        run_after=NOW,
    )

    this = run_context.of(ARTICLE_TOTAL, {"dag_run": dag_run, "params": FORM})

    assert this.today == today
    assert this.is_scheduled is is_scheduled


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
