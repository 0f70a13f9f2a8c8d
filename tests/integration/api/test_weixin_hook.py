"""The Airflow connection becomes an account, or a sentence that says what it lacks."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from secrecy import shown_by_error
from wire import LIMITS

from weixin_etl.model import Account
from weixin_etl.orchestration.connections.hook import (
    WHILE_SOMEBODY_WAITS,
    WeixinHook,
    tested_conn_id,
)
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


@pytest.mark.parametrize(
    ("connection", "name", "base_url"),
    [
        (f"weixin://wx01:{SECRET}@", "weixin_default", WECHAT),
        (f"weixin://wx01:{SECRET}@/?name={quote('春风')}", "春风", WECHAT),
        (f"weixin://wx01:{SECRET}@a.example:8443/", "weixin_default", "https://a.example:8443"),
        (f"weixin://http://wx01:{SECRET}@127.0.0.1:8077/?name=a", "a", SANDBOX),
        (f"weixin://wx01:{SECRET}@{quote(SANDBOX, safe='')}", "weixin_default", SANDBOX),
        (
            f"weixin://http://wx01:{SECRET}@a.example/?allow_http=true",
            "weixin_default",
            "http://a.example",
        ),
        (IS_JSON, "weixin_default", WECHAT),
        (IS_JSON | {"extra": {"name": "春风"}}, "春风", WECHAT),
        (IS_JSON | {"extra": '{"name": "春风"}', "host": ""}, "春风", WECHAT),
        (IS_JSON | {"extra": {"name": " "}}, "weixin_default", WECHAT),
        (IS_JSON | {"extra": {"name": None}}, "weixin_default", WECHAT),
        (IS_JSON | {"host": SANDBOX}, "weixin_default", SANDBOX),
        (
            IS_JSON | {"host": "a.example/weixin/", "port": 8443},
            "weixin_default",
            "https://a.example:8443/weixin",
        ),
        (IS_JSON | {"host": "http://127.0.0.1/", "port": 8077}, "weixin_default", SANDBOX),
        (IS_JSON | {"host": "http://[::1]:8077"}, "weixin_default", "http://[::1]:8077"),
        (
            IS_JSON | {"host": "http://a.example", "extra": {"allow_http": True}},
            "weixin_default",
            "http://a.example",
        ),
    ],
)
def test_a_connection_describes_an_account(
    monkeypatch: pytest.MonkeyPatch,
    connection: str | dict[str, object],
    name: str,
    base_url: str,
):
    """As URI and as JSON; the name and the host may be left out, the host's scheme too."""
    assert described(monkeypatch, connection) == Account(
        "weixin_default", "wx01", SECRET, name, base_url
    )


@pytest.mark.parametrize(
    ("extra", "is_platform", "token_url"),
    [
        ({"mode": "platform"}, True, ""),
        ({"mode": "", "token_url": ""}, False, ""),
        ({"mode": None, "token_url": None}, False, ""),
        ({"token_url": "https://a.example/token"}, False, "https://a.example/token"),
        ({"token_url": f"{SANDBOX}/token"}, False, f"{SANDBOX}/token"),
        ({"token_url": "http://a.example/", "allow_http": True}, False, "http://a.example/"),
    ],
)
def test_a_connection_describes_where_tokens_are_from(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], is_platform: bool, token_url: str
):
    """A platform, a token service on this machine or by https; a field left empty is neither."""
    account = described(monkeypatch, IS_JSON | {"extra": extra})

    assert (account.is_platform, account.token_url) == (is_platform, token_url)


