"""Runs that ask WeChat for the quota."""

from collections import Counter

from dag_runs import DailyDag, rows
from sqlalchemy import Engine

from weixin_sandbox import Sandbox, Scenario

QUOTA_PATH = "/cgi-bin/openapi/quota/get"
KNOWN = "SELECT appid, calls, quota_limit, quota_left FROM weixin.api_call ORDER BY appid"


def quota_calls(sandbox: Sandbox) -> Counter[str | None]:
    """How often each account's quota was asked for."""
    return Counter(call.appid for call in sandbox.calls if call.path == QUOTA_PATH)


def test_each_account_is_asked_for_its_quota_once(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """
    A run keeps what WeChat says, less the calls it makes; what it does not say is counted.

    That is no trouble of the run: one try, one line, and no warning.
    """
    plain, spent, forbidden, broken = made = accounts(4)
    sandbox.quota.spend(spent.appid, "/datacube/getarticletotal", sandbox.beijing_today, 40)
    sandbox.scenarios[:] = [
        Scenario("quota-call:errcode:48001", account=forbidden.appid),
        Scenario("quota-call:http-500", account=broken.appid),
    ]

    outcome = daily.run()

    assert (outcome.state, outcome.errors) == ("success", [])
    assert quota_calls(sandbox) == dict.fromkeys([account.appid for account in made], 1)
    assert "WeChat does not say the quota of 2 accounts, so our calls are counted:" in outcome.log
    assert rows(warehouse, KNOWN) == [
        (plain.appid, 7, 1000, 993),
        (spent.appid, 7, 1000, 953),
        (forbidden.appid, 7, None, None),
        (broken.appid, 7, None, None),
    ]
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
