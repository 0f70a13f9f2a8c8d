"""Tests of malformed answers to an open platform's own calls."""

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
    """Return a platform whose every call gets this answer."""
    wire.on_data = says(json.dumps(answer).encode())
    return Component(wire.account, LIMITS)


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ({"nick_name": None}, ""),
        ({"nick_name": "a\0b\nc\u202ed \u2028 春风👨‍👩‍👧"}, "ab cd 春风👨‍👩‍👧"),
    ],
)
def test_an_account_name_is_cleaned_to_one_line(
    wire: Wire, called: dict[str, Any], name: str
) -> None:
    """The account's owner chooses the name, and logs contain it. The refresh token is kept."""
    platform = answers(wire, authorizer_info=called, **NEWEST)

    found, refresh_token = platform.account_info("t", wire.account)

    assert (found.name, refresh_token) == (name, "newest")


ODD = [
    *({"auth_time": -1}, {"refresh_token": "a\0b"}, {"authorizer_appid": "somebody"}),
    *({"authorizer_access_token": text} for text in ("", "a b", "a\n", "\ud800")),
    *({"expires_in": 1e300}, {"expires_in": -1}, {"authorizer_refresh_token": "\ud800"}),
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_malformed_list_or_token_is_an_error(wire: Wire, odd: dict[str, Any]) -> None:
    """Otherwise a new account could be missing without notice."""
    second = FINE | {"authorizer_appid": "wx2"} | odd
    platform = answers(wire, total_count=2, list=[FINE, second], **(TOKEN | odd))
    ask = partial(platform.renew_token, "component", wire.account, "refresh")
    if {*odd} <= {*FINE}:
        ask = partial(platform.list_authorizations, "token")

    with pytest.raises(WeixinError) as refused:
        ask()

    assert refused.value.kind is ProblemKind.UNREACHABLE
