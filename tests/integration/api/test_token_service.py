"""A company's token service: asked instead of WeChat, and never led to ask WeChat itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from secrecy import shown_by_error
from wire import LIMITS, Reply, Wire, refuses, says

from weixin_etl.api import token_service
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

DAY = date(2026, 11, 23)
BEARER = "b3arer-of-the-service"
SERVICE = "/token-service"


@pytest.fixture
def sandbox() -> Sandbox:
    """A WeChat, and beside it a service that knows who may ask."""
    return Sandbox(token_service_bearer=BEARER, today=date(2026, 11, 24))


@pytest.fixture
def make(sandbox_url: str) -> Callable[..., WeixinClient]:
    """A client whose connection names the service."""

    def client(appid: str = DEFAULT_ACCOUNT.appid, secret: str = BEARER) -> WeixinClient:
        url = f"{sandbox_url}{SERVICE}"
        return WeixinClient(
            Account("spring", appid, secret, "春风", sandbox_url, token_url=url), LIMITS
        )

    return client


def test_its_token_is_used_and_asked_for_once(
    sandbox: Sandbox, make: Callable[..., WeixinClient], asked: Callable[[str], int]
) -> None:
    """By GET with the AppID; WeChat is asked for figures only."""
    client = make()
    client.check_token()
    assert isinstance(client.datacube(ARTICLE_TOTAL, DAY), Answer)
    assert [call.path for call in sandbox.calls] == [SERVICE, ARTICLE_TOTAL.path]
    assert sandbox.calls[0].appid == DEFAULT_ACCOUNT.appid


def test_a_refused_token_is_asked_for_once_more(
    sandbox: Sandbox, make: Callable[..., WeixinClient], asked: Callable[[str], int]
) -> None:
    """The service may have renewed it meanwhile."""
    client = make()
    client.check_token()
    sandbox.expire_tokens()
    assert isinstance(client.datacube(ARTICLE_TOTAL, DAY), Answer)
    assert asked(SERVICE) == 2


@pytest.mark.parametrize("gives_another", [False, True])
def test_a_service_with_stale_tokens_is_named(
    sandbox: Sandbox,
    make: Callable[..., WeixinClient],
    asked: Callable[[str], int],
    gives_another: bool,
) -> None:
    """Whether it gives the same one again or another one that WeChat refuses as well."""
    client, stale = make(), sandbox.tokens.stable(DEFAULT_ACCOUNT.appid)
    client.check_token()
    sandbox.expire_tokens()
    if gives_another:
        sandbox.scenarios.append(Scenario("token-expired"))
    else:
        sandbox.service_token = lambda _appid: stale
    came = client.datacube(ARTICLE_TOTAL, DAY)
    assert isinstance(came, Refusal)
    assert came.error.kind is ProblemKind.TOKEN_REFUSED
    assert asked(SERVICE) == 2
    assert not [call for call in sandbox.calls if call.path.startswith("/cgi-bin")]


@pytest.mark.parametrize(
    ("changed", "cure"),
    [
        ({"secret": "another"}, "correct the password in the connection spring"),
        ({"secret": ""}, "correct the password in the connection spring"),
        ({"appid": "wx00000000unknown1"}, "correct login or token_url in the connection spring"),
    ],
)
def test_its_refusal_says_what_to_change(
    make: Callable[..., WeixinClient], changed: dict[str, str], cure: str
) -> None:
    """The password, or the account."""
    with pytest.raises(WeixinError) as refused:
        make(**changed).check_token()
    assert cure in str(refused.value)
    assert BEARER not in shown_by_error(refused.value)


@pytest.fixture
def service(sandbox_url: str) -> Account:
    """A connection without a login: it stands for all accounts of the service."""
    url = f"{sandbox_url}{SERVICE}"
    return Account("company", "", BEARER, "company", sandbox_url, token_url=url)


def test_a_connection_without_a_login_stands_for_all_its_accounts(
    sandbox: Sandbox, service: Account
) -> None:
    """`GET` without an AppID lists them; each gets its token from the same service."""
    (account,) = token_service.accounts(service, LIMITS)

    assert (account.conn_id, account.name) == (
        f"company/{DEFAULT_ACCOUNT.appid}",
        DEFAULT_ACCOUNT.name,
    )
    assert isinstance(WeixinClient(account, LIMITS).datacube(ARTICLE_TOTAL, DAY), Answer)
    assert [(call.path, call.appid) for call in sandbox.calls[:2]] == [
        (SERVICE, None),
        (SERVICE, DEFAULT_ACCOUNT.appid),
    ]


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b'[{"name": "n"}]', b'[{"appid": "gh_1"}]', b'[{"appid": "wx1\n"}]']
)
def test_a_list_that_is_none_is_no_empty_one(wire: Wire, body: bytes) -> None:
    """Else all of its accounts would be collected no longer."""
    wire.on_data = says(body)
    url = f"{wire.account.base_url}/tokens"
    with pytest.raises(WeixinError, match="list of accounts with appid and name"):
        token_service.accounts(replace(wire.account, appid="", token_url=url), LIMITS)


USELESS = b'{"access_token": "it", "expires_in": 7200}'


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (says(USELESS, 302, b"Location: /"), "correct login or token_url in the connection spring"),
        (says(USELESS, 410), "correct login or token_url in the connection spring"),
        (says(USELESS, 429), "wait; if it persists, look at the token service"),
        (says(b"", 500), "wait; if it persists, look at the token service"),
        (says(USELESS, 201), "wait; if it persists, look at the token service"),
        (refuses(40164, "no"), "HTTP 200 without access_token and expires_in, but errcode 40164"),
        (says(b"<html>"), "HTTP 200 without access_token and expires_in"),
        (says(b'{"access_token": "", "expires_in": 7200}'), "HTTP 200 without access_token"),
        (says(b" " * (LIMITS.max_answer_bytes + 1)), "the answer is larger than 16777216 bytes"),
    ],
)
def test_an_answer_without_a_usable_token_says_what_came(
    wire: Wire, reply: Reply, said: str
) -> None:
    """The service or its address is what somebody has to look at, never WeChat."""
    wire.on_data = reply
    url = f"{wire.account.base_url}/tokens"
    account = Account("spring", "wx1", BEARER, "春风", wire.account.base_url, token_url=url)
    with pytest.raises(WeixinError) as told:
        WeixinClient(account, LIMITS).check_token()
    assert said in str(told.value)
    assert "token service" in told.value.problem.cause
    assert BEARER not in shown_by_error(told.value)
    assert {call.path for call in wire.asked} == {"/tokens"}
