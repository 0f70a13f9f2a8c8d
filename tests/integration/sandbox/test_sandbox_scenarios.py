"""What goes wrong on request."""

import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from threading import Thread

import pytest
import requests
from sandbox_caller import DATA_PATH, DETAIL_PATH, TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Scenario
from weixin_sandbox.effects import EFFECTS

YESTERDAY = TODAY - timedelta(days=1)
OLD_DAY = date(2026, 11, 9)
README = Path(__file__).parents[3] / "sandbox" / "README.md"


def truth(caller: Caller, day: date) -> list[dict]:
    """The articles of a day when nothing goes wrong."""
    return json.loads(caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY))["list"]


@pytest.mark.parametrize(
    ("name", "errcode", "errmsg"),
    [
        ("busy", -1, "system error rid: "),
        ("minute-quota", 45011, "api minute-quota reach limit"),
        ("daily-quota", 45009, "reach max api daily quota limit rid: "),
        ("offline", 47009, "this api is offline, please use the new api"),
        ("unauthorized", 48001, "api unauthorized rid: "),
        ("not-ready-code", 61503, "data not ready"),
        ("token-expired", 42001, "access_token expired rid: "),
        ("errcode:48004", 48004, "api forbidden"),
        ("errcode:-1", -1, "system error"),
        ("errcode:99999", 99999, "refused rid: "),
    ],
)
def test_a_data_call_is_refused(caller: Caller, name: str, errcode: int, errmsg: str):
    """HTTP 200 with the scenario's code; the token call is left alone."""
    caller.sandbox.scenarios[:] = [Scenario(name)]

    answer = caller.ask(YESTERDAY)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json()["errcode"] == errcode
    assert answer.json()["errmsg"].startswith(errmsg)
    assert caller.sandbox.calls[-1].errcode == errcode


@pytest.mark.parametrize("path", ["stable", "classic"])
@pytest.mark.parametrize(
    ("name", "errcode", "errmsg"),
    [
        ("ip", 40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: "),
        ("secret-frozen", 40243, "AppSecret is frozen rid: "),
        ("token-call:busy", -1, "system error rid: "),
        ("token-call:errcode:89503", 89503, "this ip call needs"),
    ],
)
def test_a_token_call_is_refused(caller: Caller, path: str, name: str, errcode: int, errmsg: str):
    """Neither way of fetching a token gets round it, and data calls are left alone."""
    token = caller.token()
    caller.sandbox.scenarios[:] = [Scenario(name)]
    query = {
        "grant_type": "client_credential",
        "appid": DEFAULT_ACCOUNT.appid,
        "secret": DEFAULT_ACCOUNT.secret,
    }

    answer = caller.stable() if path == "stable" else caller.get("/cgi-bin/token", params=query)

    assert answer.json()["errcode"] == errcode
    assert answer.json()["errmsg"].startswith(errmsg)
    assert caller.errcode(YESTERDAY, token) == 0
    assert caller.sandbox.issued_tokens == {token}


def test_offline_has_no_rid(caller: Caller):
    """The one refusal whose errmsg is all there is."""
    caller.sandbox.scenarios[:] = [Scenario("offline")]

    assert caller.ask(YESTERDAY).content == (
        b'{"errcode":47009,"errmsg":"this api is offline, please use the new api"}'
    )


def test_http_500_is_a_page_of_html(caller: Caller):
    """A status that is no answer of the API; nothing can be read from it."""
    caller.sandbox.scenarios[:] = [Scenario("http-500")]

    answer = caller.ask(YESTERDAY)

    assert answer.status_code == 500
    assert answer.content.startswith(b"<html>")
    assert caller.sandbox.calls[-1].errcode is None


def test_bad_json_is_a_page_of_html_with_status_200(caller: Caller):
    """What a proxy in between answers."""
    caller.sandbox.scenarios[:] = [Scenario("bad-json")]

    answer = caller.ask(YESTERDAY)

    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert caller.sandbox.calls[-1].errcode is None


@pytest.mark.parametrize("day", [YESTERDAY, TODAY - timedelta(days=7)])
def test_cut_answer_declares_all_and_sends_half(caller: Caller, day: date):
    """The whole length is declared and the connection closes in the middle; the next call works."""
    caller.sandbox.scenarios[:] = [Scenario("cut-answer", times=1)]
    query = {"access_token": caller.token()}
    dates = {"begin_date": day.isoformat(), "end_date": day.isoformat()}

    answer = caller.post(DATA_PATH, dates, params=query, stream=True)

    whole = caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY)
    assert int(answer.headers["Content-Length"]) == len(whole)
    half = len(whole) // 2
    says = f"{half} bytes read, {len(whole) - half} more expected"
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=says):
        _ = answer.content
    assert caller.ask(day).content == whole


