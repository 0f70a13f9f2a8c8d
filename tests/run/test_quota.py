"""Calls are counted across runs; a run with dates leaves daily runs those reserved (0020)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import SCHEDULED, rows
from world.collector import Collector

from weixin_etl.api import client as api_client
from weixin_etl.load.merge import Merge
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind
from weixin_sandbox import Sandbox, Scenario

PATH, TODAY = SCHEDULED.dataset.path, SCHEDULED.today
TOMORROW = TODAY + timedelta(days=1)
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
LAST = date(2026, 11, 10)
BACKFILL = replace(MANUAL, begin_date=LAST - timedelta(70), end_date=LAST, names_dates=True)
"""71 days, of which fifty can be asked for: 150 calls a day, a hundred of them reserved."""


@pytest.fixture
def collector(
    warehouse: Engine, sandbox: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> Collector:
    """An account whose token no other test knows."""
    monkeypatch.setattr(api_client, "keepers", {})
    return Collector.of(warehouse, account, daily_calls=150)


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[], list[date]]:
    """The days asked for since the last time, newest first."""

    def asked() -> list[date]:
        days = [call.publication_date for call in sandbox.calls if call.path == PATH]
        sandbox.calls.clear()
        return sorted((day for day in days if day), reverse=True)

    return asked


def used(sandbox: Sandbox, today: date = TODAY) -> int:
    """The day's calls, as WeChat counts them."""
    return sum(n for (_, path, day), n in sandbox.counted.items() if (path, day) == (PATH, today))


def counted(collector: Collector, today: date = TODAY) -> int:
    """The day's calls, as the warehouse counts them."""
    sql = "SELECT calls FROM weixin.api_call WHERE beijing_date = :today"
    return sum(calls for (calls,) in rows(collector.warehouse, sql, today=today))


def days(last: date, count: int) -> list[date]:
    """So many days up to the last, newest first."""
    return [last - timedelta(days=age) for age in range(count)]


@pytest.mark.every_postgres
def test_runs_of_one_day_share_the_count(
    collector: Collector, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated tries of a call included; midnight in Beijing starts a new one."""
    sandbox.scenarios[:] = [Scenario("busy", times=2)]
    collector.run(SCHEDULED)
    monkeypatch.setenv("WEIXIN_NOW", f"{TODAY}T23:59:00+08:00")
    collector.run(MANUAL)
    monkeypatch.setenv("WEIXIN_NOW", f"{TOMORROW}T00:01:00+08:00")
    collector.run(replace(SCHEDULED, run_id="tomorrow", today=TOMORROW))

    assert counted(collector) == used(sandbox) == 7 + 2 + 7
    assert counted(collector, TOMORROW) == 8


@pytest.mark.parametrize("failing_commits", [2, 100])
def test_calls_of_a_failed_commit_are_counted(
    collector: Collector, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, failing_commits: int
) -> None:
    """By a commit of their own, once a chunk has failed twice; it is asked no more then."""
    real, begun = Merge.merge, iter(range(1, 1000))

    def fails(*args: Any, **options: Any) -> Any:
        if next(begun) <= failing_commits:
            raise ValueError("an answer that can't be loaded")
        return real(*args, **options)

    monkeypatch.setattr(Merge, "merge", fails)
    its = replace(collector, settings=replace(collector.settings, commit_bytes=1))
    came = its.run(replace(BACKFILL, begin_date=LAST - timedelta(39)))

    assert [problem.kind for problem in came.problems] == [ProblemKind.PROGRAM]
    assert 30 <= counted(collector) == used(sandbox) <= 40


def test_a_backfill_stops_at_the_reserve(
    collector: Collector, asked: Callable[[], list[date]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is red and names the days; cleared the next day, it goes on and is green."""
    batch = collector.plan(BACKFILL)
    held_back = days(LAST - timedelta(50), 21)

    for _ in range(2):
        (problem,) = collector.ingest(BACKFILL, batch).problems
        assert (problem.kind, [*problem.days]) == (ProblemKind.HELD_BACK, held_back[::-1])
        assert collector.check(BACKFILL, batch).not_in == [problem]
    assert asked() == days(LAST, 50)
    assert len(rows(collector.warehouse, "SELECT 1 FROM weixin.coverage")) == 50

    monkeypatch.setenv("WEIXIN_NOW", f"{TOMORROW}T00:01:00+08:00")
    assert collector.ingest(BACKFILL, batch).problems == []
    assert asked() == held_back
    assert collector.check(BACKFILL, batch).not_in == []


def test_the_reserve_is_for_daily_runs(
    collector: Collector, asked: Callable[[], list[date]]
) -> None:
    """A daily run's calls are made after a backfill has used the rest, and before count for it."""
    batch = collector.plan(BACKFILL)
    collector.run(SCHEDULED)
    asked()
    (problem,) = collector.ingest(BACKFILL, batch).problems
    assert (problem.kind, len(asked())) == (ProblemKind.HELD_BACK, 50 - 7)

    assert collector.run(replace(SCHEDULED, run_id="again")).problems == []
    assert {*asked()} >= {*days(date(2026, 11, 23), 7)}


def test_a_backfill_whose_calls_are_repeated_spares_the_reserve(
    collector: Collector, sandbox: Sandbox
) -> None:
    """Each try counts: fewer days are asked for; the last of the calls may be repeated itself."""
    sandbox.scenarios[:] = [Scenario("busy", times=1) for _ in range(20)]

    collector.run(BACKFILL)

    assert 50 <= used(sandbox) <= 50 + HASTE.tries - 1


def test_a_used_up_quota_ends_the_waiting(
    collector: Collector,
    sandbox: Sandbox,
    asked: Callable[[], list[date]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Days of its account that are not ready are not asked for any more today."""
    monkeypatch.setenv("WEIXIN_NOW", f"{TODAY}T08:30:00+08:00")
    batch, window = collector.plan(SCHEDULED), days(date(2026, 11, 23), 7)
    sandbox.scenarios[:] = [
        *(Scenario("not-ready-code", day=day, times=1) for day in window[:2]),
        Scenario("daily-quota", day=window[6], last_day=window[2]),
    ]

    first = collector.ingest(SCHEDULED, batch)
    asked()
    again = collector.ingest(SCHEDULED, batch)

    kinds = {problem.kind for problem in first.problems}
    assert kinds == {ProblemKind.NOT_READY, ProblemKind.DAILY_QUOTA}
    assert not first.has_not_ready
    assert (asked(), again.problems) == ([], first.problems)
