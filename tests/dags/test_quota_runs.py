"""Runs that ask WeChat for the quota, and runs that hold days back."""

from collections import Counter
from datetime import date, timedelta

import pytest
from dag_runs import MORNING, DailyDag, asked, rows
from sqlalchemy import Engine
from support import NOW

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

QUOTA_PATH = "/cgi-bin/openapi/quota/get"
KNOWN = "SELECT appid, calls, quota_limit, quota_left FROM weixin.api_call ORDER BY appid"


def quota_calls(sandbox: Sandbox) -> Counter[str | None]:
    """How often each account's quota was asked for."""
    return Counter(call.appid for call in sandbox.calls if call.path == QUOTA_PATH)


def test_each_account_is_asked_for_its_quota_once(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """A run keeps what WeChat says, less the calls it makes."""
    made = accounts(3)
    sandbox.quota.spend(made[1].appid, "/datacube/getarticletotal", sandbox.beijing_today, 40)

    assert daily.run().state == "success"

    assert quota_calls(sandbox) == dict.fromkeys([account.appid for account in made], 1)
    assert rows(warehouse, KNOWN) == [
        (made[0].appid, 7, 1000, 993),
        (made[1].appid, 7, 1000, 953),
        (made[2].appid, 7, 1000, 993),
    ]


@pytest.mark.parametrize("trouble", ["errcode:48001", "http-500"])
def test_what_wechat_does_not_say_is_counted(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, trouble: str
):
    """It is no trouble of the run: one try, one line, and no warning."""
    sandbox.scenarios[:] = [Scenario(f"quota-call:{trouble}")]

    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.errors == []
    assert quota_calls(sandbox) == {DEFAULT_ACCOUNT.appid: 1}
    assert "WeChat does not say the quota of 1 account, so our calls are counted:" in outcome.log
    assert rows(warehouse, KNOWN) == [(DEFAULT_ACCOUNT.appid, 7, None, None)]
    assert not any(token in outcome.log for token in sandbox.issued_tokens)


def test_quotas_are_not_asked_for_in_vain(daily: DailyDag, sandbox: Sandbox, accounts):
    """After five in a row that could not be reached: there may be thousands."""
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    accounts(8)
    sandbox.scenarios[:] = [Scenario("quota-call:http-500")]

    outcome = daily.run()

    assert outcome.state == "success"
    assert quota_calls(sandbox).total() == 5
    assert "WeChat was not asked for further quotas: our calls are counted" in outcome.log


def test_a_daily_run_says_in_check_what_it_held_back(daily: DailyDag, sandbox: Sandbox):
    """It is green: the next one asks. Today's window comes first."""
    first = MORNING - timedelta(days=20)
    daily.set("WEIXIN_NOW", first.isoformat())
    daily.run(first)
    sandbox.calls.clear()
    daily.set("WEIXIN_NOW", NOW)
    sandbox.quota.daily_limit = 110

    outcome = daily.run(MORNING)

    assert outcome.state == "success"
    assert sorted(asked(sandbox)) == [date(2026, 11, day) for day in range(14, 24)]
    said = "held back for the quota: 2026-10-28 to 2026-11-13 (17 days); the next daily run asks"
    assert outcome.log.count(said) == 2
    assert "0 planned, 17 held_back, " in outcome.log
