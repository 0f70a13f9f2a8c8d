"""Calls that the API refuses, without any scenario."""

import json
import re
from datetime import date, timedelta

import pytest
from sandbox_caller import DATA_PATH, TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT

RID = re.compile(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)


def ask(caller: Caller, begin: object, end: object) -> dict:
    """The body that answers these dates."""
    query = {"access_token": caller.token()}
    answer = caller.post(DATA_PATH, {"begin_date": begin, "end_date": end}, params=query)
    assert answer.status_code == 200
    return json.loads(answer.content)


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        ("2026-11-20", "2026-11-19", "end_date is before begin_date"),
        ("2026-11-19", "2026-11-20", "may span 1 day"),
        ("2026-11-24", "2026-11-24", "2026-11-23 at the latest"),
        ("2030-01-01", "2030-01-01", "2026-11-23 at the latest"),
        ("2014-11-30", "2014-11-30", "2014-12-01 at the earliest"),
    ],
)
def test_dates_out_of_range_are_61501_and_say_why(caller: Caller, begin: str, end: str, says: str):
    """One day, from 2014-12-01 to yesterday."""
    body = ask(caller, begin, end)

    assert body["errcode"] == 61501
    assert body["errmsg"].startswith("date range error, ")
    assert says in body["errmsg"]
    assert RID.search(body["errmsg"])


@pytest.mark.parametrize("day", ["2014-12-01", "2026-11-23"])
def test_the_first_day_and_yesterday_are_in_range(caller: Caller, day: str):
    """The ends of the range belong to it."""
    assert "list" in ask(caller, day, day)


@pytest.mark.parametrize(
    "day",
    [
        "20261120",
        "2026-11-2",
        "2026/11/20",
        "2026-W47-5",
        "2026-02-30",
        "",
        None,
        20261120,
        "２０２６-11-20",
    ],
)
def test_a_date_in_another_form_is_61500(caller: Caller, day: object):
    """Dates are YYYY-MM-DD and exist."""
    assert ask(caller, day, day)["errcode"] == 61500
    assert ask(caller, "2026-11-20", day)["errcode"] == 61500


def test_today_of_the_range_is_the_sandboxs_own_and_may_change(caller: Caller):
    """Tomorrow's yesterday is today."""
    before = caller.errcode(TODAY)
    caller.sandbox.today = TOMORROW

    assert (before, caller.errcode(TODAY)) == (61501, 0)


def test_today_follows_the_clock_in_beijing(caller: Caller, monkeypatch: pytest.MonkeyPatch):
    """Without a day of its own the sandbox lives on the clock's day in Beijing."""
    caller.sandbox.today = None
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-23T15:59:59+00:00")
    late = caller.errcode(date(2026, 11, 23))
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-23T16:00:00+00:00")

    assert (late, caller.errcode(date(2026, 11, 23))) == (61501, 0)


@pytest.mark.parametrize(
    ("body", "errcode"),
    [(b"begin_date=2026-11-20", 47001), (b"[]", 47001), (b"\xff{", 47001), (b"", 44002)],
)
@pytest.mark.parametrize("path", [DATA_PATH, "/cgi-bin/stable_token", "/cgi-bin/openapi/quota/get"])
def test_a_body_that_is_no_json_object_is_refused(
    caller: Caller, path: str, body: bytes, errcode: int
):
    """47001 for a body that is something else, 44002 for none."""
    answer = caller.post(path, params={"access_token": caller.token()}, data=body)

    assert (answer.status_code, answer.json()["errcode"]) == (200, errcode)


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({}, 41001),
        ({"access_token": ""}, 41001),
        ({"access_token": "made-up"}, 40001),
    ],
)
@pytest.mark.parametrize("path", [DATA_PATH, "/cgi-bin/openapi/quota/get"])
def test_a_call_without_a_token_in_force_is_refused(
    caller: Caller, path: str, query: dict[str, str], errcode: int
):
    """41001 for no token, 40001 for an unknown one, even when the body is wrong too."""
    assert caller.post(path, params=query, data=b"?").json()["errcode"] == errcode


@pytest.mark.parametrize(
    ("fields", "errcode"),
    [
        ({"grant_type": "password"}, 40002),
        ({"grant_type": None}, 40002),
        ({"appid": ""}, 41002),
        ({"appid": None}, 41002),
        ({"secret": ""}, 41004),
        ({"secret": None}, 41004),
        ({"appid": "wx0000000000000000"}, 40013),
        ({"secret": "wrong"}, 40125),
    ],
)
def test_wrong_credentials_are_refused_on_both_token_calls(
    caller: Caller, fields: dict[str, str | None], errcode: int
):
    """Each mistake has its code, and no token is issued."""
    query = {
        "grant_type": "client_credential",
        "appid": DEFAULT_ACCOUNT.appid,
        "secret": DEFAULT_ACCOUNT.secret,
        **fields,
    }

    stable = caller.stable(**fields)
    classic = caller.get("/cgi-bin/token", params=query)

    assert [answer.json()["errcode"] for answer in (stable, classic)] == [errcode] * 2
    assert RID.search(stable.json()["errmsg"])
    assert caller.sandbox.issued_tokens == set()


def test_wrong_method_is_refused(caller: Caller):
    """43002 where POST is required, 43001 where GET is."""
    assert caller.get("/cgi-bin/stable_token").json()["errcode"] == 43002
    assert caller.get(DATA_PATH).json()["errcode"] == 43002
    assert caller.get("/cgi-bin/openapi/quota/get").json()["errcode"] == 43002
    assert caller.post("/cgi-bin/token").json()["errcode"] == 43001


@pytest.mark.parametrize(
    "path", ["/", "/datacube/getarticlesummary", "/datacube/getarticletotal/", "/datacube"]
)
def test_unknown_path_is_404_with_a_body(caller: Caller, path: str):
    """What the API does not have is 40066, and the call is remembered."""
    answer = caller.post(path, {})

    assert answer.status_code == 404
    assert answer.json()["errcode"] == 40066
    assert answer.json()["errmsg"].startswith("invalid url")
    assert [(call.path, call.errcode) for call in caller.sandbox.calls] == [(path, 40066)]


def test_calls_are_remembered_in_order(caller: Caller):
    """Each call with its account, day, code and token, as far as it said them."""
    token = caller.token()
    caller.ask(YESTERDAY, token)
    caller.ask(TODAY, token)
    caller.ask(YESTERDAY, "made-up")
    caller.stable(secret="wrong")

    appid = DEFAULT_ACCOUNT.appid
    assert [
        (call.path, call.appid, call.publication_date, call.errcode, call.access_token)
        for call in caller.sandbox.calls
    ] == [
        ("/cgi-bin/stable_token", appid, None, 0, None),
        (DATA_PATH, appid, YESTERDAY, 0, token),
        (DATA_PATH, appid, TODAY, 61501, token),
        (DATA_PATH, None, None, 40001, "made-up"),
        ("/cgi-bin/stable_token", appid, None, 40125, None),
    ]
