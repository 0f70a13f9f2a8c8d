"""A third-party platform: its tickets and tokens, and the accounts that authorised it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from sandbox_caller import TODAY, YESTERDAY, Caller

from weixin_etl.clock import SHANGHAI
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Component, Scenario

COMPONENT = Component("wxcomponent", "component-secret")
TOKEN, AUTHORIZER_TOKEN = "api_component_token", "api_authorizer_token"
LIST, INFO = "api_get_authorizer_list", "api_get_authorizer_info"
PREFIX = "/cgi-bin/component/"
HALF_A_DAY = 12 * 3600


@dataclass
class Agency:
    """A third-party platform that calls the sandbox as `COMPONENT`."""

    caller: Caller
    now: list[float]

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
def start_agency(start: Callable[..., Caller]) -> Callable[..., Agency]:
    """Serve a sandbox for an agency; its clock stands still."""

    def _start(**arguments: Any) -> Agency:
        now = [1000.0]
        return Agency(start(component=COMPONENT, monotonic=lambda: now[0], **arguments), now)

    return _start


@pytest.fixture
def agency(start_agency: Callable[..., Agency]) -> Agency:
    """An agency that two accounts authorised, one without a secret of its own."""
    agency = start_agency()
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


def test_tickets_are_good_for_twelve_hours(agency: Agency):
    """61006 for one that was never pushed, 61005 for an old one; a newer one changes nothing."""
    component = agency.caller.sandbox.component
    assert agency.fetch("ticket@@@made-up")["errcode"] == 61006
    first = component.push_ticket()
    agency.now[0] += HALF_A_DAY - 1
    second = component.push_ticket()

    def codes() -> list[int]:
        return [agency.fetch(one).get("errcode", 0) for one in ("", None, [], first, second)]

    assert codes() == [61006, 61006, 61006, 0, 0]
    agency.now[0] += 1
    assert codes() == [61006, 61006, 61006, 61005, 0]
    component.expire_tickets()
    assert codes() == [61006, 61006, 61006, 61005, 61005]
    assert agency.fetch(component.push_ticket())["expires_in"] == 7200


def test_a_script_gets_the_ticket_that_wechat_would_push(agency: Agency):
    """The newest good one, or a new one; it is no call of the API."""
    component = agency.caller.sandbox.component

    def asked() -> str:
        return agency.caller.get("/sandbox/ticket").text

    first = asked()
    assert first == asked() == component.ticket()
    second = component.push_ticket()
    assert asked() == second != first
    agency.now[0] += HALF_A_DAY
    assert asked() not in {first, second}
    assert agency.caller.sandbox.calls == []
    assert "component_access_token" in agency.fetch(asked())


@pytest.mark.parametrize("overlap", [0, 300])
def test_a_component_token_outlives_its_successors_fetch_by_the_overlap(
    start_agency: Callable[..., Agency], overlap: int
):
    """41001 for none, 40001 for an unknown or replaced one, 42001 for one that is expired."""
    agency = start_agency(classic_overlap_seconds=overlap)
    old, new = agency.token(), agency.token()

    def codes() -> list[int]:
        answers = [
            agency.post(LIST, token, offset=0, count=1).json()
            for token in (None, "made-up", old, new)
        ]
        return [answer.get("errcode", 0) for answer in answers]

    assert codes() == [41001, 40001, 0 if overlap else 40001, 0]
    agency.now[0] += overlap
    assert codes() == [41001, 40001, 40001, 0]
    agency.now[0] += 7200
    assert codes() == [41001, 40001, 40001, 42001]
    agency.caller.sandbox.component.expire_tokens()
    new = agency.token()
    assert codes()[-1] == 0
    agency.caller.sandbox.component.expire_tokens()
    assert codes()[-1] == 42001


def test_a_component_token_opens_no_account(agency: Agency):
    """A data call with it is 40001, and so is a component's call with an account's token."""
    assert agency.caller.errcode(YESTERDAY, agency.token()) == 40001
    access_token = agency.authorizer_token("wx2")
    assert agency.post(LIST, access_token, offset=0, count=1).json()["errcode"] == 40001


@pytest.mark.parametrize(
    ("name", "fields", "errcode"),
    [
        (TOKEN, {"component_appid": "wxother"}, 40013),
        (TOKEN, {"component_appid": ""}, 41002),
        (TOKEN, {"component_appsecret": "wrong"}, 40125),
        (TOKEN, {"component_appsecret": None}, 41004),
        (AUTHORIZER_TOKEN, {"component_appid": "wxother"}, 40013),
        (AUTHORIZER_TOKEN, {"authorizer_appid": None}, 41002),
        (AUTHORIZER_TOKEN, {"authorizer_appid": "wxnobody"}, 61003),
        (AUTHORIZER_TOKEN, {"authorizer_refresh_token": "made-up"}, 61023),
        (LIST, {"component_appid": "wxother"}, 40013),
        (LIST, {"count": 501}, 40097),
        (LIST, {"count": 0}, 40097),
        (LIST, {"count": True}, 40097),
        (LIST, {"offset": -1}, 40097),
        (LIST, {"offset": None}, 40097),
        (INFO, {"component_appid": "wxother"}, 40013),
        (INFO, {"authorizer_appid": "wxnobody"}, 61003),
    ],
)
def test_calls_of_a_component_with_one_mistake(
    agency: Agency, name: str, fields: dict[str, object], errcode: int
):
    """Each mistake has its code, and no token is issued; the same call without it succeeds."""
    right = {
        "component_appsecret": COMPONENT.secret,
        "component_verify_ticket": agency.caller.sandbox.component.push_ticket(),
        "authorizer_appid": "wx2",
        "authorizer_refresh_token": agency.refresh_token("wx2"),
        "offset": 0,
        "count": 500,
    }
    token = agency.token()
    issued = agency.caller.sandbox.component.issued_secrets

    refused = agency.post(name, token, **{**right, **fields}).json()

    assert refused["errcode"] == errcode
    assert agency.caller.sandbox.component.issued_secrets == issued
    assert "errcode" not in agency.post(name, token, **right).json()


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


def test_a_refresh_token_is_of_one_account(agency: Agency):
    """Another's is 61023, and so is one from before the account authorised again."""
    first = agency.refresh_token("wx2")

    assert agency.refresh(DEFAULT_ACCOUNT.appid, first)["errcode"] == 61023
    agency.caller.sandbox.component.authorize("wx2")
    assert agency.refresh("wx2", first)["errcode"] == 61023
    assert agency.refresh_token("wx2") != first


