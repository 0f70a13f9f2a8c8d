"""An access token: WeChat's or a company's token service's; kept in memory, renewed in time."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from secrecy import shown_by_error
from wire import (
    DATASET,
    DAY,
    LIMITS,
    TOKEN_PATH,
    Handler,
    Reply,
    Wire,
    answered,
    gives_token,
    in_turn,
    refused,
    refuses,
    says,
)

from weixin_etl.api import token as the_module
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.token import Token, TokenKeeper, listed_accounts
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

# ------------------------------------------------------------------------------- kept and renewed


def test_a_token_is_asked_for_once_for_many_threads() -> None:
    """While one asks, the others wait for its token."""
    given = itertools.count(1)
    together = threading.Barrier(2)

    def ask(_: str) -> Token:
        with pytest.raises(threading.BrokenBarrierError):
            together.wait(0.2)
        return Token(f"t{next(given)}", 7200)

    keeper = TokenKeeper(ask)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: keeper.token(), range(8))) == ["t1"] * 8


@pytest.mark.parametrize(
    ("good_for", "seconds", "token"),
    [
        (7200, 6899, "t1"),
        (7200, 6900, "t2"),
        (200, 99, "t1"),
        (200, 100, "t2"),
    ],
)
def test_a_token_is_renewed_five_minutes_before_its_end(
    good_for: float, seconds: float, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that WeChat gives in its last minutes is used for half of them, not once."""
    given, now = itertools.count(1), [0.0]
    monkeypatch.setattr(the_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    keeper = TokenKeeper(lambda _: Token(f"t{next(given)}", good_for))
    keeper.token()
    now[0] = seconds

    assert keeper.token() == token


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_replaced_once(wire: Wire, errcode: int) -> None:
    """Every code for one means the same on a data call; the new token stays in use."""
    wire.on_token = in_turn(gives_token("first"), gives_token("second"))
    wire.on_data = in_turn(refuses(errcode), says(b"{}"), says(b"{}"), refuses(errcode))
    client = WeixinClient(wire.account, LIMITS)

    came = [client.datacube(DATASET, DAY) for _ in range(3)]

    assert [it.calls for it in came] == [2, 1, 1]
    assert refused(came[2]).error.kind is ProblemKind.TOKEN_REFUSED
    assert [call.token for call in wire.data_calls] == ["first", *["second"] * 3]
    assert len(wire.token_calls) == 3


def test_calls_in_flight_survive_another_process_replacing_the_token(wire: Wire) -> None:
    """Four are sent with the old one before it is replaced; all four succeed with one new one."""
    all_are_sent = threading.Barrier(4, timeout=20)

    def answer(handler: Handler) -> None:
        if handler.asked.token == "old":
            all_are_sent.wait()
        (refuses(40001) if handler.asked.token == "old" else says(b"{}"))(handler)

    wire.on_token = in_turn(gives_token("old"), gives_token("new"))
    wire.on_data = answer
    client = WeixinClient(wire.account, LIMITS)

    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda _: client.datacube(DATASET, DAY), range(4)))

    assert [answered(it).calls for it in came] == [2, 2, 2, 2]
    assert len(wire.token_calls) == 2


def test_an_account_refused_while_its_token_is_renewed_says_why(
    sandbox: Sandbox, client: WeixinClient
) -> None:
    """The token call's own refusal is told, not that of the token; the next call asks again."""
    client.check_token()
    sandbox.expire_tokens()
    sandbox.scenarios[:] = [Scenario("token-call:errcode:40243")]

    refusal = refused(client.datacube(DATASET, DAY))

    assert (refusal.error.kind, refusal.calls) == (ProblemKind.CONFIGURATION, 1)
    assert refusal.error.problem.errcode == 40243
    sandbox.scenarios.clear()
    assert answered(client.datacube(DATASET, DAY))


