"""An access token: WeChat's or a company's token service's; kept in memory, renewed in time."""

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

from weixin_etl.api import token as the_module
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
    """One that WeChat gives in its last minutes is used for half of them, not once."""
    given, now = itertools.count(1), [0.0]
    monkeypatch.setattr(the_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    keeper = TokenCache(lambda _: Token(f"t{next(given)}", good_for))
    keeper.token()
    now[0] = seconds

    assert keeper.token() == token


def test_a_refused_token_is_replaced_once_for_all_threads(wire: Wire) -> None:
    """All four calls with the old one succeed; a new one that is refused as well is told."""
    all_are_sent = threading.Barrier(4, timeout=20)

    def answer(handler: Handler) -> None:
        if handler.asked.token == "old":
            all_are_sent.wait()
        (refuses(40001) if handler.asked.token == "old" else says(b"{}"))(handler)

    wire.on_token = in_turn(gives_token("old"), gives_token("new"), gives_token("newest"))
    wire.on_data = answer
    client = WeixinClient(wire.account, LIMITS)

    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda _: client.datacube(DATASET, DAY), range(4)))
    assert [answered(it).calls for it in came] == [2, 2, 2, 2]
    assert len(wire.token_calls) == 2

    wire.on_data = refuses(40001)
    vain = refused(client.datacube(DATASET, DAY))
    assert (vain.error.kind, vain.calls) == (ProblemKind.TOKEN_REFUSED, 2)
    assert [call.token for call in wire.data_calls[-2:]] == ["new", "newest"]


# -------------------------------------------------------------------------------- a token service


@pytest.fixture
def service(wire: Wire) -> Account:
    """A connection without a login: it stands for all accounts of a service beside WeChat."""
    url = f"{wire.account.base_url}/tokens"
    return replace(wire.account, appid="", name="company", token_url=url)


@pytest.mark.parametrize("is_renewed", [False, True])
def test_a_service_gives_the_tokens_of_its_accounts(
    wire: Wire, service: Account, is_renewed: bool
) -> None:
    """
    One list, one token for each, by the connection's password; WeChat is asked for figures only.

    For a refused token it is asked once more: it may have renewed it meanwhile.
    """
    listed = says(b'[{"appid": "wx1", "name": "n"}]')
    new = gives_token("new" if is_renewed else "old")
    answers = [refuses(40001), new, says(b"{}")]
    wire.on_data = in_turn(listed, gives_token("old"), *answers)
    (account,) = list_service_accounts(service, LIMITS)
    client = WeixinClient(account, LIMITS)
    client.check_token()

    came = client.datacube(DATASET, DAY)

    assert (account.conn_id, account.name) == ("weixin_wire/wx1", "n")
    paths = ["/tokens", "/tokens", DATASET.path, "/tokens", DATASET.path]
    assert [it.path for it in wire.asked] == paths[: 4 + is_renewed]
    assert {it.headers.get("Authorization") for it in wire.asked if it.path == "/tokens"} == {
        f"Bearer {SECRET}"
    }
    assert is_renewed or refused(came).error.kind is ProblemKind.TOKEN_REFUSED
    assert not is_renewed or answered(came).calls == 2


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
def test_an_answer_that_is_none_is_the_services(wire: Wire, service: Account, reply: Reply) -> None:
    """
    It, or the connection, is what somebody has to look at; WeChat is not asked, nobody told.

    A list that is none is not an empty one: all of its accounts would be collected no longer.
    """
    wire.on_data = reply

    for ask in (
        WeixinClient(replace(service, appid="wx1"), LIMITS).check_token,
        lambda: list_service_accounts(service, LIMITS),
    ):
        with pytest.raises(WeixinError) as told:
            ask()
        assert told.value.kind is ProblemKind.TOKEN_SERVICE
        assert "weixin_wire" in str(told.value)
        assert SECRET not in shown_by_error(told.value)
    assert {call.path for call in wire.asked} == {"/tokens"}
