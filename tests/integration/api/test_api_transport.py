"""What may pass is tried again, on the way to WeChat and of its errcodes; the words say why."""

import gzip
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
    in_turn,
    is_silent,
    raw,
    refused,
    refuses,
    resets,
    says,
)

from weixin_etl.api.client import WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.problem import ProblemKind

HTML = b"<html><body>502 Bad Gateway</body></html>"
FIGURES = '{"list":[{"title":"春风"}]}'.encode()
IS_GZIP = b"Content-Encoding: gzip"
NO_JSON = "HTTP %d and no JSON object; the connection's host may be wrong, or a proxy answered"
NO_ERRCODE = "HTTP %d without an errcode; the connection's host may be wrong, or a proxy answered"

FAULTS = {
    "http-502-html": (says(HTML, 502), "HTTP 502"),
    "cut": (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"li'), "the connection broke"),
    "reset": (resets, "Connection reset by peer"),
    "hung-up": (raw(b""), "the connection broke"),
    "no-http": (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "the connection broke"),
    "silent": (is_silent, "no complete answer in time"),
    "html": (says(HTML), NO_JSON % 200),
    "html-404": (says(HTML, 404), NO_JSON % 404),
    "list": (says(b"[]"), NO_JSON % 200),
    "json-404": (says(b'{"list":[]}', 404), NO_ERRCODE % 404),
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

    assert refusal.error.kind is ProblemKind.UNREACHABLE
    assert refusal.calls == 3
    assert [asked.path for asked in wire.data_calls] == ["/datacube/getarticletotal"] * 3
    assert str(refusal.error).startswith(
        "春风 (wx0000000000000001): wait; if it persists, check the Base URL and any proxy "
        f"(no usable answer came: {says_why}"
    )
    assert "http://" not in str(refusal.error)


def test_after_faults_the_answer_is_kept_exactly(wire: Wire):
    """Nothing of a broken answer is left in the one that counts, nor its own compression."""
    faults = ("cut", "reset", "bad-gzip", "html")
    wire.on_data = in_turn(
        *(FAULTS[name][0] for name in faults), says(gzip.compress(FIGURES), 200, IS_GZIP)
    )

    answer = answered(WeixinClient(wire.account, replace(LIMITS, tries=5)).datacube(DATASET, DAY))

    assert answer.body == FIGURES
    assert answer.calls == 5


@pytest.mark.parametrize(
    ("errcode", "kind"), [(48001, ProblemKind.CONFIGURATION), (42001, ProblemKind.TOKEN_REFUSED)]
)
@pytest.mark.parametrize("status", [302, 403, 429])
def test_an_errcode_counts_whatever_the_status(
    wire: Wire, errcode: int, kind: ProblemKind, status: int
):
    """A JSON object below HTTP 500 is judged by its errcode, so it is not tried again."""
    wire.on_data = says(b'{"errcode":%d,"errmsg":"no"}' % errcode, status)

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert refusal.error.kind is kind
    assert len(wire.data_calls) == refusal.calls == 1


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
def test_a_refused_call_tells_its_calls_and_its_time(
    wire: Wire,
    errcode: int,
    on_token_call: bool,
    kind: ProblemKind,
    token_calls: int,
    data_calls: int,
):
    """Busy is tried again, a used-up minute once more, the rest not; without a token no figures."""
    if on_token_call:
        wire.on_token = refuses(errcode)
    wire.on_data = refuses(errcode)

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert (refusal.error.kind, refusal.error.problem.errcode) == (kind, errcode)
    assert (len(wire.token_calls), len(wire.data_calls)) == (token_calls, data_calls)
    assert refusal.calls == data_calls
    assert refusal.refused_at.isoformat() == "2026-11-24T02:30:00+00:00"
    assert str(refusal.error).startswith("春风 (wx0000000000000001): ")
