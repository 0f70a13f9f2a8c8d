"""One call: what is asked, what is kept, what is tried again; bounded, and it shows no secret."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import pytest
from secrecy import shown_by_error, shown_by_log
from urllib3.connection import HTTPConnection
from wire import (
    DATASET,
    DAY,
    GIVES_UP_SECONDS,
    IN_HASTE,
    LIMITS,
    SECRET,
    DripsTls,
    Handler,
    Reply,
    Wire,
    answered,
    drips,
    in_turn,
    is_silent,
    raw,
    refused,
    refuses,
    resets,
    says,
    trickles,
)

from weixin_etl.api import http
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.api.token import Token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import Account as Known
from weixin_sandbox import Sandbox

FIGURES = '{"list":[{"title":"春风十里不如你，《论语》"}]}'.encode()
IS_GZIP = b"Content-Encoding: gzip"


def call(wire: Wire, limits: CallLimits = LIMITS) -> Answer | Refusal:
    """Ask for a day."""
    return WeixinClient(wire.account, limits).datacube(DATASET, DAY)


def test_what_is_asked_is_what_wechat_wants(wire: Wire) -> None:
    """A token without a forced refresh, which would kill everyone else's; one day, as JSON."""
    call(wire)

    asked_token, asked = wire.asked
    assert json.loads(asked_token.body) == {
        "grant_type": "client_credential",
        "appid": "wx0000000000000001",
        "secret": SECRET,
        "force_refresh": False,
    }
    assert (asked_token.token, asked.token) == (None, "wire-token-1")
    assert asked.path == "/datacube/getarticletotal"
    assert asked.body == b'{"begin_date":"2026-11-18","end_date":"2026-11-18"}'
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"] == f"weixin-etl/{version('weixin-etl')}"


