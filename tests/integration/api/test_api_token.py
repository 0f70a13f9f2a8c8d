"""An access token: what is none, and that a refused one is replaced and never tried twice."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from wire import (
    DATASET,
    DAY,
    LIMITS,
    TOKEN_PATH,
    Handler,
    Wire,
    answered,
    gives_token,
    in_turn,
    refused,
    refuses,
    says,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind
from weixin_sandbox import Sandbox, Scenario

NEW_TOKENS = [f"wire-token-{number}" for number in range(1, 9)]


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_each_code_for_a_refused_token_brings_a_new_one(wire: Wire, errcode: int):
    """All three mean the same on a data call; the new token stays in use."""
    wire.on_token = in_turn(*map(gives_token, NEW_TOKENS))
    wire.on_data = in_turn(refuses(errcode), says(b"{}"))
    client = WeixinClient(wire.account, LIMITS)

    client.datacube(DATASET, DAY)
    client.datacube(DATASET, DAY)

    assert [call.token for call in wire.data_calls] == [
        "wire-token-1",
        "wire-token-2",
        "wire-token-2",
    ]


@pytest.mark.parametrize(
    ("given", "used", "token_calls"),
    [
        (NEW_TOKENS, NEW_TOKENS[:3], 3),
        (["first"], ["first"], 2),
        (["first", "second", "first"], ["first", "second"], 3),
    ],
    ids=["three at most", "the same again", "one that comes back"],
)
def test_each_token_is_tried_once(wire: Wire, given: list[str], used: list[str], token_calls: int):
    """A server that refuses every token is believed after the third."""
    wire.on_token = in_turn(*map(gives_token, given))
    wire.on_data = refuses(40001)

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert refusal.error.kind is ProblemKind.TOKEN_REFUSED
    assert [call.token for call in wire.data_calls] == used
    assert (len(wire.token_calls), refusal.calls) == (token_calls, len(used))


def test_four_calls_in_flight_survive_another_process_replacing_the_token(
    sandbox: Sandbox, account: Account, start_wire: Callable[[Wire], Wire]
):
    """
    All four were sent with the old token before it was replaced, and all four succeed.

    A gate before the sandbox lets the first four data calls through together.
    """
    replaced = threading.Barrier(4, lambda: sandbox.tokens.end(account.appid), timeout=20)
    arrived = itertools.count(1)

    def forward(handler: Handler) -> None:
        asked = handler.asked
        query = {"access_token": asked.token} if asked.token else None
        answer = requests.post(
            account.base_url + asked.path, params=query, data=asked.body, timeout=20
        )
        says(answer.content)(handler)

    def hold(handler: Handler) -> None:
        if next(arrived) <= 4:
            replaced.wait()
        forward(handler)

    gate = Wire()
    gate.on_token, gate.on_data = forward, hold
    start_wire(gate)
    client = WeixinClient(replace(account, base_url=gate.account.base_url), LIMITS)
    days = [DAY + timedelta(days=number) for number in range(4)]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda day: client.datacube(DATASET, day), days))

    answers = [answered(outcome) for outcome in outcomes]
    assert [answer.body for answer in answers] == [
        sandbox.answer(account.appid, day, asked_on=sandbox.beijing_today) for day in days
    ]
    assert [answer.calls for answer in answers] == [2, 2, 2, 2]
    assert [call.errcode for call in sandbox.calls].count(40001) == 4
    assert sum(call.path == TOKEN_PATH for call in sandbox.calls) == 2


def test_an_account_refused_while_its_token_is_renewed_says_why(
    sandbox: Sandbox, client: WeixinClient
):
    """The token call's own refusal is told, not that of the token; the data call counts."""
    client.check_token()
    sandbox.expire_tokens()
    sandbox.scenarios[:] = [Scenario("token-call:errcode:40243")]

    refusal = refused(client.datacube(DATASET, DAY))

    assert refusal.error.kind is ProblemKind.CONFIGURATION
    assert "unfreeze it in WeChat's console" in str(refusal.error)
    assert refusal.calls == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"expires_in":7200}',
        b'{"access_token":"t"}',
        b'{"access_token":"","expires_in":7200}',
        b'{"access_token":7,"expires_in":7200}',
        b'{"access_token":null,"expires_in":7200}',
        b'{"access_token":"\xff","expires_in":7200}',
        b"{}",
        b'{"access_token":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_answer_without_a_token_is_no_token(wire: Wire, body: bytes):
    """It ends the call before any data call, as trouble that may go by itself."""
    wire.on_token = says(body)

    error = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "answered without a token" in str(error)
    assert wire.data_calls == []
