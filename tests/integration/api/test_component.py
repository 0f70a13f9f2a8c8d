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
    "odd",
    [
        {"auth_time": 1_700_000_000_000},
        {"auth_time": 1e18},
        {"auth_time": -1},
        {"auth_time": "yesterday"},
        {"authorizer_appid": "wx\0"},
        {"authorizer_appid": "wx1\n"},
        {"authorizer_appid": "wx\ud800"},
        {"authorizer_appid": "somebody"},
        {"authorizer_appid": None},
        {"refresh_token": "a\u0000b"},
        {"refresh_token": "\ud800"},
        {"refresh_token": 1},
    ],
    ids=str,
)
def test_an_odd_entry_hides_no_other(
    wire: Wire, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, so that the list is not taken for a whole one."""
    platform = answers(wire, total_count=2, list=[FINE | odd, FINE])
    page = platform.authorizations("token", 0)
    assert (page.total, page.entries) == (2, 2)
    assert [it.authorizer_appid for it in page.authorizations] == ["wx1"]
    assert "its list has 1 unreadable item" in caplog.text


@pytest.mark.parametrize("token", [{"refresh_token": None}, {"refresh_token": ""}, {}], ids=str)
def test_an_account_without_a_refresh_token_is_listed(wire: Wire, token: dict[str, Any]) -> None:
    """WeChat says the one in force when it is asked of the account."""
    entry = {name: value for name, value in FINE.items() if name != "refresh_token"} | token
    page = answers(wire, total_count=1, list=[entry]).authorizations("token", 0)
    assert [(it.authorizer_appid, it.refresh_token or "") for it in page.authorizations] == [
        ("wx1", "")
    ]


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
    found = platform.info("token", wire.account)
    assert (found.name, found.refresh_token) == (name, "newest")


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


def test_an_answer_that_is_too_large_is_no_figure_to_look_at(wire: Wire) -> None:
    """It is not kept, so nobody is told to print it."""
    wire.on_data = says(b'"' + b"x" * (LIMITS.max_answer_bytes + 1) + b'"')
    with pytest.raises(WeixinError, match="api_get_authorizer_list was not answered usably"):
        Component(wire.account, LIMITS).authorizations("token", 0)