@pytest.mark.parametrize("overlap", [0, 300])
def test_an_authorizer_token_outlives_its_successors_by_the_overlap(
    start_agency: Callable[..., Agency], overlap: int
):
    """40001 for a replaced one, 42001 for an expired one; the account's own are left alone."""
    agency = start_agency(classic_overlap_seconds=overlap)
    caller = agency.caller
    caller.sandbox.component.authorize(DEFAULT_ACCOUNT)
    own = caller.token()
    old, new = (agency.authorizer_token(DEFAULT_ACCOUNT.appid) for _ in range(2))

    def codes() -> list[int]:
        return [caller.errcode(YESTERDAY, token) for token in (own, old, new)]

    assert codes() == [0, 0 if overlap else 40001, 0]
    caller.sandbox.replace_token(DEFAULT_ACCOUNT.appid)
    agency.now[0] += overlap
    assert codes() == [40001, 40001, 0]
    caller.sandbox.expire_tokens()
    assert codes() == [40001, 40001, 42001]


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


def test_an_authorisation_without_the_statistics(agency: Agency):
    """61007 on data calls and on quota/get; tokens are issued and the account's info says so."""
    caller = agency.caller
    access_token = agency.authorizer_token("wx2")

    def granted() -> list[int]:
        answer = agency.post(INFO, agency.token(), authorizer_appid="wx2").json()
        sets = answer["authorization_info"]["func_info"]
        return [one["funcscope_category"]["id"] for one in sets]

    whole = granted()
    caller.sandbox.component.revoke_permission("wx2")

    query, body = {"access_token": access_token}, {"cgi_path": "/datacube/getarticletotal"}
    assert caller.errcode(YESTERDAY, access_token) == 61007
    assert caller.post("/cgi-bin/openapi/quota/get", body, params=query).json()["errcode"] == 61007
    assert granted() == [number for number in whole if number != 7] != whole
    assert caller.errcode(YESTERDAY, agency.authorizer_token("wx2")) == 61007
    caller.sandbox.component.authorize("wx2")
    assert caller.errcode(YESTERDAY, agency.authorizer_token("wx2")) == 0


