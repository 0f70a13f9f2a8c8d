"""Calls are counted across runs, and a run with dates leaves those reserved for daily runs."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import SCHEDULED, rows

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.load.merge import Merge
from weixin_etl.model import Account, Batch, ConfiguredAccount, Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_sandbox import Sandbox, Scenario

PATH = SCHEDULED.dataset.path
TODAY = SCHEDULED.today
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
BACKFILL = replace(
    MANUAL, begin_date=date(2026, 9, 1), end_date=date(2026, 11, 10), names_dates=True
)


@dataclass
class Collector:
    """An account and its mornings, as the tasks of the DAG live through them."""

    warehouse: Engine
    sandbox: Sandbox
    account: Account
    monkeypatch: pytest.MonkeyPatch
    settings: Settings = Settings(concurrency=1, daily_calls=150)  # noqa: RUF009 # it is frozen

    def come_to(self, today: date, time: str) -> Run:
        """Let it be that day and time in Beijing; its daily run."""
        self.monkeypatch.setenv("WEIXIN_NOW", f"{today}T{time}:00+08:00")
        return replace(SCHEDULED, run_id=f"run {today}", today=today)

    def work(self, run: Run) -> Work:
        return Work(run, self.warehouse, self.settings)

    def plan(self, run: Run) -> Batch:
        its = self.account
        configured = [ConfiguredAccount(its.conn_id, its.appid, its.name)]
        return plan_verb.plan(self.work(run), configured).accounts

    def ingest(self, run: Run, batch: Batch) -> list[Problem]:
        """Bring the plan in; why it is not."""
        client = WeixinClient(self.account, HASTE)
        return ingest_verb.ingest(self.work(run), batch, lambda _: client).problems

    def run(self, run: Run) -> list[Problem]:
        """Plan it and bring it in; why it is not."""
        return self.ingest(run, self.plan(run))

    def not_in(self, run: Run, batch: Batch) -> list[Problem]:
        """What makes the run red."""
        return check_verb.check(self.work(run), [], batch).not_in

    def asked(self) -> list[date]:
        """The days asked for since the last time, newest first."""
        days = [call.publication_date for call in self.sandbox.calls if call.path == PATH]
        self.sandbox.calls.clear()
        return sorted((day for day in days if day), reverse=True)

    def used(self) -> int:
        """Today's calls, as WeChat counts them."""
        return self.sandbox.counted[self.account.appid, PATH, TODAY]

    def counted(self, today: date = TODAY) -> int:
        """The day's calls, as the warehouse counts them."""
        sql = "SELECT calls FROM weixin.api_call WHERE beijing_date = :today"
        return sum(calls for (calls,) in rows(self.warehouse, sql, today=today))


@pytest.fixture
def collector(
    warehouse: Engine, sandbox: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> Collector:
    """An account whose token no other test knows."""
    monkeypatch.setattr(api_client, "_keepers", {})
    return Collector(warehouse, sandbox, account, monkeypatch)


def days(last: date, count: int) -> list[date]:
    """So many days up to the last, newest first."""
    return [last - timedelta(days=age) for age in range(count)]


@pytest.mark.every_postgres
def test_runs_of_one_day_share_the_count(collector: Collector):
    """Repeated tries of a call included; midnight in Beijing starts a new one."""
    collector.sandbox.scenarios[:] = [Scenario("busy", times=2)]
    collector.run(SCHEDULED)
    collector.come_to(TODAY, "23:59")
    collector.run(MANUAL)
    tomorrow = TODAY + timedelta(days=1)
    collector.run(collector.come_to(tomorrow, "00:01"))

    assert collector.counted() == collector.used() == 7 + 2 + 7
    assert collector.counted(tomorrow) == 8


@pytest.mark.parametrize("failing_commits", [1, 100])
def test_calls_of_a_failed_commit_are_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, failing_commits: int
):
    """By a commit of their own: of the answers that failed, and of the account's later ones."""
    collector.settings = replace(collector.settings, commit_bytes=1)
    real, begun = Merge.merge, iter(range(1, 1000))

    def fails(*args: Any) -> Any:
        if next(begun) <= failing_commits:
            raise ValueError("an answer that can't be loaded")
        return real(*args)

    monkeypatch.setattr(Merge, "merge", fails)
    problems = collector.run(replace(BACKFILL, begin_date=date(2026, 10, 2)))

    assert [problem.kind for problem in problems] == [ProblemKind.PROGRAM]
    assert collector.counted() == collector.used() == 40


