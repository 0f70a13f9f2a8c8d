"""Trouble on the way to WeChat is tried again, and told in words without an address."""

import gzip
import socket
from dataclasses import replace

import pytest
from wire import (
    DATASET,
    DAY,
    IN_HASTE,
    LIMITS,
    Reply,
    Wire,
    answered,
    gives_token,
    in_turn,
    is_silent,
    raw,
    refused,
    refuses,
    resets,
    says,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    TokenRefusedError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.api.http import CallLimits
from weixin_etl.model import Account

HTML = b"<html><body>502 Bad Gateway</body></html>"
FIGURES = '{"list":[{"title":"春风"}]}'.encode()
IS_GZIP = b"Content-Encoding: gzip"
NO_JSON = "HTTP %d and no JSON object; the connection's host may be wrong, or a proxy answered"

FAULTS = {
    "http-500-json": (says(b'{"errcode":0,"list":[]}', 500), "HTTP 500"),
    "http-502-html": (says(HTML, 502), "HTTP 502"),
    "cut": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"li'), "the connection broke"),
    "cut-chunk": (
        raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"li'),
        "the connection broke",
    ),
    "reset": (resets, "Connection reset by peer"),
    "hung-up": (raw(b""), "the connection broke"),
    "no-http": (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "the connection broke"),
    "silent": (is_silent, "no complete answer in time"),
    "html": (says(HTML), NO_JSON % 200),
    "html-403": (says(HTML, 403), NO_JSON % 403),
    "html-404": (says(HTML, 404), NO_JSON % 404),
    "html-429": (says(HTML, 429), NO_JSON % 429),
    "list": (says(b"[]"), NO_JSON % 200),
    "empty": (says(b"", 404), NO_JSON % 404),
    "odd-errcode": (says(b'{"errcode":"busy"}'), NO_JSON % 200),
    "bad-gzip": (says(FIGURES, 200, IS_GZIP), "the connection broke"),
    "redirect": (says(b"", 302, b"Location: /elsewhere"), NO_JSON % 302),
    "redirect-nowhere": (says(b"", 302, b"Location: http://["), NO_JSON % 302),
}


def limits_for(reply: Reply) -> CallLimits:
    """Only silence needs a short timeout; elsewhere one could pass for the fault."""
    return IN_HASTE if reply is is_silent else LIMITS


@pytest.mark.parametrize(("reply", "says_why"), FAULTS.values(), ids=FAULTS)
def test_no_usable_answer_is_tried_again_and_then_given_up(wire: Wire, reply: Reply, says_why: str):
    """As often as the limit says; the sentence names the account and what the way answered."""
    wire.on_data = reply

    refusal = refused(WeixinClient(wire.account, limits_for(reply)).datacube(DATASET, DAY))

    assert type(refusal.error) is UnreachableError
    assert refusal.calls == 3
    assert [asked.path for asked in wire.data_calls] == ["/datacube/getarticletotal"] * 3
    assert str(refusal.error).startswith(
        f"春风 (wx0000000000000001): WeChat could not be reached or was busy ({says_why}"
    )
    assert "http://" not in str(refusal.error)


def test_after_faults_the_answer_is_kept_exactly(wire: Wire):
    """Nothing of a broken answer is left in the one that counts."""
    faults = ("cut", "cut-chunk", "bad-gzip", "html")
    wire.on_data = in_turn(*(FAULTS[name][0] for name in faults), says(FIGURES))

    answer = answered(WeixinClient(wire.account, replace(LIMITS, tries=5)).datacube(DATASET, DAY))

    assert answer.body == FIGURES
    assert answer.calls == 5


@pytest.mark.parametrize("fault", ["reset", "http-502-html", "html-404"])
def test_a_token_call_is_tried_again_too(wire: Wire, fault: str):
    """And given up with the same sentence, before any data call."""
    reply, says_why = FAULTS[fault]
    wire.on_token = in_turn(reply, gives_token("wire-token-1"))
    answered(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))
    wire.on_token = reply

    refusal = refused(
        WeixinClient(replace(wire.account, secret="another"), LIMITS).datacube(DATASET, DAY)
    )

    assert len(wire.token_calls) == 2 + 3
    assert (refusal.calls, len(wire.data_calls)) == (0, 1)
    assert says_why in str(refusal.error)


def test_a_refused_port_is_told_as_such():
    """The operating system's word, without the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    account = Account("weixin_wire", "wx1", "secret", "春风", f"http://127.0.0.1:{port}")

    error = refused(WeixinClient(account, LIMITS).datacube(DATASET, DAY)).error

    assert "Connection refused" in str(error)
    assert str(port) not in str(error)


@pytest.mark.parametrize(
    ("errcode", "kind"), [(48001, ConfigurationError), (42001, TokenRefusedError)]
)
@pytest.mark.parametrize("status", [302, 403, 429])
def test_an_errcode_counts_whatever_the_status(
    wire: Wire, errcode: int, kind: type[WeixinError], status: int
):
    """A JSON object below HTTP 500 is judged by its errcode, so it is not tried again."""
    wire.on_data = says(b'{"errcode":%d,"errmsg":"no"}' % errcode, status)

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert type(refusal.error) is kind
    assert len(wire.data_calls) == refusal.calls == 1


def test_the_token_in_an_errmsg_is_not_repeated(wire: Wire):
    """WeChat, or a proxy, may quote what it was sent."""
    wire.on_data = refuses(61501, f"wire-token-1 and {wire.account.secret} are odd")

    error = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).error

    assert str(error).endswith("(errcode 61501: *** and *** are odd)")


def test_a_compressed_answer_is_kept_uncompressed(wire: Wire):
    """Compression is the transport's; the bytes kept are WeChat's JSON."""
    wire.on_data = says(gzip.compress(FIGURES), 200, IS_GZIP)

    answer = answered(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert answer.body == FIGURES