def test_the_info_of_an_account(agency: Agency):
    """Its name, its current refresh token and the permission sets it granted."""
    info = json.loads(agency.post(INFO, agency.token(), authorizer_appid="wx2").content)

    assert info["authorizer_info"]["nick_name"] == "二号"
    granted = info["authorization_info"]
    assert granted["authorizer_appid"] == "wx2"
    assert granted["authorizer_refresh_token"] == agency.refresh_token("wx2")
    assert {"funcscope_category": {"id": 7}} in granted["func_info"]


def test_the_list_in_pages(start_agency: Callable[..., Agency]):
    """In the order of (auth_time, appid): who authorises again is last, who withdraws is gone."""
    agency = start_agency()
    sandbox = agency.caller.sandbox
    appids = [f"wx{number:04}" for number in range(1201)]
    for appid in reversed(appids):
        sandbox.component.authorize(appid)
    sandbox.today = TODAY + timedelta(days=1)
    sandbox.component.authorize(appids[0])
    sandbox.component.withdraw(appids[1])
    token = agency.token()

    pages = [agency.post(LIST, token, offset=at, count=500).json() for at in (0, 500, 1000, 1500)]

    assert [(page["total_count"], len(page["list"])) for page in pages] == [
        (1200, 500),
        (1200, 500),
        (1200, 200),
        (1200, 0),
    ]
    listed = [one for page in pages for one in page["list"]]
    order = [(one["auth_time"], one["authorizer_appid"]) for one in listed]
    assert order == sorted(order)
    assert {appid for _, appid in order} == set(appids) - {appids[1]}
    assert order[-1][1] == appids[0]
    last_days = [datetime.fromtimestamp(at, SHANGHAI).date() for at, _ in order[-2:]]
    assert last_days == [TODAY, TODAY + timedelta(days=1)]


@pytest.mark.parametrize(
    ("scenario", "codes"),
    [
        (Scenario("token-call:busy"), [-1, -1, 0, 0, 0]),
        (Scenario("token-call:busy", account="wx2"), [0, -1, 0, 0, 0]),
        (Scenario("token-call:errcode:61004", account=COMPONENT.appid), [61004, 0, 0, 0, 0]),
        (Scenario("list-call:busy"), [0, 0, -1, 0, 0]),
        (Scenario("list-call:busy", account="wx2"), [0, 0, 0, 0, 0]),
        (Scenario("info-call:errcode:48001", account="wx2"), [0, 0, 0, 48001, 0]),
        (Scenario("busy"), [0, 0, 0, 0, -1]),
    ],
)
def test_a_scenario_hits_its_kind_of_a_components_calls(
    start_agency: Callable[..., Agency], scenario: Scenario, codes: list[int]
):
    """The component's token or an account's, the list, the info: the others are left alone."""
    agency = start_agency(classic_overlap_seconds=300)
    agency.caller.sandbox.component.authorize("wx2")
    ticket, token = agency.caller.sandbox.component.ticket(), agency.token()
    refresh_token, access_token = agency.refresh_token("wx2"), agency.authorizer_token("wx2")
    agency.caller.sandbox.scenarios[:] = [scenario]

    answers = [
        agency.fetch(ticket),
        agency.refresh("wx2", refresh_token, token),
        agency.post(LIST, token, offset=0, count=9).json(),
        agency.post(INFO, token, authorizer_appid="wx2").json(),
        agency.caller.ask(YESTERDAY, access_token).json(),
    ]

    assert [answer.get("errcode", 0) for answer in answers] == codes
