"""What goes wrong on request."""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sandbox_caller import DETAIL, TODAY, TOKEN_PATH, TOTAL, YESTERDAY, Caller

from weixin_sandbox import Account, Scenario
from weixin_sandbox.effects import EFFECTS, NUMBERED
from weixin_sandbox.scenarios import CallKind

OLD_DAY = date(2026, 11, 9)
README = Path(__file__).parents[3] / "sandbox" / "README.md"


def truth(caller: Caller, day: date, endpoint: str = TOTAL) -> list[dict]:
    """The articles of a day when nothing goes wrong."""
    caller.sandbox.scenarios.clear()
    items: list[dict] = json.loads(caller.ask(day, endpoint=endpoint).content)["list"]
    return items


def told(caller: Caller, name: str, day: date, endpoint: str = TOTAL) -> dict:
    """The answer for a day with a scenario in force."""
    caller.sandbox.scenarios[:] = [Scenario(name)]
    answer: dict = json.loads(caller.ask(day, endpoint=endpoint).content)
    return answer


def test_the_readme_lists_every_scenario():
    """The table is the catalogue, sentence for sentence."""
    rows = [line.split(" | ") for line in README.read_text().splitlines() if line.startswith("| `")]
    table = {name.strip("| `"): sentence.strip(" |") for name, sentence in rows}

    assert {name: table.get(name) for name in EFFECTS} == {
        name: effect.sentence for name, effect in EFFECTS.items()
    }
    prefixed = {f"{kind.prefix}NAME" for kind in CallKind if kind.prefix}
    assert set(table) - set(EFFECTS) == {*NUMBERED, *prefixed}


@pytest.mark.parametrize(
    ("name", "errcode"),
    [
        ("busy", -1),
        ("minute-quota", 45011),
        ("daily-quota", 45009),
        ("offline", 47009),
        ("unauthorized", 48001),
        ("not-ready-code", 61503),
        ("token-expired", 42001),
        ("errcode:99999", 99999),
        ("ip", 40164),
        ("secret-frozen", 40243),
        ("token-call:busy", -1),
        ("token-call:errcode:89503", 89503),
    ],
)
def test_a_refusal_hits_its_kind_of_call(caller: Caller, name: str, errcode: int):
    """Data calls or token calls, the others are left alone; HTTP 200 and a code."""
    token = caller.token()
    caller.sandbox.scenarios[:] = [Scenario(name)]

    fetched = caller.post(TOKEN_PATH, caller.credentials())
    asked = caller.ask(YESTERDAY, token)

    is_for_token = (
        name.startswith("token-call:") or EFFECTS.get(name, EFFECTS["busy"]).is_for_token_call
    )
    hit, spared = (fetched, asked) if is_for_token else (asked, fetched)
    assert (hit.status_code, hit.json()["errcode"]) == (200, errcode)
    assert "errcode" not in spared.json()
    assert (" rid: " in hit.json()["errmsg"]) == (name != "offline")


@pytest.mark.parametrize(
    ("name", "endpoint", "rows_key", "is_delay"),
    [
        ("not-ready", TOTAL, "details", None),
        ("not-ready", DETAIL, "detail_list", False),
        ("delayed", DETAIL, "detail_list", True),
        ("delayed-text", DETAIL, "detail_list", "true"),
    ],
)
def test_figures_that_are_not_ready(
    caller: Caller, name: str, endpoint: str, rows_key: str, is_delay: bool | str | None
):
    """Yesterday is empty, days still counting miss their newest row, older ones are whole."""
    running = TODAY - timedelta(days=3)
    long_ago = TODAY - timedelta(days=31)

    assert told(caller, name, YESTERDAY, endpoint)["list"] == []
    told_running = told(caller, name, running, endpoint)
    assert told_running.get("is_delay") == is_delay
    assert type(told_running.get("is_delay")) is type(is_delay)
    assert told_running["list"] == [
        {**item, rows_key: item[rows_key][:2]} for item in truth(caller, running, endpoint)
    ]
    whole = told(caller, name, long_ago, endpoint)
    assert whole["list"] == truth(caller, long_ago, endpoint) != []
    assert not whole.get("is_delay")


@pytest.mark.parametrize(
    ("scenario", "codes"),
    [
        (Scenario("busy"), [-1, -1, -1, -1]),
        (Scenario("busy", day=OLD_DAY), [0, -1, 0, 0]),
        (Scenario("busy", day=OLD_DAY, last_day=YESTERDAY), [-1, -1, -1, -1]),
        (Scenario("busy", day=OLD_DAY, last_day=date(2026, 11, 22)), [0, -1, 0, 0]),
        (Scenario("busy", account="wx2"), [0, 0, -1, 0]),
        (Scenario("busy", endpoint=DETAIL), [0, 0, 0, -1]),
        (Scenario("busy", times=2), [-1, -1, 0, 0]),
        (Scenario("offline"), [47009, 47009, 47009, 0]),
        (Scenario("offline", endpoint=DETAIL), [0, 0, 0, 47009]),
        (Scenario("token-call:offline"), [0, 0, 0, 0]),
    ],
)
def test_a_scenario_hits_what_it_names_only(
    start: Callable[..., Caller], scenario: Scenario, codes: list[int]
):
    """Its publication day, account, endpoint and number of calls."""
    first, second = accounts = [Account("wx1", "s1"), Account("wx2", "s2")]
    caller = start(accounts=accounts)
    calls = [(first, YESTERDAY, TOTAL), (first, OLD_DAY, TOTAL)]
    calls += [(second, YESTERDAY, TOTAL), (first, YESTERDAY, DETAIL)]
    tokens = {}
    for account in accounts:
        caller.account = account
        tokens[account] = caller.token()
    caller.sandbox.scenarios[:] = [scenario]

    assert [caller.errcode(day, tokens[who], endpoint) for who, day, endpoint in calls] == codes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "bussy"}, "no scenario 'bussy'; there are busy, "),
        ({"name": "busy", "times": 0}, "never hit a call"),
        ({"name": "empty", "last_day": OLD_DAY}, "never hit a call"),
        ({"name": "empty", "day": TODAY, "last_day": OLD_DAY}, "never hit a call"),
        ({"name": "empty", "asked_from": TODAY, "asked_before": TODAY}, "never hit a call"),
        ({"name": "empty", "asked_from": datetime.fromisoformat("2026-11-24T08:30")}, "no offset"),
        ({"name": "token-call:busy", "day": OLD_DAY}, "only a data call"),
        ({"name": "busy", "endpoint": "getnothing"}, "no endpoint 'getnothing'; there are "),
        ({"name": "token-call:not-ready"}, "only a data call"),
    ],
)
def test_a_scenario_that_could_never_hit_is_refused(arguments: dict, says: str):
    """A typing mistake must not become a test that passes on nothing."""
    with pytest.raises(ValueError, match=says):
        Scenario(**arguments)