NOT_BOTH = (
    "leave mode or token_url out of the connection's extra "
    "(a platform's tokens are renewed here, not by a token service)"
)
NO_TOKEN_URL = (
    "correct the connection's token_url or leave it empty (it is not a web address without a query)"
)
NO_LOGIN = "fill in the login (AppID) (the connection has none)"
NO_PASSWORD = "fill in the password (AppSecret) (the connection has none)"
NO_EXTRA = "correct the connection's extra or leave it empty ("
NO_NAME = "correct the connection's name (it holds control characters)"
NO_ADDRESS = (
    "correct the connection's host or leave it empty (it is not a web address without a query)"
)
UNREADABLE = (
    "create weixin_default with type weixin, or correct it (Airflow has no such connection, or "
    "cannot read its JSON or URI)"
)
CONTROLS = "correct the connection's login (AppID) (it holds control characters)"
EVIL = "http://127.0.0.1.evil.example/token"
DEEP = "[" * 10_000 + "]" * 10_000


def each(field: str, *values: object) -> list[dict[str, object]]:
    """The connection with each of these in a field."""
    return [IS_JSON | {field: value} for value in values]


def extra(field: str, *values: object) -> list[dict[str, object]]:
    """The connection with each of these in a field of its extra."""
    return each("extra", *({field: value} for value in values))


def in_the_open(where: str, address: str, extra: dict[str, object]) -> tuple[str, list[Any]]:
    """What is said of an address without TLS that nobody has allowed."""
    happens = "secret and token would travel unencrypted to "
    sentence = f"use https, or set allow_http in the connection's extra ({happens}{address})"
    fields = ({"extra": extra | it} for it in ({}, {"allow_http": False}, {"allow_http": None}))
    return sentence, [IS_JSON | {"host": where} | it for it in fields]


@pytest.mark.parametrize(
    ("sentence", "connections"),
    [
        (NO_LOGIN, each("login", None, "", " ")),
        (NO_LOGIN, ["weixin://api.weixin.qq.com", "weixin", "{}", "[]", "7", "null"]),
        (NO_PASSWORD, each("password", None, "", "\t")),
        (NO_PASSWORD, [IS_JSON | {"password": "", "extra": {"mode": "platform"}}]),
        (CONTROLS, each("login", "wx01\n", "wx\0")),
        (NO_EXTRA, each("extra", [1], 7, "{bad", " ", "[]", "null", '"{}"')),
        (NO_EXTRA, [f"weixin://wx01:{SECRET}@/?__extra__={extra}" for extra in ("bad", "[1]")]),
        (NO_EXTRA, extra("name", 7, 0, True, [], {"a": 1})),
        (NO_NAME, extra("name", "a\nb", "a\0")),
        (NO_EXTRA, extra("mode", "Platform", "component", " ", 1)),
        (NO_EXTRA, extra("token_url", 7, ["https://a"])),
        (NOT_BOTH, each("extra", {"mode": "platform", "token_url": "https://a.example/token"})),
        (NO_TOKEN_URL, extra("token_url", "a.example/token", "ftp://a.example", "https://")),
        (NO_TOKEN_URL, extra("token_url", "https://a.example/?b=c", "https://user@a.example")),
        (NO_TOKEN_URL, extra("token_url", "https://a.example\n", " ")),
        (NO_ADDRESS, [IS_JSON | {"host": "a.example", "port": port} for port in (-1, 70_000)]),
        (NO_ADDRESS, each("host", " ", "::1", "a..b", "x" * 300, "a\n.example", "http://[")),
        (NO_ADDRESS, each("host", "a.example:80:90", "a.example:99999", "ftp://127.0.0.1")),
        (NO_ADDRESS, each("host", "http://a b", "https://proxy.example/?a=b")),
        (NO_ADDRESS, each("host", *(f"http://evil.example{it}@127.0.0.1" for it in ("\\", "#")))),
        (NO_ADDRESS, each("host", "http://127.0.0.1@evil.example")),
        *((UNREADABLE, each(it, 7, True, ["a"], {"a": 1})) for it in ("login", "password", "host")),
        (UNREADABLE, each("port", "x", [1], {"a": 1})),
        (UNREADABLE, [*each("surprise", 1), *each("conn_type", 7), *each("login", "\ud800")]),
        (UNREADABLE, [*each("extra", DEEP), json.dumps(IS_JSON)[:-1]]),
        (
            UNREADABLE,
            [f"weixin://wx01:{SECRET}@{it}" for it in ("h:x/", "h:99999/", "[::1", "a://b://c")],
        ),
        *(
            in_the_open(host, host, {})
            for host in (
                *("http://api.weixin.qq.com", "http://10.0.0.7:80", "HTTP://a.b"),
                "http://127.0.0.1.evil.example",
            )
        ),
        in_the_open("", EVIL, {"token_url": EVIL}),
    ],
)
def test_a_connection_that_cannot_be_used_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch, connections: list[str | dict[str, object]], sentence: str
):
    """A configuration error of that account, whatever stands in the variable."""
    for connection in connections:
        with pytest.raises(WeixinError) as caught:
            described(monkeypatch, connection)

        assert str(caught.value).startswith(f"weixin_default: {sentence}"), str(connection)[:200]
        assert SECRET not in shown_by_error(caught.value)


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the API server does for the button: the hook gets a random id, this is the real one."""
    token = tested_conn_id.set("weixin_spring")
    yield "weixin_spring"
    tested_conn_id.reset(token)


def test_the_button_speaks_of_the_connection_it_belongs_to(
    account: Account, tested: str, monkeypatch: pytest.MonkeyPatch
):
    """With a name and without."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{tested.upper()}", json.dumps(IS_JSON))
    named = connect(monkeypatch, account).test_connection()
    bare = connect(monkeypatch, replace(account, name="")).test_connection()
    refused = connect(monkeypatch, replace(account, name="", secret="x")).test_connection()
    empty = connect(monkeypatch, replace(account, appid="")).test_connection()

    assert named == (True, "WeChat gave a token for 沙箱公众号 (wx5a4d80c70b1e2f3a)")
    assert bare == (True, "WeChat gave a token for weixin_spring (wx5a4d80c70b1e2f3a)")
    assert refused[1].startswith(
        "weixin_spring (wx5a4d80c70b1e2f3a): correct the password in the connection weixin_spring "
    )
    assert empty == (
        False,
        "weixin_spring: fill in the login (AppID) (the connection has none)",
    )


