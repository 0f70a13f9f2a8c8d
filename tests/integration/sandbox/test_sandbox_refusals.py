"""Calls that the sandbox refuses as WeChat does, without any scenario."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sandbox_caller import DETAIL, TODAY, TOKEN_PATH, TOTAL, YESTERDAY, Caller, data_path

from weixin_sandbox import Account, Scenario

RID = re.compile(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")
QUOTA_PATH = "/cgi-bin/openapi/quota/get"
POSTED = [data_path(TOTAL), data_path(DETAIL), TOKEN_PATH, QUOTA_PATH]


@pytest.mark.parametrize("endpoint", [TOTAL, DETAIL])
@pytest.mark.parametrize(
    ("begin", "end", "errcode", "says"),
    [
        ("2026-11-20", "2026-11-19", 61501, "end_date is before begin_date"),
        ("2026-11-19", "2026-11-20", 61501, "may span 1 day"),
        ("2026-11-24", "2026-11-24", 61501, "2026-11-23 at the latest"),
        ("2014-11-30", "2014-11-30", 61501, "-01 at the earliest"),
        ("2026/11/20", "2026-11-20", 61500, "date format error"),
        ("2026-11-20", None, 61500, "date format error"),
    ],
)
def test_dates_wechat_does_not_take(
    caller: Caller, endpoint: str, begin: str, end: str | None, errcode: int, says: str
):
    """Dates are YYYY-MM-DD, exist, and name one day until yesterday."""
    query = {"access_token": caller.token()}

    answer = caller.post(
        data_path(endpoint), {"begin_date": begin, "end_date": end}, params=query
    ).json()

    assert answer["errcode"] == errcode
    assert says in answer["errmsg"]
    assert RID.search(answer["errmsg"])


@pytest.mark.parametrize(
    ("method", "paths", "content", "errcode"),
    [
        ("POST", POSTED, {"data": b"begin_date=2026-11-20"}, 47001),
        ("POST", POSTED, {"data": b""}, 44002),
        ("GET", POSTED, {}, 43002),
        ("POST", ["/cgi-bin/token"], {}, 43001),
        ("POST", [QUOTA_PATH], {"json": {"cgi_path": "/datacube/getnothing"}}, 76021),
        ("POST", ["/", "/datacube/getarticlesummary"], {"json": {}}, 40066),
    ],
)
def test_calls_in_a_wrong_form(
    caller: Caller, method: str, paths: list[str], content: dict[str, Any], errcode: int
):
    """Each mistake has its code; only a path that the API does not have is a 404."""
    for path in paths:
        query = {"access_token": caller.token()}

        answer = caller.session.request(method, caller.url + path, params=query, **content)

        assert answer.json()["errcode"] == errcode, path
        assert answer.status_code == (404 if errcode == 40066 else 200)


@pytest.mark.parametrize(
    ("fields", "errcode"),
    [
        ({"grant_type": "password"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": None}, 41004),
        ({"appid": "wx0000000000000000"}, 40013),
        ({"secret": "wrong"}, 40125),
    ],
)
def test_wrong_credentials_on_both_token_calls(
    caller: Caller, fields: dict[str, str | None], errcode: int
):
    """Each mistake has its code, and no token is issued."""
    wrong = caller.credentials(**fields)

    answers = [caller.post(TOKEN_PATH, wrong), caller.get("/cgi-bin/token", params=wrong)]

    assert [answer.json()["errcode"] for answer in answers] == [errcode] * 2
    assert caller.sandbox.issued_tokens == set()


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


def test_calls_of_another_program_use_the_quota(start: Callable[..., Caller]):
    """As at WeChat, which does not care whose they are; and quota/get can be refused by itself."""
    caller = start(daily_limit=10)
    query, body = {"access_token": caller.token()}, {"cgi_path": data_path(TOTAL)}
    caller.sandbox.quota.spend(caller.account.appid, data_path(TOTAL), TODAY, 12)

    said = caller.post(QUOTA_PATH, body, params=query).json()["quota"]
    caller.sandbox.scenarios[:] = [Scenario("quota-call:errcode:48001")]

    assert said == {"daily_limit": 10, "used": 12, "remain": 0}
    assert caller.post(QUOTA_PATH, body, params=query).json()["errcode"] == 48001
    assert caller.errcode(YESTERDAY) == 45009
