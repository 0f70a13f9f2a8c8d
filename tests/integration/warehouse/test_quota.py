"""Calls are counted across runs, and days are held back for the daily runs of the day."""

import logging
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from support import HASTE
from warehouse_loads import SCHEDULED, rows
from weixin_etl.run.quota import known_quotas
from wire import Wire, says

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import HeldBackError, WeixinError
from weixin_etl.datasets import FOLLOWER_TOTAL
from weixin_etl.load import merge
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.rules import Quota
from weixin_etl.run import Settings
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.run.ingest import IngestError
from weixin_etl.run.plan import Plan
from weixin_sandbox import Sandbox, Scenario

PATH = SCHEDULED.dataset.path
TODAY = SCHEDULED.today
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
BACKFILL = replace(MANUAL, begin_date=date(2026, 9, 1), end_date=date(2026, 11, 10))


@dataclass
class Collector:
    """An account and its mornings, as the tasks of the DAG live through them."""

    warehouse: Engine
    sandbox: Sandbox
    account: Account
    monkeypatch: pytest.MonkeyPatch
    settings: Settings = field(default_factory=lambda: Settings(concurrency=1))
    asks_quota: bool = True

    def come_to(self, today: date, time: str = "10:30") -> Run:
        """Let it be that day and time in Beijing; its daily run."""
        self.monkeypatch.setenv("WEIXIN_NOW", f"{today}T{time}:00+08:00")
        return replace(SCHEDULED, run_id=f"run {today}", today=today)

    def plan(self, run: Run) -> Plan:
        """Ask WeChat for the quota, as `refresh_access_token` does, and plan."""
        its = self.account
        said = WeixinClient(its, HASTE).quota(run.dataset) if self.asks_quota else None
        configured = ConfiguredAccount(its.conn_id, its.appid, its.name, quota=said)
        return plan_verb.plan(run, self.warehouse, self.settings, [configured], is_new=True)

    def ingest(self, plan: Plan, *, by_itself: bool = False) -> IngestError | None:
        """Bring the plan in; why it is not."""
        client = WeixinClient(self.account, HASTE)
        try:
            ingest_verb.ingest(
                *(plan.run, self.warehouse, self.settings, plan.accounts, lambda _: client),
                by_itself=by_itself,
            )
        except IngestError as error:
            return error
        return None

    def not_in(self, plan: Plan) -> list[Problem]:
        """What makes the run red."""
        return check_verb.check(plan.run, self.warehouse, [], plan.stamp).not_in

    def asked(self) -> list[date]:
        """The days asked for since the last time, newest first."""
        days = [call.publication_date for call in self.sandbox.calls if call.path == PATH]
        self.sandbox.calls.clear()
        return sorted((day for day in days if day), reverse=True)

    def spend(self, calls: int) -> None:
        """Another program makes calls today."""
        self.sandbox.quota.spend(self.account.appid, PATH, TODAY, calls)

    def used(self) -> int:
        """Today's calls, as WeChat counts them."""
        return self.sandbox.quota.used(self.account.appid, PATH, TODAY)

    def known(self, today: date = TODAY) -> Quota:
        """What the warehouse knows of the day's calls."""
        appid = self.account.appid
        with self.warehouse.connect() as connection:
            return known_quotas(
                connection, SCHEDULED.dataset, [appid], today=today, daily_calls=1000
            )[appid]


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


# --------------------------------------------------------------------------------------- counting


@pytest.mark.every_postgres
def test_runs_of_one_day_share_the_count(collector: Collector):
    """Repeated tries of a call included; midnight in Beijing starts a new one."""
    collector.asks_quota = False
    collector.sandbox.scenarios[:] = [Scenario("busy", times=2)]
    collector.ingest(collector.plan(SCHEDULED))
    collector.come_to(TODAY, "23:59")
    collector.ingest(collector.plan(MANUAL))
    tomorrow = TODAY + timedelta(days=1)
    collector.ingest(collector.plan(collector.come_to(tomorrow, "00:01")))

    assert collector.known() == Quota(7 + 2 + 7, 1000, 984, is_said=False)
    assert collector.used() == 16
    assert collector.known(tomorrow).calls == 8


