"""Trouble on the way to WeChat is tried again, and told in words without an address."""

import gzip
import socket
from dataclasses import replace

import pytest
from wire import (
    DATA_PATH,
    DAY,
    IN_HASTE,
    LIMITS,
    Reply,
    Wire,
    gives_token,
    in_turn,
    is_silent,
    raw,
    refuses,
    resets,
    says,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    CallError,
    ConfigurationError,
    DailyQuotaError,
    TokenRefusedError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.api.http import CallLimits
from weixin_etl.model import Account
from weixin_sandbox import Sandbox, Scenario

HTML = b"<html><body>502 Bad Gateway</body></html>"
FIGURES = '{"list":[{"title":"春风"}]}'.encode()
IS_GZIP = b"Content-Encoding: gzip"
NOT_JSON = "the answer is not a JSON object"

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
    "html": (says(HTML), NOT_JSON),
    "html-403": (says(HTML, 403), NOT_JSON),
    "list": (says(b"[]"), NOT_JSON),
    "number": (says(b"1"), NOT_JSON),
    "empty": (says(b""), NOT_JSON),
    "odd-errcode": (says(b'{"errcode":"busy"}'), NOT_JSON),
    "bad-gzip": (says(FIGURES, 200, IS_GZIP), "the connection broke"),
    "redirect": (says(b"", 302, b"Location: /elsewhere"), NOT_JSON),
    "redirect-nowhere": (says(b"", 302, b"Location: http://["), NOT_JSON),
}


def limits_for(reply: Reply) -> CallLimits:
    """Only silence needs a short timeout; elsewhere one could pass for the fault."""
    return IN_HASTE if reply is is_silent else LIMITS


@pytest.mark.parametrize(("reply", "says_why"), FAULTS.values(), ids=FAULTS)
def test_no_usable_answer_is_tried_again_and_then_given_up(wire: Wire, reply: Reply, says_why: str):
    """As often as the limit says; the sentence names the account and what the way answered."""
    wire.on_data = reply

    with pytest.raises(UnreachableError) as caught:
        WeixinClient(wire.account, limits_for(reply)).datacube(DATA_PATH, DAY)

    assert caught.value.calls == 3
    assert [asked.path for asked in wire.data_calls] == ["/datacube/getarticletotal"] * 3
    assert str(caught.value).startswith(
        f"春风 (wx0000000000000001): WeChat could not be reached or was busy ({says_why}"
    )
    assert "http://" not in str(caught.value)


@pytest.mark.parametrize("reply", [reply for reply, _ in FAULTS.values()], ids=FAULTS)
def test_after_two_faults_the_third_answer_is_kept_exactly(wire: Wire, reply: Reply):
    """Nothing of a broken answer is left in the one that counts."""
    wire.on_data = in_turn(reply, reply, says(FIGURES))

    answer = WeixinClient(wire.account, limits_for(reply)).datacube(DATA_PATH, DAY)

    assert answer.body == FIGURES
    assert answer.calls == 3


@pytest.mark.parametrize(("reply", "says_why"), FAULTS.values(), ids=FAULTS)
def test_a_token_call_is_tried_again_too(wire: Wire, reply: Reply, says_why: str):
    """And given up with the same sentence, before any data call."""
    wire.on_token = in_turn(reply, gives_token("wire-token-1"))
    WeixinClient(wire.account, limits_for(reply)).datacube(DATA_PATH, DAY)
    wire.on_token = reply

    with pytest.raises(UnreachableError) as caught:
        WeixinClient(replace(wire.account, secret="another"), limits_for(reply)).datacube(
            DATA_PATH, DAY
        )

    assert len(wire.token_calls) == 2 + 3
    assert len(wire.data_calls) == 1
    assert says_why in str(caught.value)


def test_a_refused_port_is_told_as_such():
    """The operating system's word, without the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    account = Account("weixin_wire", "wx1", "secret", "春风", f"http://127.0.0.1:{port}")

    with pytest.raises(UnreachableError, match="Connection refused") as caught:
        WeixinClient(account, LIMITS).datacube(DATA_PATH, DAY)

    assert str(port) not in str(caught.value)


@pytest.mark.parametrize("scenario", ["http-500", "cut-answer", "bad-json", "busy", "slow"])
def test_two_faults_of_the_sandbox_are_overcome(sandbox: Sandbox, account: Account, scenario: str):
    """The third answer is the sandbox's exact one."""
    sandbox.scenarios[:] = [Scenario(scenario, times=2)]
    limits = replace(LIMITS, read_seconds=1 if scenario == "slow" else LIMITS.read_seconds)

    answer = WeixinClient(account, limits).datacube(DATA_PATH, DAY)

    assert answer.calls == 3
    assert answer.body == sandbox.answer(account.appid, DAY, asked_on=sandbox.beijing_today)


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (48001, ConfigurationError),
        (45009, DailyQuotaError),
        (42001, TokenRefusedError),
        (61501, CallError),
    ],
)
def test_an_errcode_counts_inside_a_client_error(wire: Wire, errcode: int, kind: type[WeixinError]):
    """HTTP 400 to 499 with an errcode is judged by the errcode, so it is not tried again."""
    wire.on_data = says(b'{"errcode":%d,"errmsg":"no"}' % errcode, 403)

    with pytest.raises(kind) as caught:
        WeixinClient(wire.account, LIMITS).datacube(DATA_PATH, DAY)

    assert len(wire.data_calls) == caught.value.calls == 1


def test_the_token_in_an_errmsg_is_not_repeated(wire: Wire):
    """WeChat, or a proxy, may quote what it was sent."""
    wire.on_data = refuses(61501, f"wire-token-1 and {wire.account.secret} are odd")

    with pytest.raises(CallError) as caught:
        WeixinClient(wire.account, LIMITS).datacube(DATA_PATH, DAY)

    assert str(caught.value).endswith("(errcode 61501: *** and *** are odd)")


def test_a_compressed_answer_is_kept_uncompressed(wire: Wire):
    """Compression is the transport's; the bytes kept are WeChat's JSON."""
    wire.on_data = says(gzip.compress(FIGURES), 200, IS_GZIP)

    assert WeixinClient(wire.account, LIMITS).datacube(DATA_PATH, DAY).body == FIGURES
