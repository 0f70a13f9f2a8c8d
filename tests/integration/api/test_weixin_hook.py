"""The Airflow connection becomes an account, or a sentence that says what it lacks."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from secrecy import shown_by_error
from wire import LIMITS

from weixin_etl.model import Account
from weixin_etl.orchestration.connections.hook import WHILE_SOMEBODY_WAITS, WeixinHook
from weixin_etl.problem import WeixinError
from weixin_sandbox import Sandbox, Scenario

VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
IS_JSON = {"conn_type": "weixin", "login": "wx01", "password": SECRET}


def described(monkeypatch: pytest.MonkeyPatch, connection: str | dict[str, object]) -> Account:
    """The account that a connection in the environment describes."""
    text = connection if isinstance(connection, str) else json.dumps(connection)
    monkeypatch.setenv(VARIABLE, text)
    return WeixinHook().account()


WECHAT = "https://api.weixin.qq.com"
SANDBOX = "http://127.0.0.1:8077"
OPEN = "http://a.example"


@pytest.mark.parametrize(
    ("connection", "name", "base_url"),
    [
        (f"weixin://wx01:{SECRET}@", "weixin_default", WECHAT),
        (f"weixin://wx01:{SECRET}@a.example:8443/?name=a", "a", "https://a.example:8443"),
        (f"weixin://http://wx01:{SECRET}@127.0.0.1:8077/?name={quote('春风')}", "春风", SANDBOX),
        (f"weixin://wx01:{SECRET}@{quote(SANDBOX, safe='')}", "weixin_default", SANDBOX),
        (IS_JSON | {"extra": '{"name": "春风"}', "host": ""}, "春风", WECHAT),
        (IS_JSON | {"extra": {"name": None}, "host": SANDBOX}, "weixin_default", SANDBOX),
        (IS_JSON | {"extra": {"name": "a\n\0b"}}, "a b", WECHAT),
        (IS_JSON | {"host": "a/b/", "port": 8443}, "weixin_default", "https://a:8443/b"),
        (IS_JSON | {"host": "http://[::1]:8077"}, "weixin_default", "http://[::1]:8077"),
        (IS_JSON | {"host": OPEN, "extra": {"allow_http": True}}, "weixin_default", OPEN),
    ],
)
def test_a_connection_describes_an_account(
    monkeypatch: pytest.MonkeyPatch, connection: str | dict[str, object], name: str, base_url: str
):
    """As URI and as JSON; the name and the host may be left out, the host's scheme too."""
    assert described(monkeypatch, connection) == Account(
        "weixin_default", "wx01", SECRET, name, base_url
    )


@pytest.mark.parametrize(
    ("extra", "is_platform", "token_url"),
    [
        ({"mode": "platform"}, True, ""),
        ({"mode": "", "token_url": None}, False, ""),
        ({"token_url": f"{SANDBOX}/token"}, False, f"{SANDBOX}/token"),
        ({"token_url": OPEN, "allow_http": True}, False, OPEN),
    ],
)
def test_a_connection_describes_where_tokens_are_from(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], is_platform: bool, token_url: str
):
    """A platform, a token service on this machine or by https; a field left empty is neither."""
    account = described(monkeypatch, IS_JSON | {"extra": extra})

    assert (account.is_platform, account.token_url) == (is_platform, token_url)


def each(field: str, *values: object) -> list[dict[str, object]]:
    """The connection with each of these in a field."""
    return [IS_JSON | {field: value} for value in values]


@pytest.mark.parametrize(
    ("cure", "connections"),
    [
        ("fill in the login", [*each("login", None, "", " "), "weixin", "{}", "[]", "null"]),
        ("fill in the password", each("password", None, "", "\t")),
        ("correct the connection's extra", each("extra", [1], "{bad", "[]", {"name": 7})),
        ("correct the connection's extra", each("extra", {"mode": "Platform"}, {"token_url": 7})),
        ("correct the connection's host", each("host", "a:99999")),
        ("correct the connection's token_url", each("extra", {"token_url": "https://a:b"})),
        ("create the connection weixin_default with", each("login", 7, ["a"], "\ud800")),
        (
            "create the connection weixin_default with type weixin",
            [*each("surprise", 1), json.dumps(IS_JSON)[:-1]],
        ),
        ("use https, or set allow_http", each("host", OPEN, "http://10.0.0.7:80", "HTTP://a.b")),
        ("use https, or set allow_http", each("host", "http://127.0.0.1.evil.example")),
        ("use https, or set allow_http", each("host", "http://127.0.0.1@a", "http://a#@127.0.0.1")),
        ("use https, or set allow_http", each("extra", {"token_url": OPEN, "allow_http": None})),
    ],
)
def test_a_connection_that_cannot_be_used_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch, connections: list[str | dict[str, object]], cure: str
):
    """A configuration error of that account, whatever stands in the variable."""
    for connection in connections:
        with pytest.raises(WeixinError) as caught:
            described(monkeypatch, connection)

        assert str(caught.value).startswith(f"weixin_default: {cure}"), str(connection)[:200]
        assert SECRET not in shown_by_error(caught.value)


def test_the_button_says_whether_a_token_is_given(
    account: Account, monkeypatch: pytest.MonkeyPatch
):
    """Of the connection that is tested."""
    named = connect(monkeypatch, account).test_connection()
    refused = connect(monkeypatch, replace(account, name="", secret="x")).test_connection()
    empty = connect(monkeypatch, replace(account, appid="")).test_connection()

    assert named == (True, "WeChat gave a token for 沙箱公众号 (wx5a4d80c70b1e2f3a)")
    assert refused[1].startswith(
        "weixin_default (wx5a4d80c70b1e2f3a): correct the password in the connection weixin_default"
    )
    assert empty == (
        False,
        "weixin_default: fill in the login (AppID) (the connection has none)",
    )


@pytest.mark.parametrize("trouble", ["ip", "token-call:http-500", "token-call:errcode:45011"])
def test_the_button_asks_wechat_each_time_and_keeps_nobody_waiting(
    sandbox: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch, trouble: str
):
    """A kept token would hide what has changed since; two tries at most, no minute's wait."""
    connect(monkeypatch, account)
    is_good, _ = WeixinHook().test_connection()
    sandbox.scenarios[:] = [Scenario(trouble)]

    is_still_good, _ = WeixinHook().test_connection()

    assert (is_good, is_still_good) == (True, False)
    assert len(sandbox.calls) <= 1 + 2
    assert WHILE_SOMEBODY_WAITS.total_seconds <= 10


def connect(monkeypatch: pytest.MonkeyPatch, account: Account) -> WeixinHook:
    """The hook of a connection to the sandbox."""
    extra = {"name": account.name} if account.name else {}
    fields = {"login": account.appid, "password": account.secret, "host": account.base_url}
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "weixin", "extra": extra, **fields}))
    return WeixinHook(limits=LIMITS)
