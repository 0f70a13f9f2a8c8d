"""Tests of access tokens from WeChat or from a company's token service."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.secrecy import shown_by_error
from support.wire import (
    DATASET,
    DAY,
    LIMITS,
    SECRET,
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

from weixin_etl.api import token as token_module
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.token import Token, TokenCache, list_service_accounts
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError


@pytest.mark.parametrize(
    ("good_for", "seconds", "token"),
    [(7200, 6899, "t1"), (7200, 6900, "t2"), (200, 99, "t1"), (200, 100, "t2")],
)
def test_a_token_is_renewed_five_minutes_before_its_end(
    good_for: float, seconds: float, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that WeChat gives in its last minutes is used for half of the remaining time."""
    given, now = itertools.count(1), [0.0]
    monkeypatch.setattr(token_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    keeper = TokenCache(lambda _: Token(f"t{next(given)}", good_for))
    keeper.token()
    now[0] = seconds

    assert keeper.token() == token


def test_a_refused_token_is_replaced_once_for_all_threads(wire: Wire) -> None:
    """All four calls with the old token succeed. A refused new token is an error."""
    all_are_sent = threading.Barrier(4, timeout=20)

    def answer(handler: Handler) -> None:
        if handler.asked.token == "old":
            all_are_sent.wait()
        (refuses(40001) if handler.asked.token == "old" else says(b"{}"))(handler)

    wire.on_token = in_turn(gives_token("old"), gives_token("new"), gives_token("newest"))
    wire.on_data = answer
    client = WeixinClient(wire.account, LIMITS)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: client.datacube(DATASET, DAY), range(4)))
    assert [answered(outcome).calls for outcome in outcomes] == [2, 2, 2, 2]
    assert len(wire.token_calls) == 2

    wire.on_data = refuses(40001)
    failure = refused(client.datacube(DATASET, DAY))
    assert (failure.error.kind, failure.calls) == (ProblemKind.TOKEN_REFUSED, 2)
    assert [call.token for call in wire.data_calls[-2:]] == ["new", "newest"]


# -------------------------------------------------------------------------------- a token service


@pytest.fixture
def service(wire: Wire) -> Account:
    """Return a connection without a login, which stands for all accounts of a token service."""
    url = f"{wire.account.base_url}/tokens"
    return replace(wire.account, appid="", name="company", token_url=url)


@pytest.mark.parametrize("is_renewed", [False, True])
def test_a_service_gives_the_tokens_of_its_accounts(
    wire: Wire, service: Account, is_renewed: bool
) -> None:
    """
    The service gives one list of accounts and one token for each; WeChat gives only the figures.

    After WeChat refused a token, the service is asked once more: it may have a new token.
    """
    listed = says(b'[{"appid": "wx1", "name": "n"}]')
    new = gives_token("new" if is_renewed else "old")
    answers = [refuses(40001), new, says(b"{}")]
    wire.on_data = in_turn(listed, gives_token("old"), *answers)
    (account,) = list_service_accounts(service, LIMITS)
    client = WeixinClient(account, LIMITS)
    client.check_token()

    outcome = client.datacube(DATASET, DAY)

    assert (account.conn_id, account.name) == ("weixin_wire/wx1", "n")
    paths = ["/tokens", "/tokens", DATASET.path, "/tokens", DATASET.path]
    assert [call.path for call in wire.asked] == paths[: 4 + is_renewed]
    assert {call.headers.get("Authorization") for call in wire.asked if call.path == "/tokens"} == {
        f"Bearer {SECRET}"
    }
    assert is_renewed or refused(outcome).error.kind is ProblemKind.TOKEN_REFUSED
    assert not is_renewed or answered(outcome).calls == 2


GOOD = b'{"access_token":"it","expires_in":7200}'


@pytest.mark.parametrize(
    "reply",
    [
        says(b"{}"),
        says(b"", 500),
        *(says(GOOD, status) for status in (201, 401, 404, 429)),
        says(GOOD, 302, b"Location: /"),
        refuses(40164),
        says(b" " * (LIMITS.max_answer_bytes + 1)),
        *map(says, (b'{"errcode":', b"[1]", b'[{"name": "n"}]', b'[{"appid": "gh_1"}]')),
        says(b'[{"appid": "wx1\n"}]'),
    ],
)
def test_an_unusable_answer_of_the_service_is_a_problem_of_the_service(
    wire: Wire, service: Account, reply: Reply
) -> None:
    """
    WeChat is not asked, and the error names the connection without the secret.

    An unusable list does not count as an empty one, which would end the collection of all accounts.
    """
    wire.on_data = reply

    for ask in (
        WeixinClient(replace(service, appid="wx1"), LIMITS).check_token,
        lambda: list_service_accounts(service, LIMITS),
    ):
        with pytest.raises(WeixinError) as caught:
            ask()
        assert caught.value.kind is ProblemKind.TOKEN_SERVICE
        assert "weixin_wire" in str(caught.value)
        assert SECRET not in shown_by_error(caught.value)
    assert {call.path for call in wire.asked} == {"/tokens"}