def test_slow_outlasts_a_clients_read_timeout(start: Callable[..., Caller]):
    """The client gives up, the call was made, and the sandbox is free for the next one."""
    caller = start(slow_seconds=30, scenarios=[Scenario("slow", times=1)])
    token = caller.token()
    caller.read_timeout = 0.3

    with pytest.raises(requests.exceptions.ReadTimeout):
        caller.ask(YESTERDAY, token)

    assert caller.sandbox.calls[-1].errcode == 0
    caller.read_timeout = 5
    assert caller.errcode(YESTERDAY, token) == 0


def test_slow_answers_in_the_end(start: Callable[..., Caller]):
    """A client that waits gets the whole answer."""
    caller = start(slow_seconds=0.3, scenarios=[Scenario("slow")])
    token = caller.token()
    started = time.monotonic()

    body = caller.ask(YESTERDAY, token).content

    assert time.monotonic() - started >= 0.3
    assert body == caller.sandbox.answer(DEFAULT_ACCOUNT.appid, YESTERDAY, TODAY)


def test_an_expired_token_is_really_expired(caller: Caller):
    """The same token stays refused after the scenario; asking again gives one that works."""
    token = caller.token()
    caller.sandbox.scenarios[:] = [Scenario("token-expired", times=1)]

    assert [caller.errcode(YESTERDAY, token) for _ in range(2)] == [42001, 42001]
    new = caller.token()
    assert new != token
    assert caller.errcode(YESTERDAY, new) == 0


def test_not_ready_withholds_yesterday(caller: Caller):
    """Yesterday's list is empty, running days miss their newest row, finished days are whole."""
    caller.sandbox.scenarios[:] = [Scenario("not-ready")]
    running = TODAY - timedelta(days=3)

    assert truth(caller, YESTERDAY)
    assert caller.ask(YESTERDAY).content == b'{"list":[]}'
    assert caller.items(running) == [
        {**item, "details": item["details"][:2]} for item in truth(caller, running)
    ]
    assert caller.items(OLD_DAY) == truth(caller, OLD_DAY) != []


def test_fewer_articles_drops_the_last_one(caller: Caller):
    """One article of an answer has vanished."""
    caller.sandbox.scenarios[:] = [Scenario("fewer-articles")]

    whole = truth(caller, OLD_DAY)
    assert len(whole) > 1
    assert caller.items(OLD_DAY) == whole[:-1]


def test_falling_total_puts_the_newest_row_below_the_day_before(caller: Caller):
    """Only the newest row changes, every total in it falls, and target_user does not."""
    caller.sandbox.scenarios[:] = [Scenario("falling-total")]

    assert truth(caller, OLD_DAY)
    for fallen, item in zip(caller.items(OLD_DAY), truth(caller, OLD_DAY), strict=True):
        *earlier, newest = fallen["details"]
        assert earlier == item["details"][:-1]
        assert set(newest) == set(item["details"][-1])
        assert newest["stat_date"] == item["details"][-1]["stat_date"]
        assert newest["target_user"] == earlier[-1]["target_user"]
        for name in set(newest) - {"stat_date", "target_user"}:
            assert newest[name] < earlier[-1][name] or earlier[-1][name] == 0


def test_falling_total_leaves_a_single_row_alone(caller: Caller):
    """There is nothing below which it could fall."""
    caller.sandbox.scenarios[:] = [Scenario("falling-total")]

    assert caller.items(YESTERDAY) == truth(caller, YESTERDAY) != []


