"""Calls that the sandbox refuses as WeChat does, without any scenario."""

from collections.abc import Callable
from datetime import timedelta

from sandbox_caller import DETAIL, TODAY, TOTAL, YESTERDAY, Caller, data_path

from weixin_sandbox import Account

QUOTA_PATH = "/cgi-bin/openapi/quota/get"


def test_tokens_that_are_not_in_force(caller: Caller):
    """41001 for none, 40001 for an unknown or replaced one, 42001 for one that is expired."""
    replaced = caller.token()
    caller.sandbox.replace_token(caller.account.appid)
    current = caller.token()

    def codes() -> list[int]:
        return [caller.errcode(YESTERDAY, it) for it in ("", "made-up", replaced, current)]

    assert codes() == [41001, 40001, 40001, 0]
    caller.sandbox.expire_tokens()
    assert codes() == [41001, 40001, 40001, 42001]
    assert caller.errcode(YESTERDAY, caller.token()) == 0


def test_calls_beyond_the_limits(start: Callable[..., Caller]):
    """Per account, endpoint and Beijing day; refused calls cost nothing."""
    accounts = [Account("wx1", "s1"), Account("wx2", "s2")]
    caller = start(accounts=accounts, daily_limit=3)
    caller.account = accounts[0]
    caller.ask(TODAY)
    caller.ask(YESTERDAY, "made-up")

    def quota() -> dict[str, int]:
        query, body = {"access_token": caller.token()}, {"cgi_path": data_path(TOTAL)}
        return caller.post(QUOTA_PATH, body, params=query).json()["quota"]

    assert [caller.errcode(YESTERDAY) for _ in range(4)] == [0, 0, 0, 45009]
    assert quota() == {"daily_limit": 3, "used": 3, "remain": 0}
    assert caller.errcode(YESTERDAY, endpoint=DETAIL) == 0
    caller.account = accounts[1]
    assert caller.errcode(YESTERDAY) == 0
    caller.account = accounts[0]
    caller.sandbox.today = TODAY + timedelta(days=1)
    assert quota()["used"] == 0
