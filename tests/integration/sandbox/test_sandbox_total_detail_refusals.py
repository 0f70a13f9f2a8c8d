"""Which days `getarticletotaldetail` may be asked for, and what goes wrong on request."""

import json
from datetime import date, timedelta

import pytest
from sandbox_caller import DETAIL_PATH, TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

ENDPOINT = "getarticletotaldetail"
YESTERDAY = TODAY - timedelta(days=1)
STILL_COUNTING = date(2026, 10, 25)
"""The oldest day that has a row of yesterday: its thirtieth."""
COUNTED = date(2026, 10, 24)


@pytest.fixture
def detail(caller: Caller) -> Caller:
    """A client that asks the successor."""
    caller.data_path = DETAIL_PATH
    return caller


def truth(caller: Caller, day: date) -> list[dict]:
    """The articles of a day when nothing goes wrong."""
    body = caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY, endpoint=ENDPOINT)
    return json.loads(body)["list"]


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        ("2026-11-20", "2026-11-19", "end_date is before begin_date"),
        ("2026-11-19", "2026-11-20", "may span 1 day"),
        ("2026-11-24", "2026-11-24", "2026-11-23 at the latest"),
        ("2025-10-31", "2025-10-31", "2025-11-01 at the earliest"),
    ],
)
def test_dates_out_of_range_are_61501_and_say_why(detail: Caller, begin: str, end: str, says: str):
    """One day, from 2025-11-01 to yesterday."""
    query = {"access_token": detail.token()}

    body = detail.post(DETAIL_PATH, {"begin_date": begin, "end_date": end}, params=query).json()

    assert body["errcode"] == 61501
    assert says in body["errmsg"]


@pytest.mark.parametrize("day", [date(2025, 11, 1), date(2026, 11, 23)])
def test_the_first_day_and_yesterday_are_in_range(detail: Caller, day: date):
    """The ends of the range belong to it."""
    assert detail.errcode(day) == 0


def test_answer_refuses_what_could_not_be_asked():
    """Each endpoint has its own first day, and there are only the two."""
    sandbox = Sandbox()
    early, today = date(2025, 10, 31), date(2025, 11, 7)

    assert sandbox.answer(DEFAULT_ACCOUNT.appid, early, today)
    with pytest.raises(ValueError, match="2025-10-31 cannot be asked for on 2025-11-07"):
        sandbox.answer(DEFAULT_ACCOUNT.appid, early, today, endpoint=ENDPOINT)
    with pytest.raises(ValueError, match="no endpoint 'getuserread'; there are getarticletotal, "):
        sandbox.answer(DEFAULT_ACCOUNT.appid, early, today, endpoint="getuserread")


def test_a_call_needs_a_token_in_force(detail: Caller):
    """41001 for no token, 40001 for an unknown one, 42001 for an expired one."""
    expired = detail.token()
    detail.sandbox.expire_tokens()

    assert [detail.errcode(YESTERDAY, token) for token in ("", "made-up", expired)] == [
        41001,
        40001,
        42001,
    ]


@pytest.mark.parametrize(("name", "says"), [("delayed", True), ("delayed-text", "true")])
def test_delayed_withholds_yesterday_and_says_so(detail: Caller, name: str, says: bool | str):
    """Every day that is still counting lacks its newest row; the day before it is whole."""
    detail.sandbox.scenarios[:] = [Scenario(name)]

    assert detail.ask(YESTERDAY).json() == {"list": [], "is_delay": says}
    assert truth(detail, YESTERDAY)
    running = json.loads(detail.ask(STILL_COUNTING).content)
    assert running["is_delay"] == says
    assert type(running["is_delay"]) is type(says)
    assert running["list"] == [
        {**item, "detail_list": item["detail_list"][:29]} for item in truth(detail, STILL_COUNTING)
    ]
    whole = json.loads(detail.ask(COUNTED).content)
    assert whole == {"list": truth(detail, COUNTED), "is_delay": False}


def test_delayed_leaves_the_other_endpoint_alone(caller: Caller):
    """`getarticletotal` has no is_delay."""
    caller.sandbox.scenarios[:] = [Scenario("delayed")]

    body = caller.ask(YESTERDAY).content

    assert body == caller.sandbox.answer(DEFAULT_ACCOUNT.appid, YESTERDAY, TODAY)
    assert b"is_delay" not in body


def test_not_ready_withholds_yesterday_without_a_word(detail: Caller):
    """The same rows are missing, and is_delay stays false."""
    detail.sandbox.scenarios[:] = [Scenario("not-ready")]

    assert detail.ask(YESTERDAY).json() == {"list": [], "is_delay": False}


def test_falling_total_leaves_rates_and_lists_alone(detail: Caller):
    """Every total of the newest row falls; what is no total stays."""
    detail.sandbox.scenarios[:] = [Scenario("falling-total")]
    day = date(2026, 11, 19)

    fallen = [item["detail_list"][-2:] for item in detail.items(day)]
    newest = [item["detail_list"][-1] for item in truth(detail, day)]

    assert len(fallen) == 5
    for (before, after), true in zip(fallen, newest, strict=True):
        assert after["read_user"] == before["read_user"] * 9 // 10
        assert after["like_user"] == before["like_user"] * 9 // 10
        assert after["read_finish_rate"] == true["read_finish_rate"]
        assert after["read_user_source"] == true["read_user_source"]


def test_offline_is_told_in_wechats_words(detail: Caller):
    """The successor can be offline too, when it is named."""
    detail.sandbox.scenarios[:] = [Scenario("offline", endpoint=ENDPOINT)]

    assert detail.ask(YESTERDAY).content == (
        b'{"errcode":47009,"errmsg":"this api is offline, please use the new api"}'
    )