def test_repeated_article_is_there_twice(caller: Caller):
    """At the end once more, without its newest row; the others stay as they are."""
    caller.sandbox.scenarios[:] = [Scenario("repeated-article")]

    whole = truth(caller, OLD_DAY)
    first = whole[0]
    assert caller.items(OLD_DAY) == [*whole, {**first, "details": first["details"][:-1]}]


def test_odd_row_has_texts_for_numbers(caller: Caller):
    """The first article's newest row, nothing else."""
    caller.sandbox.scenarios[:] = [Scenario("odd-row")]

    (first, *others), (odd, *left_alone) = truth(caller, OLD_DAY), caller.items(OLD_DAY)
    assert left_alone == others
    *earlier, newest = first["details"]
    words = {name: str(value) for name, value in newest.items()}
    assert odd == {**first, "details": [*earlier, words]}


def test_a_scenario_hits_its_day_only(caller: Caller):
    """A publication day, not the day of the call."""
    caller.sandbox.scenarios[:] = [Scenario("busy", day=OLD_DAY)]

    assert caller.errcode(YESTERDAY) == 0
    assert caller.errcode(OLD_DAY) == -1


def test_a_scenario_hits_its_account_only(start: Callable[..., Caller]):
    """Both on data calls and on token calls."""
    caller = start(accounts=[Account("wx1", "s1"), Account("wx2", "s2")])
    codes = []
    for name in ("busy", "ip"):
        for account in caller.sandbox.accounts.values():
            caller.account = account
            token = caller.token()
            caller.sandbox.scenarios[:] = [Scenario(name, account="wx2")]
            codes.append(
                (caller.errcode(YESTERDAY, token), caller.stable().json().get("errcode", 0))
            )
            caller.sandbox.scenarios.clear()

    assert codes == [(0, 0), (-1, 0), (0, 0), (0, 40164)]


@pytest.mark.parametrize(
    ("scenario", "codes"),
    [
        (Scenario("offline"), (47009, 0)),
        (Scenario("offline", endpoint="getarticletotaldetail"), (0, 47009)),
        (Scenario("busy"), (-1, -1)),
        (Scenario("busy", endpoint="getarticletotal"), (-1, 0)),
        (Scenario("errcode:47009", times=1), (47009, 0)),
        (Scenario("token-call:offline"), (0, 0)),
    ],
)
def test_a_scenario_hits_its_endpoint_only(
    caller: Caller, scenario: Scenario, codes: tuple[int, int]
):
    """Every endpoint unless one is named; `offline` means the retired one by itself."""
    token = caller.token()
    caller.sandbox.scenarios[:] = [scenario]
    answered = []
    for path in (DATA_PATH, DETAIL_PATH):
        caller.data_path = path
        answered.append(caller.errcode(YESTERDAY, token))

    assert tuple(answered) == codes


def test_a_token_call_can_be_offline(caller: Caller):
    """The endpoint an effect is meant for says nothing about token calls."""
    caller.sandbox.scenarios[:] = [Scenario("token-call:offline")]

    assert caller.stable().json()["errcode"] == 47009


def test_times_counts_hits_of_matching_calls(caller: Caller):
    """Calls for another day use nothing up."""
    caller.sandbox.scenarios[:] = [Scenario("busy", day=OLD_DAY, times=2)]

    days = [OLD_DAY, YESTERDAY, OLD_DAY, OLD_DAY]
    assert [caller.errcode(day) for day in days] == [-1, 0, -1, 0]


def test_a_list_of_scenarios_is_a_script(caller: Caller):
    """Each call is hit by the first that matches and has hits left."""
    caller.sandbox.scenarios[:] = [
        Scenario("busy", times=2),
        Scenario("busy", times=1),
        Scenario("unauthorized", times=1),
    ]

    assert [caller.errcode(YESTERDAY) for _ in range(5)] == [-1, -1, -1, 48001, 0]