def test_the_button_asks_wechat_each_time(
    sandbox: Sandbox, account: Account, tested: str, monkeypatch: pytest.MonkeyPatch
):
    """A token that the API server keeps would hide what has changed since."""
    hook = connect(monkeypatch, account)
    first = hook.test_connection()
    sandbox.scenarios[:] = [Scenario("ip")]

    second = hook.test_connection()

    assert (first[0], second[0]) == (True, False)


@pytest.mark.parametrize("trouble", ["http-500", "minute-quota"])
def test_the_button_does_not_keep_a_person_waiting(
    sandbox: Sandbox, account: Account, tested: str, monkeypatch: pytest.MonkeyPatch, trouble: str
):
    """Two tries, and no minute's wait between them, however patient runs are."""
    connect(monkeypatch, account)
    sandbox.scenarios[:] = [Scenario(f"token-call:{trouble}")]

    is_good, _ = WeixinHook().test_connection()

    assert not is_good
    assert len(sandbox.calls) == 2
    assert WHILE_SOMEBODY_WAITS.total_seconds <= 10


def connect(monkeypatch: pytest.MonkeyPatch, account: Account) -> WeixinHook:
    """The hook of a connection to the sandbox."""
    extra = {"name": account.name} if account.name else {}
    fields = {"login": account.appid, "password": account.secret, "host": account.base_url}
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "weixin", "extra": extra, **fields}))
    return WeixinHook(limits=LIMITS)


@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"mode": "platform"}},
        {"extra": {"token_url": "https://a.example/token"}, "login": ""},
    ],
)
def test_a_connection_that_stands_for_many_has_no_figures(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
):
    """A platform's, and a token service's without a login."""
    monkeypatch.setenv(VARIABLE, json.dumps(IS_JSON | fields))
    assert WeixinHook().account().stands_for_many
    with pytest.raises(WeixinError, match="it stands for several accounts"):
        WeixinHook().get_conn()
