"""Calls that the sandbox refuses as WeChat does, without any scenario."""

import re
from collections.abc import Callable
from datetime import timedelta

from sandbox_caller import DETAIL, TODAY, TOKEN_PATH, TOTAL, YESTERDAY, Caller, data_path

from weixin_sandbox import Account

RID = re.compile(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")
QUOTA_PATH = "/cgi-bin/openapi/quota/get"
POSTED = [data_path(TOTAL), data_path(DETAIL), TOKEN_PATH, QUOTA_PATH]


def test_tokens_that_are_not_in_force(start: Callable[..., Caller]):
    """41001 for none, 40001 for an unknown or replaced one, 42001 for one that is expired."""
    now = [1000.0]
    caller = start(monotonic=lambda: now[0])
    replaced = caller.token()
    caller.sandbox.replace_token(caller.account.appid)
    renewed = caller.token()
    now[0] += 7000
    current = caller.token()  # the old one works for five more minutes
    classic = [caller.classic(), caller.classic()]

    def codes() -> list[int]:
        tokens = ("", "made-up", replaced, renewed, current, *classic)
        return [caller.errcode(YESTERDAY, token) for token in tokens]

    assert codes() == [41001, 40001, 40001, 0, 0, 40001, 0]
    now[0] += 300
    assert codes() == [41001, 40001, 40001, 42001, 0, 40001, 0]
    caller.sandbox.expire_tokens()
    assert codes() == [41001, 40001, 40001, 42001, 42001, 40001, 42001]
    assert caller.errcode(YESTERDAY, caller.token()) == 0


def test_calls_beyond_the_limits(start: Callable[..., Caller]):
    """Per account, endpoint and Beijing day; refused calls cost nothing; a minute passes."""
    now = [1000.0]
    accounts = [Account("wx1", "s1"), Account("wx2", "s2")]
    caller = start(accounts=accounts, daily_limit=3, minute_limit=2, monotonic=lambda: now[0])
    caller.account = accounts[0]
    caller.ask(TODAY)
    caller.ask(YESTERDAY, "made-up")

    def quota() -> dict[str, int]:
        query, body = {"access_token": caller.token()}, {"cgi_path": data_path(TOTAL)}
        return caller.post(QUOTA_PATH, body, params=query).json()["quota"]

    assert [caller.errcode(YESTERDAY) for _ in range(3)] == [0, 0, 45011]
    now[0] += 60
    assert [caller.errcode(YESTERDAY) for _ in range(2)] == [0, 45009]
    assert quota() == {"daily_limit": 3, "used": 3, "remain": 0}
    assert caller.errcode(YESTERDAY, endpoint=DETAIL) == 0
    caller.account = accounts[1]
    assert caller.errcode(YESTERDAY) == 0
    caller.account = accounts[0]
    caller.sandbox.today = TODAY + timedelta(days=1)
    assert quota()["used"] == 0
