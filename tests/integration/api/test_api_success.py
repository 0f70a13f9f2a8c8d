"""A successful answer is kept byte for byte, and asked for as WeChat wants it."""

import json
from importlib.metadata import version

import pytest
from wire import DATASET, DAY, LIMITS, Wire, answered, says

from weixin_etl.api.client import WeixinClient


@pytest.mark.parametrize(
    "body",
    [
        '{"list":[{"title":"春风十里不如你，《论语》"}]}'.encode(),
        b'{"list":[{"title":"a raw \x01 control\ncharacter\t"}]}',
        b'{"list":[{"title":"half a character \xe6\x98"}]}',
        b'{"errcode":0,"errmsg":"ok","list":[]}',
        b' {"list": [] }\r\n',
        b'{"list":null}',
        b'{"data":1}',
        b'{"list":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["chinese", "control", "not-utf-8", "errcode-0", "spaces", "null", "no-list", "deep"],
)
def test_bytes_are_kept_as_they_came(wire: Wire, body: bytes):
    """Whatever status and header say, and in shapes nobody knows too: the caller keeps those."""
    wire.on_data = says(body, 200, b"Content-Type: text/plain; charset=iso-8859-1")

    answer = answered(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY))

    assert answer.body == body
    assert len(wire.data_calls) == 1


def test_a_data_call_asks_for_one_day_as_json_and_says_who_asks(wire: Wire):
    """`begin_date` is `end_date`; the token is in the query, as WeChat demands."""
    WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)

    (call,) = wire.data_calls
    assert call.path == "/datacube/getarticletotal"
    assert call.token == "wire-token-1"
    assert call.body == b'{"begin_date":"2026-11-18","end_date":"2026-11-18"}'
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["User-Agent"] == f"weixin-etl/{version('weixin-etl')}"


def test_a_token_call_never_forces_a_refresh(wire: Wire):
    """A forced refresh would kill the token of everyone else."""
    WeixinClient(wire.account, LIMITS).check_token()

    (call,) = wire.token_calls
    assert json.loads(call.body) == {
        "grant_type": "client_credential",
        "appid": "wx0000000000000001",
        "secret": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "force_refresh": False,
    }
    assert call.token is None