def test_a_backfill_stops_at_the_reserve(collector: Collector):
    """It is red and names the days; cleared the next day, it goes on and is green."""
    batch = collector.plan(BACKFILL)
    held_back = days(date(2026, 9, 21), 21)

    for _ in range(2):
        (problem,) = collector.ingest(BACKFILL, batch)
        assert (problem.kind, list(problem.days)) == (ProblemKind.HELD_BACK, held_back[::-1])
        assert problem.cure == (
            "clear ingest on a later day in Beijing, or lower [weixin] quota_reserve"
        )
        assert collector.not_in(BACKFILL, batch) == [problem]
    assert collector.asked() == days(date(2026, 11, 10), 50)
    never_asked = "SELECT count(*) FROM weixin.coverage WHERE day < '2026-09-22'"
    assert rows(collector.warehouse, never_asked) == [(0,)]

    collector.come_to(TODAY + timedelta(days=1), "00:01")
    assert collector.ingest(BACKFILL, batch) == []
    assert collector.asked() == held_back
    assert collector.not_in(BACKFILL, batch) == []


def test_the_reserve_is_for_daily_runs(collector: Collector):
    """A backfill has used the rest, and a daily run's window is asked for all the same."""
    collector.run(BACKFILL)
    collector.asked()

    assert collector.run(SCHEDULED) == []
    *window, witness = sorted(collector.asked(), reverse=True)
    assert window == days(date(2026, 11, 23), 7)
    assert witness == date(2026, 11, 10)


def test_what_another_run_used_since_the_plan_is_not_there_any_more(collector: Collector):
    """How many calls are left is looked at when a try begins, not when the run was planned."""
    batch = collector.plan(BACKFILL)
    collector.run(SCHEDULED)
    collector.asked()

    (problem,) = collector.ingest(BACKFILL, batch)

    assert problem.kind is ProblemKind.HELD_BACK
    assert len(collector.asked()) == 50 - 7


def test_a_backfill_whose_calls_are_repeated_spares_the_reserve(collector: Collector):
    """Each try counts: fewer days are asked for."""
    collector.sandbox.scenarios[:] = [Scenario("busy", times=1) for _ in range(20)]

    collector.run(BACKFILL)

    # the last of these calls may be repeated itself
    assert 50 <= collector.used() <= 50 + HASTE.tries - 1


def test_a_used_up_quota_ends_the_waiting(collector: Collector):
    """Days of its account that are not ready are not asked for any more today."""
    run = collector.come_to(TODAY, "08:30")
    batch, window = collector.plan(run), days(date(2026, 11, 23), 7)
    collector.sandbox.scenarios[:] = [
        *(Scenario("not-ready-code", day=day, times=1) for day in window[:2]),
        Scenario("daily-quota", day=window[6], last_day=window[2]),
    ]
    client = WeixinClient(collector.account, HASTE)

    first = ingest_verb.ingest(collector.work(run), batch, lambda _: client)
    collector.asked()
    again = ingest_verb.ingest(collector.work(run), batch, lambda _: client)

    assert {problem.kind for problem in first.problems} == {
        ProblemKind.NOT_READY,
        ProblemKind.DAILY_QUOTA,
    }
    assert not first.has_not_ready
    assert (collector.asked(), again.problems) == ([], first.problems)
