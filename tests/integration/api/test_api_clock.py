"""This machine's real clock and WeChat's agree within five minutes, or no token is used."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from wire import DATASET, DAY, LIMITS, Wire, answered, refused, says

from weixin_etl.api.client import WeixinClient
from weixin_etl.problem import ProblemKind, WeixinError


def dated(seconds: float) -> bytes:
    """A Date header that is so far ahead of this machine."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return b"Date: " + format_datetime(at, usegmt=True).encode()


@pytest.mark.parametrize("seconds", [-310, 310, 86_400 * 400])
@pytest.mark.parametrize(
    "body",
    [b'{"access_token":"t","expires_in":7200}', b'{"errcode":40125,"errmsg":"no"}'],
)
def test_a_token_of_another_time_is_not_used(wire: Wire, seconds: int, body: bytes):
    """Not asked again: a clock mends itself no sooner than somebody sets it."""
    wire.on_token = says(body, 200, dated(seconds))

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert refusal.error.kind is ProblemKind.CLOCK
    assert (len(wire.token_calls), len(wire.data_calls)) == (1, 0)


@pytest.mark.parametrize(
    "header",
    [
        -280,
        280,
        b"Date: yesterday",
        b"Date: Wed, 25 Nov 99999 20:36:12 GMT",
        b"Date: Wed, 25 Nov 2026 20:36:12 +99999999999999999",
        b"Date;",
        b"X: y",
    ],
)
def test_a_token_of_the_same_time_or_of_none_is_used(wire: Wire, header: int | bytes):
    """A header that is missing or says no time is not compared."""
    date = dated(header) if isinstance(header, int) else header
    wire.on_token = says(b'{"access_token":"t","expires_in":7200}', 200, date)

    assert answered(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).calls == 1


@pytest.mark.usefixtures("now")
def test_the_token_call_compares_the_clocks_and_says_both_in_beijing_time(wire: Wire):
    """Before any data call, and wherever `WEIXIN_NOW` has put the pipeline's clock."""
    wire.on_token = says(b'{"access_token":"t","expires_in":7200}', 200, dated(-3600))

    with pytest.raises(WeixinError) as caught:
        WeixinClient(wire.account, LIMITS).check_token()

    assert caught.value.kind is ProblemKind.CLOCK
    told = re.findall(r"[-\d]{10} [:\d]{8}", str(caught.value))
    ours, theirs = (datetime.fromisoformat(f"{it}+08:00") for it in told)
    assert abs(datetime.now(UTC) - ours) < timedelta(minutes=5)
    assert timedelta(minutes=59) < ours - theirs < timedelta(minutes=61)


def test_what_is_no_answer_of_wechats_is_not_compared(wire: Wire):
    """A gateway's page is trouble on the way, whose clock does not matter."""
    wire.on_token = says(b"<html>", 404, dated(3600))

    refusal = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert refusal.error.kind is ProblemKind.UNREACHABLE