def test_putting_the_same_scenario_in_again_gives_it_all_its_hits(caller: Caller):
    """Hits belong to the list, not to the object."""
    scenario = Scenario("busy", times=1)
    codes = []
    for _ in range(2):
        caller.sandbox.scenarios[:] = [scenario]
        codes += [caller.errcode(YESTERDAY), caller.errcode(YESTERDAY)]

    assert codes == [-1, 0, -1, 0]


def test_scenarios_are_a_list(caller: Caller):
    """Whatever a list allows may be done while it serves."""
    scenarios = caller.sandbox.scenarios
    scenarios.append(Scenario("busy"))
    scenarios.insert(0, Scenario("offline"))
    assert caller.errcode(YESTERDAY) == 47009
    del scenarios[0]
    assert caller.errcode(YESTERDAY) == -1
    scenarios[0] = Scenario("unauthorized")
    assert list(scenarios) == scenarios[:] == [Scenario("unauthorized")]
    assert caller.errcode(YESTERDAY) == 48001
    scenarios.clear()
    assert caller.errcode(YESTERDAY) == 0
    with pytest.raises(AttributeError):
        caller.sandbox.scenarios = []
    with pytest.raises(TypeError):
        scenarios[:] = Scenario("busy")


def test_times_is_exact_under_concurrent_calls_and_changes(caller: Caller):
    """Eight clients at once use up exactly the hits there are."""
    token = caller.token()
    caller.sandbox.scenarios[:] = [Scenario("busy", times=25)]
    codes: list[int] = []

    def ask_often() -> None:
        client = Caller(caller.sandbox, caller.url)
        with client.session:
            codes.extend(client.errcode(YESTERDAY, token) for _ in range(10))

    clients = [Thread(target=ask_often) for _ in range(8)]
    for client in clients:
        client.start()
    for _ in range(50):
        caller.sandbox.scenarios.append(Scenario("offline", account="wx-nobody"))
    for client in clients:
        client.join()

    assert (codes.count(-1), codes.count(0)) == (25, 55)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "bussy"}, "no scenario 'bussy'; there are busy, "),
        ({"name": "errcode:"}, "no scenario"),
        ({"name": "busy", "times": 0}, "never hits"),
        ({"name": "ip", "day": OLD_DAY}, "no publication day"),
        ({"name": "token-call:busy", "day": OLD_DAY}, "no publication day"),
        (
            {"name": "busy", "endpoint": "getnothing"},
            "no endpoint 'getnothing'; there are getarticletotal, getarticletotaldetail.",
        ),
        ({"name": "ip", "endpoint": "getarticletotal"}, "no data endpoint"),
        ({"name": "delayed", "endpoint": "getarticletotal"}, "does not say is_delay"),
        ({"name": "token-call:delayed"}, "nothing to do on a token call"),
        ({"name": "token-call:not-ready"}, "nothing to do on a token call"),
        ({"name": "token-call:token-expired"}, "nothing to do on a token call"),
    ],
)
def test_a_scenario_that_could_never_hit_is_refused(arguments: dict, says: str):
    """A typing mistake must not become a test that passes on nothing."""
    with pytest.raises(ValueError, match=says):
        Scenario(**arguments)


@pytest.mark.parametrize("name", ["cut-answer", "http-500", "bad-json", "slow"])
def test_the_token_call_can_break_like_any_other(start: Callable[..., Caller], name: str):
    """`token-call:` sends a broken connection or page to the token call instead."""
    caller = start(slow_seconds=5)
    token = caller.token()
    caller.read_timeout = 0.5
    caller.sandbox.scenarios[:] = [Scenario(f"token-call:{name}")]

    assert caller.errcode(YESTERDAY, token) == 0
    with pytest.raises((requests.RequestException, KeyError)):
        caller.token()


def test_the_readme_lists_every_scenario():
    """The table is the catalogue, sentence for sentence."""
    rows = [line.split(" | ") for line in README.read_text().splitlines() if line.startswith("| `")]
    table = {name.strip("| `"): sentence.strip(" |") for name, sentence in rows}

    assert {name: table.get(name) for name in EFFECTS} == {
        name: effect.sentence for name, effect in EFFECTS.items()
    }
    assert set(table) - set(EFFECTS) == {"errcode:N", "token-call:NAME"}
