"""A call is bounded: in tries, in time and in bytes, whatever the server does."""

import gzip
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from wire import (
    DATASET,
    DAY,
    GIVES_UP_SECONDS,
    LIMITS,
    DripsTls,
    Reply,
    Wire,
    drips,
    is_silent,
    refused,
    says,
    trickles,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.problem import ProblemKind, WeixinError

GENEROUS_SECONDS = 8
"""Far above what the limits allow, far below what the servers here would take."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
IN_HALF_A_SECOND = replace(LIMITS, connect_seconds=30, read_seconds=30, total_seconds=0.5)
THOUSAND_BYTES = b'{"list":[' + b" " * 989 + b"]}"
AT_MOST_1000_BYTES = replace(LIMITS, max_answer_bytes=1000)


def client_with_token(wire: Wire, limits: CallLimits) -> WeixinClient:
    """A client whose token is there already: the limits under test are for the data call."""
    WeixinClient(wire.account, LIMITS).check_token()
    return WeixinClient(wire.account, limits)


def calls_under_way() -> list[threading.Thread]:
    """The threads of calls."""
    return [thread for thread in threading.enumerate() if thread.name == "call"]


@pytest.mark.parametrize(
    "reply",
    [
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        drips(CHUNKED, b"0"),
        drips(CHUNKED + b"1\r\n \r\n0\r\n", b"a: b\r\n"),
        is_silent,
    ],
    ids=["continue", "header", "chunk-size", "trailers", "silent"],
)
def test_an_answer_that_never_ends_is_given_up_in_time(wire: Wire, reply: Reply):
    """The read timeout is longer, or each byte comes well within it: the total ends the call."""
    wire.on_data = reply
    client = client_with_token(wire, IN_HALF_A_SECOND)
    begun = time.monotonic()

    error = refused(client.datacube(DATASET, DAY)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert "no complete answer in time" in str(error)
    assert time.monotonic() - begun < GENEROUS_SECONDS
    assert len(wire.data_calls) == 1


def test_a_body_that_drips_is_read_no_longer_than_the_call_lasts(wire: Wire):
    """The thread that reads it ends soon after the call was given up."""
    wire.on_data = trickles(b"Content-Length: 100000000", b" ", pause_seconds=0.02)
    client = client_with_token(wire, IN_HALF_A_SECOND)

    assert refused(client.datacube(DATASET, DAY)).error.kind is ProblemKind.UNREACHABLE
    for call in calls_under_way():
        call.join(GENEROUS_SECONDS)
    assert calls_under_way() == []


def test_a_handshake_that_never_ends_is_given_up_in_time(wire: Wire):
    """Each byte of it comes in time; the connection is left."""
    wire.scheme = "https"
    wire.RequestHandlerClass = DripsTls
    begun = time.monotonic()

    with pytest.raises(WeixinError, match="no complete answer in time"):
        WeixinClient(wire.account, IN_HALF_A_SECOND).check_token()

    assert time.monotonic() - begun < GENEROUS_SECONDS


def test_a_name_that_is_looked_up_for_long_is_given_up_in_time(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    """Nothing can interrupt the look-up; nobody waits for it."""
    begun, resolves = time.monotonic(), threading.Event()
    look_up, looked_up = socket.getaddrinfo, threading.Event()

    def slowly(*args: Any, **options: Any) -> Any:
        resolves.wait(GIVES_UP_SECONDS)
        looked_up.set()
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with pytest.raises(WeixinError, match="no complete answer in time"):
        WeixinClient(wire.account, IN_HALF_A_SECOND).check_token()
    took = time.monotonic() - begun
    (call,) = calls_under_way()
    resolves.set()
    call.join(GENEROUS_SECONDS)

    assert took < GENEROUS_SECONDS
    assert looked_up.is_set()
    assert not call.is_alive()


@pytest.mark.parametrize(
    "reply",
    [
        says(THOUSAND_BYTES + b" "),
        says(gzip.compress(THOUSAND_BYTES + b" " * 10_000_000), 200, b"Content-Encoding: gzip"),
        trickles(b"Content-Length: 100000000", b" " * 60_000, pause_seconds=0.01),
        says(b" " * 10_000_000, 302, b"Location: /elsewhere"),
    ],
    ids=["plain", "compressed", "endless", "redirect"],
)
def test_an_answer_over_the_size_limit_is_not_read_on_and_not_asked_again(wire: Wire, reply: Reply):
    """The bytes that count are the uncompressed ones: those fill the memory."""
    wire.on_data = reply

    refusal = refused(WeixinClient(wire.account, AT_MOST_1000_BYTES).datacube(DATASET, DAY))

    assert refusal.error.kind is ProblemKind.UNREADABLE
    assert "larger than 1000 bytes" in str(refusal.error)
    assert refusal.calls == len(wire.data_calls) == 1
