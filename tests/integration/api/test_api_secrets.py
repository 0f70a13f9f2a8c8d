"""No secret and no token in an error, a traceback or a log record, whatever goes wrong."""

import logging
from dataclasses import replace

import pytest
from secrecy import shown_by_error, shown_by_log
from wire import (
    DATASET,
    DAY,
    IN_HASTE,
    LIMITS,
    Handler,
    Reply,
    Wire,
    gives_token,
    in_turn,
    raw,
    refused,
    refuses,
    resets,
    says,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.token import Token
from weixin_etl.problem import WeixinError

TOKENS = ["wire-token-1", "wire-token-2", "wire-token-3"]


def quotes(handler: Handler, errcode: int) -> None:
    """A refusal that repeats what it was sent."""
    refuses(errcode, f"{handler.asked.token}, {handler.server.account.secret} are odd")(handler)


WIRE_FAULTS: dict[str, Reply] = {
    "reset": resets,
    "no-http": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "odd-headers": raw(b"HTTP/1.1 500 X\r\nno colon here\r\nContent-Length: 0\r\n\r\n"),
    "redirect": says(b"", 302, b"Location: http://127.0.0.1:1/?access_token=wire-token-1"),
    "bad-gzip": says(b"{}", 200, b"Content-Encoding: gzip"),
    "bad-encoding": raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "quoted": lambda handler: quotes(handler, 61501),
    "refused": lambda handler: quotes(handler, 40001),
    "too-large": says(b" " * 2000),
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every logger of the pipeline at DEBUG, as an operator may set it to find a fault."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def shown(error: WeixinError, log: pytest.LogCaptureFixture) -> str:
    """All that anybody can read of a failed call."""
    return shown_by_error(error) + shown_by_log(log.records)


def failure(client: WeixinClient) -> WeixinError:
    """The error of a call that goes wrong."""
    return refused(client.datacube(DATASET, DAY)).error


@pytest.mark.parametrize("reply", WIRE_FAULTS.values(), ids=WIRE_FAULTS)
def test_a_broken_answer_shows_neither_token_nor_secret(
    wire: Wire, log: pytest.LogCaptureFixture, reply: Reply
):
    """Bytes that no proper server would send, at DEBUG and in the texts of other libraries."""
    wire.on_token = in_turn(*map(gives_token, TOKENS))
    wire.on_data = reply
    limits = replace(IN_HASTE, total_seconds=2, max_answer_bytes=1000)

    error = failure(WeixinClient(wire.account, limits))

    said = shown(error, log)
    assert wire.data_calls[0].token == "wire-token-1"
    assert [x for x in (*TOKENS, wire.account.secret) if x in said] == []


def test_nothing_prints_the_secret_or_the_token(wire: Wire):
    """Neither of an account, a token, a client."""
    token = Token("wire-token-1", 7200)
    client = WeixinClient(wire.account, LIMITS)
    client.check_token()

    printed = f"{wire.account!r} {wire.account} {token!r} {token} {client!r} {vars(client)}"

    assert "wire-token-1" not in printed
    assert wire.account.secret not in printed
