"""What a test can do between a decision of the platform and its answer's first byte."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from sandbox_caller import TOKEN_PATH, YESTERDAY, Caller

from weixin_sandbox import DEFAULT_COMPONENT, Call, Scenario

REFRESH_PATH = "/cgi-bin/component/api_authorizer_token"
FETCH_PATH = "/cgi-bin/component/api_component_token"
REFRESH = "import sys, requests; requests.post(sys.argv[1], data=sys.argv[2].encode(), timeout=60)"


@pytest.fixture
def rotating(start: Callable[..., Caller]) -> Caller:
    """A sandbox whose account authorised the component; its refresh token rotates."""
    caller = start(classic_overlap_seconds=300)
    caller.sandbox.component.authorize(caller.account)
    caller.sandbox.component.rotates_refresh_tokens = True
    return caller


def component_token(caller: Caller) -> str:
    """A component token."""
    body = {
        "component_appid": DEFAULT_COMPONENT.appid,
        "component_appsecret": DEFAULT_COMPONENT.secret,
        "component_verify_ticket": caller.sandbox.component.ticket(),
    }
    return str(caller.post(FETCH_PATH, body).json()["component_access_token"])


def refreshing(caller: Caller) -> requests.PreparedRequest:
    """The call that refreshes the account's token with its current refresh token."""
    body = {
        "component_appid": DEFAULT_COMPONENT.appid,
        "authorizer_appid": caller.account.appid,
        "authorizer_refresh_token": current(caller),
    }
    query = {"component_access_token": component_token(caller)}
    url = caller.url + REFRESH_PATH
    return caller.session.prepare_request(requests.Request("POST", url, params=query, json=body))


def current(caller: Caller) -> str:
    """The account's refresh token as the platform has it."""
    return caller.sandbox.component.authorization(caller.account.appid).refresh_token


def test_a_client_killed_before_its_answer_has_rotated_its_refresh_token(rotating: Caller):
    """The platform has decided and remembered the call, and knows no crash."""
    call = refreshing(rotating)
    before = current(rotating)
    client: list[int] = []
    killed = threading.Event()
    began = threading.Event()

    def kill(call: Call) -> None:
        if call.path == REFRESH_PATH:
            assert rotating.sandbox.calls[-1] is call
            began.wait(30)
            os.kill(client[0], signal.SIGKILL)
            killed.set()

    rotating.sandbox.before_delivery = kill
    assert isinstance(call.body, bytes)
    command = [sys.executable, "-c", REFRESH, str(call.url), call.body.decode()]
    with subprocess.Popen(command) as process:
        client.append(process.pid)
        began.set()
        assert process.wait(60) == -signal.SIGKILL

    assert killed.wait(30)
    assert current(rotating) != before
    rotating.sandbox.before_delivery = None
    assert rotating.session.send(call, timeout=10).json()["errcode"] == 61023


def test_other_calls_are_served_while_one_is_held_before_its_delivery(rotating: Caller):
    """What is held is one answer, not the platform."""
    call = refreshing(rotating)
    token = rotating.token()
    arrived, go_on = threading.Event(), threading.Event()

    def hold(call: Call) -> None:
        if call.path == REFRESH_PATH:
            arrived.set()
            go_on.wait(30)

    rotating.sandbox.before_delivery = hold
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(requests.Session().send, call, timeout=60)
        try:
            assert arrived.wait(30)
            assert rotating.errcode(YESTERDAY, token) == 0
            assert not held.done()
        finally:
            go_on.set()

    assert held.result().json()["authorizer_refresh_token"] == current(rotating)


def test_an_answer_that_is_cut_has_rotated_the_refresh_token(rotating: Caller):
    """What a client lost on the way is not given twice; the list has it."""
    call = refreshing(rotating)
    before = current(rotating)
    rotating.sandbox.scenarios[:] = [Scenario("token-call:cut-answer", times=1)]

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        rotating.session.send(call, timeout=10)

    assert current(rotating) != before
    assert rotating.session.send(call, timeout=10).json()["errcode"] == 61023


def test_an_unknown_path_is_held_as_well(caller: Caller):
    """Every call that is remembered passes by; the ticket for scripts is none."""
    seen: list[str] = []
    caller.sandbox.before_delivery = lambda call: seen.append(call.path)

    caller.get("/nothing")
    caller.get("/sandbox/ticket")
    caller.token()

    assert seen == ["/nothing", TOKEN_PATH]
