"""Odd answers to a platform's own calls: what is usable is used, and nothing else comes through."""

import json
from typing import Any

import pytest
from wire import LIMITS, Wire, says

from weixin_etl.api.component import Component
from weixin_etl.problem import WeixinError

FINE = {"authorizer_appid": "wx1", "refresh_token": "refresh", "auth_time": 1_700_000_000}


def answers(wire: Wire, **answer: Any) -> Component:
    """A platform whose every call is answered so."""
    wire.on_data = says(json.dumps(answer).encode())
    return Component(wire.account, LIMITS)


@pytest.mark.parametrize(
    "odd", [{"auth_time": -1}, {"refresh_token": "a\0b"}, {"authorizer_appid": "somebody"}], ids=str
)
def test_a_list_with_an_odd_entry_is_none(wire: Wire, odd: dict[str, Any]) -> None:
    """Else an account would be missing that nobody has seen."""
    platform = answers(wire, total_count=2, list=[FINE, FINE | {"authorizer_appid": "wx2"} | odd])

    with pytest.raises(
        WeixinError, match="api_get_authorizer_list was answered in an unknown form"
    ):
        platform.authorizations("token")


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ({"authorizer_info": {"nick_name": None}}, ""),
        ({}, ""),
        (
            {"authorizer_info": {"nick_name": "a\0b\nc\u202ed \u2028 春风👨‍👩‍👧"}},
            "ab cd 春风👨‍👩‍👧",
        ),
    ],
)
def test_an_odd_name_is_a_name_in_one_line(wire: Wire, info: dict[str, Any], name: str) -> None:
    """Its owner chooses it, and it is written into logs; the refresh token is what is needed."""
    platform = answers(wire, **info, authorization_info={"authorizer_refresh_token": "newest"})
    found, refresh_token = platform.info("token", wire.account)
    assert (found.name, refresh_token) == (name, "newest")


@pytest.mark.parametrize(
    "odd",
    [
        {"authorizer_access_token": ""},
        {"authorizer_access_token": "a b"},
        {"authorizer_access_token": "a\n"},
        {"authorizer_access_token": "\ud800"},
        {"expires_in": 1e300},
        {"expires_in": -1},
        {"authorizer_refresh_token": "\ud800"},
    ],
    ids=str,
)
def test_a_token_that_cannot_be_one_is_none(wire: Wire, odd: dict[str, Any]) -> None:
    """It is neither kept nor used; the sentence names the call."""
    fine = {"authorizer_access_token": "token", "expires_in": 7200}
    platform = answers(wire, **fine | odd)
    with pytest.raises(WeixinError, match="api_authorizer_token was answered in an unknown"):
        platform.renewed("component", wire.account, "refresh")
