"""Odd answers to a platform's own calls: what is usable is used, and nothing else comes through."""

import json
from functools import partial
from typing import Any

import pytest
from support.wire import LIMITS, Wire, says

from weixin_etl.api.component import Component
from weixin_etl.problem import ProblemKind, WeixinError

FINE = {"authorizer_appid": "wx1", "refresh_token": "refresh", "auth_time": 1_700_000_000}
TOKEN = {"authorizer_access_token": "token", "expires_in": 7200}
NEWEST = {"authorization_info": {"authorizer_refresh_token": "newest"}}


def answers(wire: Wire, **answer: Any) -> Component:
    """A platform whose every call is answered so."""
    wire.on_data = says(json.dumps(answer).encode())
    return Component(wire.account, LIMITS)


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ({"nick_name": None}, ""),
        ({"nick_name": "a\0b\nc\u202ed \u2028 春风👨‍👩‍👧"}, "ab cd 春风👨‍👩‍👧"),
    ],
)
def test_an_odd_name_is_a_name_in_one_line(wire: Wire, called: dict[str, Any], name: str) -> None:
    """Its owner chooses it, and it is written into logs; the refresh token is what is needed."""
    platform = answers(wire, authorizer_info=called, **NEWEST)

    found, refresh_token = platform.account_info("t", wire.account)

    assert (found.name, refresh_token) == (name, "newest")


ODD = [
    *({"auth_time": -1}, {"refresh_token": "a\0b"}, {"authorizer_appid": "somebody"}),
    *({"authorizer_access_token": it} for it in ("", "a b", "a\n", "\ud800")),
    *({"expires_in": 1e300}, {"expires_in": -1}, {"authorizer_refresh_token": "\ud800"}),
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_odd_list_is_none_and_an_odd_token_too(wire: Wire, odd: dict[str, Any]) -> None:
    """Else an account would be missing that nobody has seen."""
    second = FINE | {"authorizer_appid": "wx2"} | odd
    platform = answers(wire, total_count=2, list=[FINE, second], **(TOKEN | odd))
    ask = partial(platform.renew_token, "component", wire.account, "refresh")
    if {*odd} <= {*FINE}:
        ask = partial(platform.list_authorizations, "token")

    with pytest.raises(WeixinError) as refused:
        ask()

    assert refused.value.kind is ProblemKind.UNREACHABLE
