"""A third-party platform: its tickets and tokens, and the accounts that authorised it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from sandbox_caller import TODAY, YESTERDAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Component

COMPONENT = Component("wxcomponent", "component-secret")
TOKEN, AUTHORIZER_TOKEN = "api_component_token", "api_authorizer_token"
LIST, INFO = "api_get_authorizer_list", "api_get_authorizer_info"
PREFIX = "/cgi-bin/component/"


@dataclass
class Agency:
    """A third-party platform that calls the sandbox as `COMPONENT`."""

    caller: Caller

    def post(self, name: str, token: str | None = None, **fields: object) -> requests.Response:
        """One of the component's calls."""
        query = {} if token is None else {"component_access_token": token}
        body = {"component_appid": COMPONENT.appid, **fields}
        return self.caller.post(PREFIX + name, body, params=query)

    def fetch(self, ticket: object, **fields: object) -> dict[str, Any]:
        """The answer to a ticket."""
        right = {"component_appsecret": COMPONENT.secret, "component_verify_ticket": ticket}
        answer: dict[str, Any] = self.post(TOKEN, **{**right, **fields}).json()
        return answer

    def token(self) -> str:
        """A component token."""
        return str(self.fetch(self.caller.sandbox.component.ticket())["component_access_token"])

    def refresh_token(self, appid: str) -> str:
        """An account's refresh token as the list has it."""
        listed = self.post(LIST, self.token(), offset=0, count=500).json()["list"]
        return str({one["authorizer_appid"]: one["refresh_token"] for one in listed}[appid])

    def refresh(self, appid: str, refresh_token: str, token: str | None = None) -> dict[str, Any]:
        """The answer to a refresh token."""
        fields = {"authorizer_appid": appid, "authorizer_refresh_token": refresh_token}
        used = self.token() if token is None else token
        answer: dict[str, Any] = self.post(AUTHORIZER_TOKEN, used, **fields).json()
        return answer

    def authorizer_token(self, appid: str) -> str:
        """A token to call for an account."""
        return str(self.refresh(appid, self.refresh_token(appid))["authorizer_access_token"])


@pytest.fixture
def agency(start: Callable[..., Caller]) -> Agency:
    """An agency that two accounts authorised, one without a secret of its own."""
    agency = Agency(start(component=COMPONENT))
    agency.caller.sandbox.component.authorize(DEFAULT_ACCOUNT)
    agency.caller.sandbox.component.authorize(Account("wx2", name="二号"))
    return agency


def test_a_platform_calls_for_an_account_that_authorised_it(agency: Agency):
    """From the ticket to the account's figures; every call is remembered without its secrets."""
    sandbox = agency.caller.sandbox
    ticket = sandbox.component.push_ticket()

    fetched = agency.fetch(ticket)
    token = fetched["component_access_token"]
    listed = agency.post(LIST, token, offset=0, count=500).json()
    (second,) = [one for one in listed["list"] if one["authorizer_appid"] == "wx2"]
    refreshed = agency.refresh("wx2", second["refresh_token"], token)
    access_token = refreshed["authorizer_access_token"]
    figures = agency.caller.ask(YESTERDAY, access_token)

    assert ticket.startswith("ticket@@@")
    assert fetched == {"component_access_token": token, "expires_in": 7200}
    assert (listed["total_count"], len(listed["list"])) == (2, 2)
    assert set(second) == {"authorizer_appid", "refresh_token", "auth_time"}
    assert refreshed == {
        "authorizer_access_token": access_token,
        "expires_in": 7200,
        "authorizer_refresh_token": second["refresh_token"],
    }
    assert figures.content == sandbox.answer("wx2", YESTERDAY, TODAY)
    assert [(call.path, call.appid, call.access_token, call.errcode) for call in sandbox.calls] == [
        (PREFIX + TOKEN, COMPONENT.appid, None, 0),
        (PREFIX + LIST, COMPONENT.appid, token, 0),
        (PREFIX + AUTHORIZER_TOKEN, "wx2", token, 0),
        ("/datacube/getarticletotal", "wx2", access_token, 0),
    ]
    secrets = {ticket, token, access_token, second["refresh_token"]}
    assert secrets <= sandbox.component.issued_secrets
    assert sandbox.issued_tokens == {access_token}
    said = repr([COMPONENT, sandbox.accounts, sandbox.calls, sandbox.component.page(0, 9)])
    assert [secret for secret in [COMPONENT.secret, *secrets] if secret in said] == []


def test_a_refresh_token_stays_unless_it_rotates(agency: Agency):
    """WeChat usually returns the same one; if not, only the new one works, at once."""
    first = agency.refresh_token("wx2")

    same = agency.refresh("wx2", first)["authorizer_refresh_token"]
    agency.caller.sandbox.component.rotates_refresh_tokens = True
    second = agency.refresh("wx2", first)["authorizer_refresh_token"]

    assert same == first != second
    assert agency.refresh("wx2", first)["errcode"] == 61023
    assert agency.refresh_token("wx2") == second
    assert "authorizer_access_token" in agency.refresh("wx2", second)


def test_an_account_that_withdraws(agency: Agency):
    """61003 on every call for it until it authorises again; its own token and others work."""
    caller, component = agency.caller, agency.caller.sandbox.component
    appid = DEFAULT_ACCOUNT.appid
    own, before = caller.token(), agency.authorizer_token(appid)
    other, refresh_token = agency.authorizer_token("wx2"), agency.refresh_token(appid)
    quota = {"cgi_path": "/datacube/getarticletotal"}

    component.withdraw(appid)

    assert caller.errcode(YESTERDAY, before) == 61003
    query = {"access_token": before}
    assert caller.post("/cgi-bin/openapi/quota/get", quota, params=query).json()["errcode"] == 61003
    assert agency.refresh(appid, refresh_token)["errcode"] == 61003
    assert agency.post(INFO, agency.token(), authorizer_appid=appid).json()["errcode"] == 61003
    assert agency.post(LIST, agency.token(), offset=0, count=9).json()["total_count"] == 1
    assert [caller.errcode(YESTERDAY, token) for token in (own, other)] == [0, 0]
    component.authorize(appid)
    assert caller.errcode(YESTERDAY, before) == 40001
    assert caller.errcode(YESTERDAY, agency.authorizer_token(appid)) == 0
