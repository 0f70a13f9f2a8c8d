"""Tests of the hook: a connection becomes an account, or an error that says what to change."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from support.secrecy import shown_by_error

from weixin_etl.model import Account
from weixin_etl.orchestration.connections.hook import WHILE_SOMEBODY_WAITS, WeixinHook
from weixin_etl.problem import WeixinError
from weixin_sandbox import Sandbox, Scenario

VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
WECHAT, SANDBOX, OPEN = "https://api.weixin.qq.com", "http://127.0.0.1:8077", "http://a.example"
UNENCRYPTED = [OPEN, "http://10.0.0.7:80", "http://127.0.0.1@a", "http://a#@127.0.0.1"]
USUAL = Account("weixin_default", "wx01", SECRET, "weixin_default", WECHAT)


def described(monkeypatch: pytest.MonkeyPatch, connection: Any) -> Account:
    """Return the account of a connection, which is a URI or fields that replace the usual ones."""
    fields = {"conn_type": "weixin", "login": "wx01", "password": SECRET}
    text = connection if isinstance(connection, str) else json.dumps(fields | connection)
    monkeypatch.setenv(VARIABLE, text)
    return WeixinHook().account()


@pytest.mark.parametrize(
    ("connection", "changed"),
    [
        (f"weixin://wx01:{SECRET}@", {}),
        (
            f"weixin://wx01:{SECRET}@a.example:8443/?name={quote('春风')}",
            {"name": "春风", "base_url": "https://a.example:8443"},
        ),
        (f"weixin://http://wx01:{SECRET}@127.0.0.1:8077/", {"base_url": SANDBOX}),
        ({"extra": '{"name": "春风"}', "host": ""}, {"name": "春风"}),
        ({"extra": {"name": None, "mode": "", "token_url": None}}, {}),
        ({"extra": {"name": "a\n\0b"}}, {"name": "a b"}),
        ({"host": "a/b/", "port": 8443}, {"base_url": "https://a:8443/b"}),
        ({"host": "http://[::1]:8077"}, {"base_url": "http://[::1]:8077"}),
        ({"host": OPEN, "extra": {"allow_http": True}}, {"base_url": OPEN}),
        ({"extra": {"mode": "platform"}}, {"is_platform": True}),
        ({"extra": {"token_url": f"{SANDBOX}/token"}}, {"token_url": f"{SANDBOX}/token"}),
        ({"extra": {"token_url": OPEN, "allow_http": True}}, {"token_url": OPEN}),
    ],
)
def test_a_connection_describes_an_account(
    monkeypatch: pytest.MonkeyPatch, connection: Any, changed: dict[str, Any]
):
    """The connection may be a URI or JSON, for an account, a platform or a token service."""
    account = described(monkeypatch, connection)

    found = {name: getattr(account, name) for name in changed}
    assert found == changed
    for name in {"appid", "secret", "name", "base_url", "token_url"} - changed.keys():
        assert getattr(account, name) == getattr(USUAL, name)


@pytest.mark.parametrize(
    ("code", "field", "connections"),
    [
        ("field_missing", "login", [{"login": None}, {"login": " "}, "weixin", "{}", "[]", "null"]),
        ("field_missing", "password", [{"password": None}, {"password": "\t"}]),
        ("field_wrong", "extra", [{"extra": extra} for extra in ([1], "{bad", {"name": 7})]),
        ("field_wrong", "extra", [{"extra": {"mode": "Platform"}}]),
        ("field_wrong", "host", [{"host": "a:99999"}]),
        ("field_wrong", "token_url", [{"extra": {"token_url": "https://a:b"}}]),
        ("connection_missing", "", [{"login": 7}, {"surprise": 1}, '{"login": "a']),
        ("unencrypted", "", [{"host": host} for host in UNENCRYPTED]),
        ("unencrypted", "", [{"extra": {"token_url": OPEN, "allow_http": None}}]),
    ],
)
def test_a_connection_that_cannot_be_used_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any], code: str, field: str
):
    """The error names the connection, whatever text the environment variable holds."""
    for connection in connections:
        with pytest.raises(WeixinError) as caught:
            described(monkeypatch, connection)

        problem = caught.value.problem
        assert (problem.account, problem.code) == ("weixin_default", code), str(connection)[:200]
        assert field in problem.cause
        assert SECRET not in shown_by_error(caught.value)


@pytest.mark.parametrize(
    "trouble", ["ip", "token-call:http-500", "token-call:errcode:45011", "token-call:errcode:40125"]
)
def test_the_button_calls_wechat_each_time_and_answers_soon(
    sandbox: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch, trouble: str
):
    """A cached token could hide a change. The button makes at most two tries within ten seconds."""
    fields = {"login": account.appid, "password": account.secret, "host": account.base_url}
    described(monkeypatch, fields)
    is_good, _ = WeixinHook().test_connection()
    sandbox.scenarios[:] = [Scenario(trouble)]

    is_still_good, message = WeixinHook().test_connection()

    assert (is_good, is_still_good) == (True, False)
    assert message.startswith(f"weixin_default ({account.appid}): ")
    assert len(sandbox.calls) <= 1 + 2
    assert WHILE_SOMEBODY_WAITS.total_seconds <= 10
