"""A company's own server that owns the tokens of its accounts."""

from collections.abc import Callable

import pytest
import requests
from sandbox_caller import YESTERDAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Scenario

PATH = "/token-service"


def ask(caller: Caller, appid: str = DEFAULT_ACCOUNT.appid, **headers: str) -> requests.Response:
    """The service's answer for an account."""
    return caller.get(PATH, params={"appid": appid}, headers=headers)


def test_it_gives_the_token_that_every_program_shares(caller: Caller):
    """The account's stable token and the seconds it has left, as JSON."""
    answer = ask(caller)

    token = caller.token()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["access_token"] == token
    assert 7190 < answer.json()["expires_in"] <= 7200
    assert caller.errcode(YESTERDAY, token) == 0
    assert (caller.sandbox.calls[0].path, caller.sandbox.calls[0].appid) == (
        PATH,
        DEFAULT_ACCOUNT.appid,
    )


def test_it_lets_only_its_bearer_in_and_knows_its_accounts(start: Callable[..., Caller]):
    """HTTP 401 for a wrong bearer or none, 404 for an unknown account; no token is issued."""
    caller = start(token_service_bearer="b1")

    refused = [
        ask(caller),
        ask(caller, Authorization="Bearer b2"),
        ask(caller, "wxnobody", Authorization="Bearer b1"),
        caller.get(PATH, headers={"Authorization": "Bearer b1"}),
    ]

    assert [answer.status_code for answer in refused] == [401, 401, 404, 404]
    assert [list(answer.json()) for answer in refused] == [["error"]] * 4
    assert caller.sandbox.issued_tokens == set()
    assert ask(caller, Authorization="Bearer b1").json()["access_token"]


def test_it_gives_a_stale_token_until_it_recovers(caller: Caller):
    """The first one it ever gave, although it has ended, and as if it were fresh."""
    service = caller.sandbox.token_service
    first = ask(caller).json()["access_token"]
    caller.sandbox.replace_token(DEFAULT_ACCOUNT.appid)
    second = ask(caller).json()["access_token"]

    service.is_stale = True
    stale = ask(caller).json()
    service.is_stale = False
    recovered = ask(caller).json()["access_token"]

    assert stale == {"access_token": first, "expires_in": 7200}
    assert recovered == second
    assert [caller.errcode(YESTERDAY, token) for token in (first, second)] == [40001, 0]


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("token-call:http-500", 500, "<html>"),
        ("token-call:bad-json", 200, "<html>"),
        ("token-call:errcode:40164", 200, '{"errcode":40164,'),
        ("busy", 200, '{"access_token":'),
    ],
)
def test_a_scenario_of_token_calls_hits_it(caller: Caller, name: str, status: int, says: str):
    """A service has its bad days, too."""
    caller.sandbox.scenarios[:] = [Scenario(name)]

    answer = ask(caller)

    assert answer.status_code == status
    assert answer.text.startswith(says)
