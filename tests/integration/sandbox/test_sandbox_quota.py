"""Limits on the number of calls."""

from collections.abc import Callable
from datetime import timedelta

from sandbox_caller import DATA_PATH, DETAIL_PATH, TODAY, Caller, Seconds

from weixin_sandbox import Account, Scenario

YESTERDAY = TODAY - timedelta(days=1)


def quota(caller: Caller, path: str = DATA_PATH) -> dict:
    """What the quota call answers."""
    query = {"access_token": caller.token()}
    return caller.post("/cgi-bin/openapi/quota/get", {"cgi_path": path}, params=query).json()


def test_quota_counts_the_calls_of_the_day(caller: Caller):
    """Calls that were let through count; asking for the quota does not."""
    caller.ask(YESTERDAY)
    caller.ask(YESTERDAY)
    quota(caller)

    assert quota(caller) == {
        "errcode": 0,
        "errmsg": "ok",
        "quota": {"daily_limit": 1000, "used": 2, "remain": 998},
    }


def test_calls_refused_for_token_or_dates_cost_nothing(caller: Caller):
    """Only a call that could be answered is counted, whatever a scenario does to it."""
    caller.ask(YESTERDAY, "made-up")
    caller.ask(TODAY)
    caller.sandbox.scenarios.append(Scenario("busy", times=1))
    caller.ask(YESTERDAY)

    assert quota(caller)["quota"]["used"] == 1


def test_the_daily_limit_holds_until_the_next_beijing_day(start: Callable[..., Caller]):
    """45009 from the call after the last one on, and again 0 used tomorrow."""
    caller = start(daily_limit=2)

    assert [caller.errcode(YESTERDAY) for _ in range(4)] == [0, 0, 45009, 45009]
    assert quota(caller)["quota"] == {"daily_limit": 2, "used": 2, "remain": 0}
    caller.sandbox.today = TODAY + timedelta(days=1)
    assert quota(caller)["quota"]["used"] == 0
    assert caller.errcode(YESTERDAY) == 0


def test_each_account_has_its_own_quota(start: Callable[..., Caller]):
    """One account's calls cost another nothing."""
    caller = start(accounts=[Account("wx1", "s1"), Account("wx2", "s2")], daily_limit=1)
    codes = []
    for account in caller.sandbox.accounts.values():
        caller.account = account
        codes += [caller.errcode(YESTERDAY), caller.errcode(YESTERDAY)]

    assert codes == [0, 45009, 0, 45009]


def test_each_endpoint_has_its_own_quota(start: Callable[..., Caller]):
    """The successor's calls are counted apart, by the same limit."""
    caller = start(daily_limit=2)
    codes = [caller.errcode(YESTERDAY)]
    caller.data_path = DETAIL_PATH
    codes += [caller.errcode(YESTERDAY) for _ in range(3)]

    assert codes == [0, 0, 0, 45009]
    assert [quota(caller, path)["quota"]["used"] for path in (DATA_PATH, DETAIL_PATH)] == [1, 2]


def test_the_minute_limit_holds_for_sixty_seconds(start: Callable[..., Caller]):
    """45011 beyond the limit; a refused call does not prolong the wait or cost quota."""
    seconds = Seconds()
    caller = start(minute_limit=2, monotonic=seconds)

    assert [caller.errcode(YESTERDAY) for _ in range(3)] == [0, 0, 45011]
    seconds.now += 59.9
    assert caller.errcode(YESTERDAY) == 45011
    seconds.now += 0.1
    assert caller.errcode(YESTERDAY) == 0
    assert quota(caller)["quota"]["used"] == 3


def test_quota_of_an_unknown_path_is_refused(caller: Caller):
    """76021 for a path that has no quota."""
    assert quota(caller, "/datacube/getnothing")["errcode"] == 76021