GOOD = b'{"access_token":"it","expires_in":7200}'
NO_TOKEN = [
    says(b'{"expires_in":7200}'),
    says(b'{"access_token":"t"}'),
    says(b'{"access_token":"","expires_in":7200}'),
    says(b'{"access_token":7,"expires_in":7200}'),
    says(b'{"access_token":"\xff","expires_in":7200}'),
    says(b'{"access_token":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    says(b"{}"),
]


@pytest.mark.parametrize("reply", NO_TOKEN)
def test_an_answer_without_a_token_is_no_token(wire: Wire, reply: Reply) -> None:
    """It ends the call before any data call, as trouble that may go by itself."""
    wire.on_token = reply

    error = refused(WeixinClient(wire.account, LIMITS).datacube(DATASET, DAY)).error

    assert error.kind is ProblemKind.UNREACHABLE
    assert wire.data_calls == []


# -------------------------------------------------------------------------------- a token service

BEARER = "b3arer-of-the-service"
SERVICE = "/token-service"


@pytest.fixture
def service(sandbox: Sandbox, sandbox_url: str) -> Account:
    """A connection without a login: it stands for all accounts of a service beside WeChat."""
    sandbox.token_service_bearer = BEARER
    url = f"{sandbox_url}{SERVICE}"
    return Account("company", "", BEARER, "company", sandbox_url, token_url=url)


@pytest.fixture
def spring(service: Account) -> WeixinClient:
    """The client of one of its accounts, with a token."""
    client = WeixinClient(replace(service, appid=DEFAULT_ACCOUNT.appid), LIMITS)
    client.check_token()
    return client


def paths(sandbox: Sandbox) -> list[tuple[str, str | None]]:
    """What was asked, for whom."""
    return [(call.path, call.appid) for call in sandbox.calls]


def test_a_connection_without_a_login_stands_for_all_accounts_of_its_service(
    sandbox: Sandbox, service: Account
) -> None:
    """One list, one token for each by GET with the AppID; WeChat is asked for figures only."""
    (account,) = listed_accounts(service, LIMITS)
    client = WeixinClient(account, LIMITS)
    client.check_token()

    assert answered(client.datacube(DATASET, DAY))
    appid = DEFAULT_ACCOUNT.appid
    assert (account.conn_id, account.name) == (f"company/{appid}", DEFAULT_ACCOUNT.name)
    assert paths(sandbox) == [(SERVICE, None), (SERVICE, appid), (DATASET.path, appid)]


@pytest.mark.parametrize("is_stale", [False, True])
def test_a_service_is_asked_once_more_for_a_refused_token(
    sandbox: Sandbox, spring: WeixinClient, is_stale: bool
) -> None:
    """It may have renewed it meanwhile; if not, that is told, and WeChat is not asked for one."""
    stale = sandbox.tokens.stable(DEFAULT_ACCOUNT.appid)
    sandbox.expire_tokens()
    if is_stale:
        sandbox.service_token = lambda _appid: stale

    came = spring.datacube(DATASET, DAY)

    assert (answered(came) if not is_stale else refused(came)).calls == 2 - is_stale
    assert not is_stale or refused(came).error.kind is ProblemKind.TOKEN_REFUSED
    assert [path for path, _ in paths(sandbox)].count(SERVICE) == 2
    assert TOKEN_PATH not in dict(paths(sandbox))


@pytest.mark.parametrize(
    "reply",
    [
        *NO_TOKEN,
        says(b"", 500),
        *(says(GOOD, status) for status in (201, 401, 404, 429)),
        says(GOOD, 302, b"Location: /"),
        refuses(40164),
        says(b" " * (LIMITS.max_answer_bytes + 1)),
    ],
)
def test_an_answer_without_a_usable_token_is_the_services(wire: Wire, reply: Reply) -> None:
    """It, or the connection, is what somebody has to look at; WeChat is not asked, nobody told."""
    wire.on_data = reply
    url = f"{wire.account.base_url}/tokens"

    with pytest.raises(WeixinError) as told:
        WeixinClient(replace(wire.account, secret=BEARER, token_url=url), LIMITS).check_token()

    assert told.value.kind is ProblemKind.TOKEN_SERVICE
    assert "login, password and token_url of the connection weixin_wire" in str(told.value)
    assert BEARER not in shown_by_error(told.value)
    assert {call.path for call in wire.asked} == {"/tokens"}


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b'[{"name": "n"}]', b'[{"appid": "gh_1"}]', b'[{"appid": "wx1\n"}]']
)
def test_a_list_that_is_none_is_no_empty_one(wire: Wire, body: bytes) -> None:
    """Else all of its accounts would be collected no longer."""
    wire.on_data = says(body)
    url = f"{wire.account.base_url}/tokens"
    with pytest.raises(WeixinError, match="without a list of accounts"):
        listed_accounts(replace(wire.account, appid="", token_url=url), LIMITS)