@pytest.mark.parametrize("failing_commits", [1, 100])
def test_calls_of_a_failed_commit_are_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, failing_commits: int
):
    """By a commit of their own: of the answers that failed, and of the account's later ones."""
    collector.settings = replace(collector.settings, commit_bytes=1)
    plan = collector.plan(SCHEDULED)
    real, begun = merge.merge, iter(range(1, 1000))

    def fails(*args: Any, **kwargs: Any) -> Any:
        if next(begun) <= failing_commits:
            raise ValueError("an answer that can't be loaded")
        return real(*args, **kwargs)

    monkeypatch.setattr(merge, "merge", fails)
    error = collector.ingest(plan)

    assert error
    assert [problem.kind for problem in error.problems] == [ProblemKind.PROGRAM]
    assert collector.known().calls == collector.used() == 7


def test_a_used_up_quota_is_known_by_its_refusal(collector: Collector):
    """
    The refused call is counted, days without a call are not; a refetch asks all the same.

    Until midnight nothing is left, though WeChat says later that something is.
    """
    collector.asks_quota = False
    collector.sandbox.quota.daily_limit = 3
    collector.ingest(collector.plan(SCHEDULED))
    assert collector.known() == Quota(4, 1000, 0, is_said=True)
    collector.sandbox.quota.daily_limit, collector.asks_quota = 1000, True
    collector.plan(MANUAL)
    assert collector.known() == Quota(4, 1000, 0, is_said=True)
    assert collector.known(TODAY + timedelta(days=1)).left == 1000

    assert collector.ingest(collector.plan(replace(BACKFILL, refetch=True))) is None


def test_what_wechat_says_is_believed_over_the_count(collector: Collector):
    """It counts everybody's calls: less than our count when others call, more when it was reset."""
    collector.spend(900)
    collector.ingest(collector.plan(SCHEDULED))
    assert collector.known() == Quota(7, 1000, 93, is_said=True)

    collector.spend(-907)
    collector.plan(MANUAL)
    assert collector.known() == Quota(7, 1000, 1000, is_said=True)


def test_a_limit_that_wechat_said_is_remembered(collector: Collector):
    """On a later day, when it does not say; not for ever."""
    collector.sandbox.quota.daily_limit = 300
    collector.plan(SCHEDULED)

    assert collector.known(TODAY + timedelta(days=31)) == Quota(0, 300, 300, is_said=False)
    assert collector.known(TODAY + timedelta(days=32)) == Quota(0, 1000, 1000, is_said=False)


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"quota": {"daily_limit": 0, "used": 3, "remain": 0}}']
)
def test_an_odd_answer_is_none(monkeypatch: pytest.MonkeyPatch, answer: bytes):
    """It says nothing of the quota; so does 0 of 0, which would hold back all days for ever."""
    monkeypatch.setattr(api_client, "_keepers", {})
    with Wire().serving() as wire:
        wire.on_data = says(answer)
        with pytest.raises(WeixinError, match="without a quota"):
            WeixinClient(wire.account, HASTE).quota(SCHEDULED.dataset)


# -------------------------------------------------------------------------------------- held back


def after_an_outage(collector: Collector) -> Run:
    """A first daily run, sixty mornings later the next one: that one."""
    first = collector.come_to(TODAY - timedelta(days=60))
    assert collector.ingest(collector.plan(first)) is None
    collector.asked()
    return collector.come_to(TODAY)


def test_todays_window_comes_first(collector: Collector, caplog: pytest.LogCaptureFixture):
    """Sixty days to catch up and fifty calls left: the next daily run asks for the rest."""
    run = after_an_outage(collector)
    collector.settings = replace(collector.settings, quota_reserve=20)
    collector.spend(950)
    caplog.set_level(logging.INFO)
    caplog.clear()

    plan = collector.plan(run)

    name = collector.account.name
    assert plan.warnings == [
        f"{name}: held back for the quota: 2026-09-18 to 2026-10-24 (37 days); the next daily run "
        "asks for them; 50 of 1000 left (WeChat), and 20 are kept for daily runs ([weixin] "
        "quota_reserve)"
    ]
    assert plan.warnings[0] in caplog.messages
    assert caplog.messages[0] == (
        f"{name}: publication days 2026-11-17 to 2026-11-23; 30 calls, 23 of them to catch up "
        "(2026-10-25 to 2026-11-16: never asked); 0 calls made today, 50 of 1000 left (WeChat)"
    )
    assert collector.ingest(plan) is None
    assert collector.asked() == days(TODAY - timedelta(days=1), 30)
    assert collector.not_in(plan) == []
    tomorrow = collector.plan(collector.come_to(TODAY + timedelta(days=1)))
    assert {*days(date(2026, 10, 24), 36)} <= {*tomorrow.accounts[0].days}