@pytest.mark.parametrize(
    "body",
    [
        FIGURES,
        b'{"list":[{"title":"a raw \x01 control\ncharacter\t"}]}',
        b'{"list":[{"title":"half a character \xe6\x98"}]}',
        b'{"errcode":0,"errmsg":"ok","list":[]}',
        b' {"list": null }\r\n',
        b'{"list":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["chinese", "control", "not-utf-8", "errcode-0", "null", "deep"],
)
def test_bytes_are_kept_as_they_came(wire: Wire, body: bytes) -> None:
    """Whatever the header says, and in shapes nobody knows too: the caller keeps those."""
    wire.on_data = says(body, 200, b"Content-Type: text/plain; charset=iso-8859-1")

    assert answered(call(wire)).body == body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = {
    "http-502": (says(b"<html>", 502), "HTTP 502"),
    "cut": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"li'), "the connection broke"),
    "reset": (resets, "Connection reset by peer"),
    "hung-up": (raw(b""), "the connection broke"),
    "no-http": (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "the connection broke"),
    "silent": (is_silent, "no complete answer in time"),
    "html": (says(b"<html>"), "HTTP 200, not WeChat's JSON"),
    "list": (says(b"[]"), "HTTP 200, not WeChat's JSON"),
    "odd-errcode": (says(b'{"errcode":"busy"}'), "HTTP 200, not WeChat's JSON"),
    "huge-errcode": (refuses(2**31), "HTTP 200, not WeChat's JSON"),
    "json-404": (says(b'{"list":[]}', 404), "HTTP 404, not WeChat's JSON"),
    "bad-gzip": (says(FIGURES, 200, IS_GZIP), "the connection broke"),
    "odd-chunks": (raw(CHUNKED + b"zz\r\n{}"), "the connection broke"),
    "odd-redirect": (says(b"", 302, b"Location: http://["), "HTTP 302, not WeChat's JSON"),
    "redirect": (says(b"", 302, b"Location: /?access_token=wire-token-1"), "HTTP 302, not"),
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every logger of the pipeline at DEBUG, as an operator may set it to find a fault."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def in_sight(error: WeixinError, log: pytest.LogCaptureFixture) -> list[str]:
    """Tokens and secrets in the error, its traceback or a line."""
    said = shown_by_error(error) + shown_by_log(log.records)
    return [it for it in ("wire-token-1", SECRET) if it in said]


@pytest.mark.parametrize(("reply", "why"), FAULTS.values(), ids=FAULTS)
def test_no_usable_answer_is_tried_again_and_then_given_up(
    wire: Wire, log: pytest.LogCaptureFixture, reply: Reply, why: str
) -> None:
    """As often as the limit says; the sentence says what came, without an address or a secret."""
    wire.on_data = reply

    refusal = refused(call(wire, IN_HASTE if reply is is_silent else LIMITS))

    assert refusal.error.kind is ProblemKind.UNREACHABLE
    assert refusal.calls == len(wire.data_calls) == 3
    assert f"(no usable answer came: {why}" in str(refusal.error)
    assert "http://" not in str(refusal.error)
    assert in_sight(refusal.error, log) == []


@pytest.mark.parametrize("errcode", [61501, 40001])
def test_a_refusal_that_repeats_what_it_was_sent_shows_it_to_nobody(
    wire: Wire, log: pytest.LogCaptureFixture, errcode: int
) -> None:
    """Token and secret are masked."""

    def quotes(handler: Handler) -> None:
        refuses(errcode, f"{handler.asked.token}, {SECRET} are odd")(handler)

    wire.on_data = quotes

    error = refused(call(wire)).error

    assert "***, *** are odd" in str(error)
    assert in_sight(error, log) == []


def test_after_faults_the_answer_is_kept_exactly(wire: Wire) -> None:
    """Nothing of a broken answer is left in the one that counts, nor its own compression."""
    faults = [FAULTS[name][0] for name in ("cut", "reset", "bad-gzip", "html")]
    wire.on_data = in_turn(*faults, says(gzip.compress(FIGURES), 200, IS_GZIP))

    answer = answered(call(wire, replace(LIMITS, tries=5)))

    assert (answer.body, answer.calls) == (FIGURES, 5)


@pytest.mark.parametrize("status", [200, 302, 403, 429])
@pytest.mark.parametrize(
    ("errcode", "on_token_call", "kind", "token_calls", "data_calls"),
    [
        (-1, False, ProblemKind.UNREACHABLE, 1, 3),
        (45011, False, ProblemKind.MINUTE_QUOTA, 1, 2),
        (45009, False, ProblemKind.DAILY_QUOTA, 1, 1),
        (-1, True, ProblemKind.UNREACHABLE, 3, 0),
        (45011, True, ProblemKind.MINUTE_QUOTA, 2, 0),
        (40001, True, ProblemKind.CONFIGURATION, 1, 0),
    ],
)
@pytest.mark.usefixtures("now")
def test_an_errcode_counts_whatever_the_status(
    wire: Wire,
    status: int,
    errcode: int,
    on_token_call: bool,
    kind: ProblemKind,
    token_calls: int,
    data_calls: int,
) -> None:
    """Busy is tried again, a used-up minute once more, the rest not; without a token no figures."""
    wire.on_data = says(b'{"errcode":%d,"errmsg":"no"}' % errcode, status)
    if on_token_call:
        wire.on_token = wire.on_data

    refusal = refused(call(wire))

    assert (refusal.error.kind, refusal.error.problem.errcode) == (kind, errcode)
    assert (len(wire.token_calls), len(wire.data_calls)) == (token_calls, data_calls)
    assert refusal.calls == data_calls
    assert refusal.refused_at.isoformat() == "2026-11-24T02:30:00+00:00"


# ------------------------------------------------------------------------- bounded, whoever answers

GENEROUS_SECONDS = 8
"""Far above what the limits allow, far below what the servers here would take."""
IN_HALF_A_SECOND = replace(LIMITS, connect_seconds=30, read_seconds=30, total_seconds=0.5)


def speaks_tls_slowly(wire: Wire, _: pytest.MonkeyPatch) -> None:
    """Each byte of its handshake comes in time."""
    wire.scheme = "https"
    wire.RequestHandlerClass = DripsTls


def has_a_slow_name(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can interrupt the look-up."""
    look_up = socket.getaddrinfo

    def slowly(*args: Any, **options: Any) -> Any:
        wire.is_over.wait(GIVES_UP_SECONDS)
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)


def answers(reply: Reply) -> Callable[[Wire, pytest.MonkeyPatch], None]:
    """It answers so."""

    def prepare(wire: Wire, _: pytest.MonkeyPatch) -> None:
        wire.on_token = reply

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [
        answers(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
        answers(drips(b"HTTP/1.1 200 OK\r\nA: ", b"a")),
        answers(drips(CHUNKED, b"0")),
        answers(drips(CHUNKED + b"1\r\n \r\n0\r\n", b"a: b\r\n")),
        answers(trickles(b"Content-Length: 100000000", b" ", pause_seconds=0.02)),
        answers(is_silent),
        speaks_tls_slowly,
        has_a_slow_name,
    ],
    ids=["continue", "header", "chunk-size", "trailers", "body", "silent", "handshake", "name"],
)
def test_an_answer_that_never_ends_is_given_up_in_time(
    wire: Wire,
    prepare: Callable[[Wire, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read timeout is longer, or each byte comes well within it: the total ends the call."""
    prepare(wire, monkeypatch)
    begun = time.monotonic()

    with pytest.raises(WeixinError, match="no complete answer in time"):
        WeixinClient(wire.account, IN_HALF_A_SECOND).check_token()

    assert time.monotonic() - begun < GENEROUS_SECONDS
    assert len(wire.asked) <= 1
    wire.is_over.set()
    for under_way in threading.enumerate():
        if under_way.name == "call":
            under_way.join(GENEROUS_SECONDS)
            assert not under_way.is_alive()


THOUSAND_BYTES = b'{"list":[' + b" " * 989 + b"]}"


@pytest.mark.parametrize(
    "reply",
    [
        says(THOUSAND_BYTES + b" "),
        says(gzip.compress(THOUSAND_BYTES + b" " * 10_000_000), 200, IS_GZIP),
        trickles(b"Content-Length: 100000000", b" " * 60_000, pause_seconds=0.01),
        says(b" " * 10_000_000, 302, b"Location: /elsewhere"),
    ],
    ids=["plain", "compressed", "endless", "redirect"],
)
def test_an_answer_over_the_size_limit_is_not_read_on_and_not_asked_again(
    wire: Wire, reply: Reply
) -> None:
    """The bytes that count are the uncompressed ones: those fill the memory."""
    wire.on_data = reply

    refusal = refused(call(wire, replace(LIMITS, max_answer_bytes=1000)))

    assert refusal.error.kind is ProblemKind.UNREADABLE
    assert "larger than 1000 bytes" in str(refusal.error)
    assert refusal.calls == len(wire.data_calls) == 1
    assert refusal.error.__traceback__ is None  # its frames would hold what was read


# ----------------------------------------------------------------------------- accounts and secrets


def test_accounts_share_a_connection_and_nothing_else(
    sandbox: Sandbox, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would cost a TLS handshake, and a file for as long as the process lives."""
    http._session.cache_clear()
    known = [Known(f"wx{n}", f"secret{n}") for n in range(100)]
    sandbox.accounts = {account.appid: account for account in known}
    opened: list[object] = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(
        HTTPConnection, "connect", lambda self: (opened.append(self), connect(self))[1]
    )

    for account in known:
        described = Account("c", account.appid, account.secret, account.appid, sandbox_url)
        WeixinClient(described, LIMITS).check_token()

    assert (len(sandbox.calls), len(opened)) == (100, 1)


def test_no_cookie_and_no_login_of_a_file_is_sent(
    wire: Wire, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a proxy sets with one account's answer is not another's; ~/.netrc is somebody else's."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    token = b'{"access_token":"t","expires_in":7200}'
    wire.on_token = says(token, 200, b"Set-Cookie: who=first; Path=/")

    for appid in ("wx1", "wx2"):
        WeixinClient(replace(wire.account, appid=appid), LIMITS).check_token()

    sent = [{*asked.headers} & {"Cookie", "Authorization"} for asked in wire.asked]
    assert sent == [set(), set()]


def test_nothing_prints_the_secret_or_the_token(wire: Wire) -> None:
    """Neither of an account, a token, a client."""
    token, client = Token("wire-token-1", 7200), WeixinClient(wire.account, LIMITS)
    client.check_token()

    printed = f"{wire.account!r} {wire.account} {token!r} {token} {client!r} {vars(client)}"

    assert [it for it in ("wire-token-1", SECRET) if it in printed] == []
