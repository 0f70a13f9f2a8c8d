"""The HTTP server around it."""

import json
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
import requests
from sandbox_caller import TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

YESTERDAY = TODAY - timedelta(days=1)


def test_it_listens_on_loopback_only(caller: Caller):
    """The URL is 127.0.0.1, and the port is open nowhere else."""
    port = int(caller.url.rsplit(":", 1)[1])

    assert caller.url == f"http://127.0.0.1:{port}"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):  # noqa: S104 - the point
        pass


def test_the_port_can_be_chosen_and_is_free_again_afterwards():
    """`serve(port)` binds that port, and the same one again once it has stopped."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sandbox = Sandbox()

    for _ in range(2):
        with sandbox.serve(port=port) as url:
            assert url == f"http://127.0.0.1:{port}"
            assert requests.get(f"{url}/", timeout=5).status_code == 404
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/", timeout=5)


def test_an_occupied_port_raises(caller: Caller):
    """Two servers never share a port."""
    port = int(caller.url.rsplit(":", 1)[1])

    with pytest.raises(OSError, match="in use"), Sandbox().serve(port):
        pytest.fail("served on an occupied port")


def test_it_stops_promptly_with_clients_still_connected():
    """Idle keep-alive connections do not hold it up."""
    sandbox = Sandbox(today=TODAY)
    with requests.Session() as session, sandbox.serve() as url:
        assert session.get(f"{url}/", timeout=5).status_code == 404
        stopping = time.monotonic()

    assert time.monotonic() - stopping < 2


def test_latency_is_per_call_and_calls_overlap(start: Callable[..., Caller]):
    """Eight calls at once take about as long as one."""
    caller = start(latency_seconds=0.5)
    token = caller.token()
    started = time.monotonic()

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: caller.errcode(YESTERDAY, token), range(8)))

    assert codes == [0] * 8
    assert 0.5 <= time.monotonic() - started < 2


def test_no_token_or_secret_is_logged(
    caller: Caller, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    """Whatever happens, log and output stay free of them."""
    caplog.set_level(logging.DEBUG)
    for name in ("busy", "http-500", "token-expired"):
        caller.sandbox.scenarios[:] = [Scenario(name)]
        caller.ask(YESTERDAY)
    caller.sandbox.scenarios[:] = [Scenario("cut-answer")]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.ask(YESTERDAY)
    caller.classic()
    logged = "\n".join(
        record.getMessage() for record in caplog.records if record.name != "urllib3.connectionpool"
    )
    printed = "".join(capfd.readouterr())

    for value in [*caller.sandbox.issued_tokens, DEFAULT_ACCOUNT.secret]:
        assert value not in logged
        assert value not in printed


def test_no_token_or_secret_is_in_a_repr(caller: Caller):
    """A failed assertion prints accounts and calls, not what opens them."""
    token = caller.token()
    caller.ask(YESTERDAY, token)

    shown = repr(caller.sandbox.calls) + repr(caller.sandbox.accounts)
    assert "publication_date=2026-11-23" in shown
    assert token not in shown
    assert DEFAULT_ACCOUNT.secret not in shown


def test_a_month_can_be_lived_through(caller: Caller):
    """Moving `today` along, each day's answer is the truth of that day."""
    for number in range(30):
        today = date(2026, 1, 10) + timedelta(days=number)
        caller.sandbox.today = today
        for age in range(1, 8):
            day = today - timedelta(days=age)
            body = caller.ask(day).content
            assert body == caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, today)
            assert all(len(item["details"]) == age for item in json.loads(body)["list"])
