"""Tests of one call: its request, its retries, its limits, and that it shows no secret."""

import gzip
import json
import logging
import socket
import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from support.secrecy import shown_by_error, shown_by_log
from support.wire import (
    GIVES_UP_SECONDS,
    LIMITS,
    SECRET,
    Handler,
    Reply,
    Wire,
    answered,
    call,
    drips,
    gives_token,
    in_turn,
    is_silent,
    raw,
    refused,
    refuses,
    resets,
    says,
)
from urllib3.connection import HTTPConnection

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.token import Token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import Account as Known
from weixin_sandbox import Sandbox

FIGURES = '{"list":[{"title":"春风十里不如你，《论语》"}]}'.encode()
IS_GZIP = b"Content-Encoding: gzip"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BEGINS = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
TOKEN = "wire-token-1"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Set every logger to DEBUG, as an operator may do to find a fault."""
    for name in [None, *logging.root.manager.loggerDict]:
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_requests_have_the_form_that_wechat_documents(wire: Wire) -> None:
    """A token call forces no refresh, which would invalidate the token of other programs."""
    call(wire)

    asked_token, asked = wire.asked
    assert json.loads(asked_token.body) == {
        "grant_type": "client_credential",
        "appid": wire.account.appid,
        "secret": SECRET,
        "force_refresh": False,
    }
    assert (asked_token.token, asked.token) == (None, TOKEN)
    assert asked.path == "/datacube/getarticletotal"
    assert asked.body == b'{"begin_date":"2026-11-18","end_date":"2026-11-18"}'
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"] == f"weixin-etl/{version('weixin-etl')}"


@pytest.mark.parametrize(
    "body",
    [
        FIGURES,
        b'{"list":[{"title":"a raw \x01 control\ncharacter\t, half a character \xe6\x98"}]}',
        b' {"errcode":0,"errmsg":"ok","list":null }\r\n',
        b'{"list":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["chinese", "not-utf-8", "errcode-0", "deep"],
)
def test_bytes_are_kept_as_they_came(wire: Wire, body: bytes) -> None:
    """The charset in the header, the shape of the JSON and earlier failures change nothing."""
    broken = FAULTS["cut"], FAULTS["reset"], FAULTS["bad-gzip"]
    header = b"Content-Type: text/plain; charset=iso-8859-1"
    wire.on_data = in_turn(*broken, says(gzip.compress(body), 200, IS_GZIP, header))

    answer = answered(call(wire, replace(LIMITS, tries=4)))

    assert (answer.body, answer.calls) == (body, 4)


# ---------------------------------------------------------------------------------- what is refused

FAULTS = {
    "http-502": says(b"<html>", 502),
    "cut": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"li'),
    "reset": resets,
    "hung-up": raw(b""),
    "no-http": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "silent": is_silent,
    "html": says(b"<html>"),
    "list": says(b"[]"),
    "odd-errcode": says(b'{"errcode":"busy"}'),
    "huge-errcode": refuses(2**31),
    "json-404": says(b'{"list":[]}', 404),
    "bad-gzip": says(FIGURES, 200, IS_GZIP),
    "odd-chunks": raw(CHUNKED + b"zz\r\n{}"),
    "odd-redirect": says(b"", 302, b"Location: http://["),
    "redirect": says(b"", 302, b"Location: /?access_token=" + TOKEN.encode()),
}


def quotes(handler: Handler) -> None:
    """Refuse the call with a message that repeats its token and secret."""
    refuses(61501, f"{handler.asked.token}, {SECRET} are odd")(handler)


MOST_BYTES = 1 << 20
TOO_LARGE = {
    "plain": says(b" " * MOST_BYTES + b"{}"),
    "compressed": says(gzip.compress(b" " * 10_000_000), 200, IS_GZIP),
    "endless": drips(BEGINS, b" " * 60_000),
    "redirect": says(b" " * 10_000_000, 302, b"Location: /elsewhere"),
}
NO_TOKEN = [
    b"{}",
    b'{"expires_in":7200}',
    b'{"access_token":"t"}',
    b'{"access_token":"","expires_in":7200}',
    b'{"access_token":7,"expires_in":7200}',
    b'{"access_token":"\xff","expires_in":7200}',
    b'{"access_token":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]
GOOD = gives_token(TOKEN)
Case = tuple[Reply, Reply, ProblemKind, int, int]
"""Replies to a token call and to a call for figures; the problem, and the number of each call."""
CASES: dict[str, Case] = {
    **{name: (GOOD, answer, ProblemKind.UNREACHABLE, 1, 3) for name, answer in FAULTS.items()},
    **{
        f"large {name}": (GOOD, answer, ProblemKind.UNREADABLE, 1, 1)
        for name, answer in TOO_LARGE.items()
    },
    **{
        f"{answer!r:.60}": (says(answer), raw(b""), ProblemKind.UNREACHABLE, 1, 0)
        for answer in NO_TOKEN
    },
    "busy": (GOOD, refuses(-1, status=302), ProblemKind.UNREACHABLE, 1, 3),
    "minute": (GOOD, refuses(45011, status=429), ProblemKind.MINUTE_QUOTA, 1, 2),
    "day": (GOOD, refuses(45009, status=403), ProblemKind.DAILY_QUOTA, 1, 1),
    "token busy": (refuses(-1, status=403), GOOD, ProblemKind.UNREACHABLE, 3, 0),
    "token minute": (refuses(45011), GOOD, ProblemKind.MINUTE_QUOTA, 2, 0),
    "secret": (refuses(40001, status=429), GOOD, ProblemKind.CONFIGURATION, 1, 0),
    "html for a token": (says(b"<html>", 404), GOOD, ProblemKind.UNREACHABLE, 3, 0),
    **{
        f"token {errcode}": (GOOD, refuses(errcode), ProblemKind.TOKEN_REFUSED, 2, 1)
        for errcode in (40001, 40014, 42001)
    },
    "in vain": (in_turn(GOOD, refuses(40243)), refuses(40001), ProblemKind.CONFIGURATION, 2, 1),
    "quotes": (GOOD, quotes, ProblemKind.CALL_REFUSED, 1, 1),
    "quotes the secret": (refuses(40125, SECRET), GOOD, ProblemKind.CONFIGURATION, 1, 0),
}


@pytest.mark.parametrize(
    ("on_token", "on_data", "kind", "token_calls", "data_calls"), CASES.values(), ids=CASES
)
@pytest.mark.usefixtures("now")
def test_a_refusal_has_its_kind_and_its_calls_and_no_secret(
    wire: Wire,
    log: pytest.LogCaptureFixture,
    on_token: Reply,
    on_data: Reply,
    kind: ProblemKind,
    token_calls: int,
    data_calls: int,
) -> None:
    """
    Retry an unusable answer as often as allowed, a used-up minute quota once, and nothing else.

    An errcode counts whatever the HTTP status is. An answer over the size limit is not read on.
    """
    wire.on_token, wire.on_data = on_token, on_data

    refusal = refused(call(wire, replace(LIMITS, read_seconds=1, max_answer_bytes=MOST_BYTES)))

    shown = shown_by_error(refusal.error) + shown_by_log(log.records)
    assert refusal.error.kind is kind
    assert (len(wire.token_calls), len(wire.data_calls)) == (token_calls, data_calls)
    assert refusal.calls == data_calls
    assert refusal.refused_at.isoformat() == "2026-11-24T02:30:00+00:00"
    hidden = (TOKEN, SECRET, "http://", "HTTPConnectionPool")
    assert [text for text in hidden if text in shown] == []
    assert refusal.error.__traceback__ is None  # its frames would hold the answer


# ----------------------------------------------------------------------------- bounded in its time

IN_HALF_A_SECOND = replace(LIMITS, connect_seconds=30, read_seconds=30, total_seconds=0.5)
ENDLESS = {
    "continue": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "header": drips(b"HTTP/1.1 200 OK\r\nA: ", b"a"),
    "chunk-size": drips(CHUNKED, b"0"),
    "trailers": drips(CHUNKED + b"1\r\n \r\n0\r\n", b"a: b\r\n"),
    "body": drips(BEGINS, b" "),
    "silent": is_silent,
}


@pytest.mark.parametrize("trouble", [*ENDLESS, "name"])
def test_an_answer_that_never_ends_is_given_up_in_time(
    wire: Wire, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read timeout is never exceeded; the limit for the whole call ends it."""
    wire.on_token = ENDLESS.get(trouble, wire.on_token)
    if trouble == "name":  # a look-up of a host name can't be interrupted
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: wire.hang())

    with pytest.raises(WeixinError) as ended:
        WeixinClient(wire.account, IN_HALF_A_SECOND).check_token()

    assert ended.value.kind is ProblemKind.UNREACHABLE
    assert not wire.has_given_up
    assert len(wire.asked) <= 1
    wire.is_over.set()
    for pending in [thread for thread in threading.enumerate() if thread.name == "call"]:
        pending.join(GIVES_UP_SECONDS)
        assert not pending.is_alive()


# ----------------------------------------------------------------------------- accounts and secrets


def test_accounts_share_a_connection_and_nothing_else(
    sandbox: Sandbox, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection per account would cost a TLS handshake and an open file each."""
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
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cookies of one account's answer are not sent for another account; ~/.netrc is ignored."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    token = b'{"access_token":"t","expires_in":7200}'
    wire.on_token = says(token, 200, b"Set-Cookie: who=first; Path=/")

    for appid in ("wx1", "wx2"):
        WeixinClient(replace(wire.account, appid=appid), LIMITS).check_token()

    sent: list[Any] = [{*asked.headers} & {"Cookie", "Authorization"} for asked in wire.asked]
    assert sent == [set(), set()]


def test_nothing_prints_the_secret_or_the_token(wire: Wire) -> None:
    """The text forms of an account, a token and a client contain neither."""
    token, client = Token(TOKEN, 7200), WeixinClient(wire.account, LIMITS)
    client.check_token()

    printed = f"{wire.account!r} {wire.account} {token!r} {token} {client!r} {vars(client)}"

    assert [secret for secret in (TOKEN, SECRET) if secret in printed] == []