def test_a_backfill_stops_at_the_reserve(collector: Collector):
    """It is red and names the days; cleared the next day, it goes on and is green."""
    collector.sandbox.quota.daily_limit = 150
    plan = collector.plan(BACKFILL)
    asked, held_back = days(date(2026, 11, 10), 71)[:50], days(date(2026, 9, 21), 21)
    assert plan.held_back == [
        f"{collector.account.name}: held back for the quota: 2026-09-01 to 2026-09-21 (21 days); "
        "clear the task ingest after 00:00 Beijing time, or trigger a run with these dates then; "
        "150 of 150 left (WeChat), and 100 are kept for daily runs ([weixin] quota_reserve)"
    ]
    assert plan.warnings == []

    cure = HeldBackError().problem(None).as_of(plan.stamp.planned_at, plan.stamp.planned_at).cure
    for by_itself in (False, True):
        error = collector.ingest(plan, by_itself=by_itself)
        assert error
        assert not error.is_retryable
        assert [(it.kind, it.cure, list(it.days)) for it in error.problems] == [
            (ProblemKind.HELD_BACK, cure, held_back[::-1])
        ]
    assert collector.not_in(plan) == error.problems
    assert collector.asked() == asked
    never_asked = "SELECT count(*) FROM weixin.coverage WHERE publication_date < '2026-09-22'"
    assert rows(collector.warehouse, never_asked) == [(0,)]

    collector.come_to(TODAY + timedelta(days=1), "00:01")
    assert collector.ingest(plan) is None
    assert collector.asked() == held_back
    assert collector.not_in(plan) == []


def test_a_backfill_of_years_says_how_many_days_quota_it_takes(
    collector: Collector, caplog: pytest.LogCaptureFixture
):
    """Each day's but the reserve; one that is within today's says nothing of it."""
    years = replace(BACKFILL, dataset=FOLLOWER_TOTAL, begin_date=FOLLOWER_TOTAL.first_day)
    caplog.set_level(logging.INFO)

    plan = collector.plan(years)

    assert (plan.counts["asked"], len(plan.details[0].held_back)) == (900, 3463)
    assert plan.expectation == (
        "900 calls, about 5 min if a call takes 0.3 s (1 ingest task, each with 1 calls at "
        "once); what is held back takes the quota of 4 more days"
    )
    assert caplog.messages[-1] == plan.expectation
    assert "quota" not in collector.plan(BACKFILL).expectation


def test_a_backfill_whose_calls_are_repeated_spares_the_reserve(collector: Collector):
    """Each try counts: fewer days are asked for than the plan expected."""
    collector.sandbox.quota.daily_limit = 150
    collector.sandbox.scenarios[:] = [Scenario("busy", times=1) for _ in range(20)]

    collector.ingest(collector.plan(BACKFILL))

    # the last of these calls may be repeated itself
    assert 50 <= collector.used() <= 50 + HASTE.tries - 1


def test_what_another_run_used_since_the_plan_is_not_there_any_more(collector: Collector):
    """A daily run leaves the days open that it held back only then, and stays green."""
    plan = collector.plan(after_an_outage(collector))
    assert len(plan.accounts[0].days) == 67
    collector.spend(870)
    collector.plan(MANUAL)  # it asks WeChat
    collector.asked()

    assert collector.ingest(plan) is None
    assert collector.asked() == days(TODAY - timedelta(days=1), 30)
    assert collector.not_in(plan) == []
    later = (
        "SELECT is_planned, count(*) FROM weixin.run_report WHERE state = 'held_back' GROUP BY 1"
    )
    assert rows(collector.warehouse, later) == [(False, 37)]
