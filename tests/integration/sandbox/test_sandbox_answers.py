"""What `getarticletotal` answers when nothing goes wrong."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sandbox_caller import TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox

A_YEAR = [date(2025, 11, 1) + timedelta(days=number) for number in range(365)]
METRICS = {
    "target_user",
    "int_page_read_user",
    "int_page_read_count",
    "ori_page_read_user",
    "ori_page_read_count",
    "share_user",
    "share_count",
    "add_to_fav_user",
    "add_to_fav_count",
    "int_page_from_session_read_user",
    "int_page_from_session_read_count",
    "int_page_from_hist_msg_read_user",
    "int_page_from_hist_msg_read_count",
    "int_page_from_feed_read_user",
    "int_page_from_feed_read_count",
    "int_page_from_friends_read_user",
    "int_page_from_friends_read_count",
    "int_page_from_other_read_user",
    "int_page_from_other_read_count",
    "feed_share_from_session_user",
    "feed_share_from_session_cnt",
    "feed_share_from_feed_user",
    "feed_share_from_feed_cnt",
    "feed_share_from_other_user",
    "feed_share_from_other_cnt",
}
OFTEN_ABSENT = {
    "int_page_from_kanyikan_read_user",
    "int_page_from_kanyikan_read_count",
    "int_page_from_souyisou_read_user",
    "int_page_from_souyisou_read_count",
}


def finished(sandbox: Sandbox, day: date, appid: str = DEFAULT_ACCOUNT.appid) -> list[dict]:
    """The articles of a day, long after it."""
    return json.loads(sandbox.answer(appid, day, day + timedelta(days=30)))["list"]


def test_served_bytes_are_the_truth_of_answer(caller: Caller):
    """What is served is byte for byte what `answer` says, for the whole window."""
    window = [TODAY - timedelta(days=age) for age in range(1, 8)]

    served = [caller.ask(day).content for day in window]

    assert served == [caller.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY) for day in window]
    assert any(len(body) > len(b'{"list":[]}') for body in served)


def test_content_type_has_no_charset_and_titles_are_raw_utf8(caller: Caller):
    """Answers come as bare `text/plain`, with Chinese characters as themselves."""
    answer = caller.ask(TODAY - timedelta(days=1))

    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.status_code == 200
    title = json.loads(answer.content)["list"][0]["title"]
    assert any("\u4e00" <= character <= "\u9fff" for character in title)
    assert title.encode() in answer.content
    assert b"\\u" not in answer.content


def test_success_has_no_errcode(caller: Caller):
    """A success is told by the absence of an errcode."""
    assert set(caller.ask(TODAY - timedelta(days=1)).json()) == {"list"}


def test_row_has_the_documented_keys():
    """Every row holds 26 keys; the four kanyikan and souyisou ones come all or none."""
    sandbox = Sandbox()
    extra = [
        set(row) - METRICS - {"stat_date"}
        for day in A_YEAR
        for item in finished(sandbox, day)
        for row in item["details"]
        if METRICS | {"stat_date"} <= set(row)
    ]
    rows = sum(len(i["details"]) for day in A_YEAR for i in finished(sandbox, day))

    assert len(extra) == rows > 5000
    unknown = {"int_page_from_finder_read_user", "int_page_from_finder_read_count"}
    assert {frozenset(keys) for keys in extra} == {
        frozenset(),
        frozenset(OFTEN_ABSENT),
        frozenset(unknown),
        frozenset(OFTEN_ABSENT | unknown),
    }
    assert sum(keys >= OFTEN_ABSENT for keys in extra) < rows / 2
    assert len(METRICS | OFTEN_ABSENT) == 29


def test_item_carries_the_undocumented_keys(caller: Caller):
    """Items say their day, msgid and title, and what the documentation leaves out."""
    day = TODAY - timedelta(days=1)

    for item in caller.items(day):
        assert list(item) == [
            "ref_date",
            "msgid",
            "title",
            "user_source",
            "url",
            "content_url",
            "details",
        ]
        assert item["ref_date"] == day.isoformat()
        assert item["user_source"] == 0
        assert f"mid={item['msgid'].split('_')[0]}&idx={item['msgid'].split('_')[1]}" in item["url"]


@pytest.mark.parametrize("age", range(1, 12))
def test_a_day_has_a_row_for_each_day_until_yesterday_and_seven_at_most(age: int):
    """The row of a day exists from the next morning on, and the seventh is the last."""
    sandbox = Sandbox()
    day = next(day for day in A_YEAR if finished(sandbox, day))

    body = sandbox.answer(DEFAULT_ACCOUNT.appid, day, day + timedelta(days=age))

    expected = [(day + timedelta(days=number)).isoformat() for number in range(min(age, 7))]
    for item in json.loads(body)["list"]:
        assert [row["stat_date"] for row in item["details"]] == expected


def test_advancing_today_adds_a_row_and_leaves_the_earlier_ones_alone(caller: Caller):
    """No restatement: growing is appending."""
    day = TODAY - timedelta(days=3)
    before = caller.items(day)
    caller.sandbox.today = TODAY + timedelta(days=1)

    after = caller.items(day)

    assert [len(item["details"]) for item in before] == [3] * len(before)
    assert [{**item, "details": item["details"][:3]} for item in after] == before
    assert [len(item["details"]) for item in after] == [4] * len(before)


def test_totals_never_fall_and_grow_ever_slower():
    """Cumulative totals rise along a decaying curve; target_user stays where it is."""
    sandbox = Sandbox()
    seen = 0
    for item in (item for day in A_YEAR for item in finished(sandbox, day)):
        rows = item["details"]
        for before, after in itertools.pairwise(rows):
            assert all(after[name] >= before[name] for name in set(before) - {"stat_date"})
            assert after["target_user"] == before["target_user"]
        reads = [row["int_page_read_count"] for row in rows]
        gains = [after - before for before, after in itertools.pairwise(reads)]
        assert gains[0] > 0
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(gains))
        seen += 1

    assert seen > 1000


def test_people_never_read_more_often_than_they_are():
    """A number of times is at least the number of people."""
    rows = [row for day in A_YEAR for i in finished(Sandbox(), day) for row in i["details"]]

    pairs = [(name, name.removesuffix("_user") + "_count") for name in METRICS - {"target_user"}]
    assert all(row[user] <= row[count] for row in rows for user, count in pairs if count in row)


def test_target_user_is_one_number_per_message():
    """All articles of a message were sent to the same people."""
    targets: dict[str, set[int]] = {}
    for item in (item for day in A_YEAR for item in finished(Sandbox(), day)):
        message, _ = item["msgid"].split("_")
        targets.setdefault(message, set()).update(row["target_user"] for row in item["details"])

    assert {len(numbers) for numbers in targets.values()} == {1}
    assert len({number for numbers in targets.values() for number in numbers}) > 100


def test_about_two_days_of_seven_are_silent():
    """Silent days exist and are the minority, in every account."""
    silent = [day for day in A_YEAR if not finished(Sandbox(), day)]

    assert 0.2 < len(silent) / len(A_YEAR) < 0.37


def test_a_silent_day_is_an_empty_list(caller: Caller):
    """A day without publications is `{"list":[]}`, no errcode."""
    silent = next(day for day in A_YEAR if not finished(caller.sandbox, day))

    assert caller.ask(silent).content == b'{"list":[]}'


def test_msgids_count_up_with_the_days_and_never_clash():
    """Message ids rise from 2247483647 and articles count from 1 to at most 8."""
    sandbox = Sandbox()
    msgids = [i["msgid"] for day in A_YEAR for i in finished(sandbox, day)]
    keys = [tuple(map(int, msgid.split("_"))) for msgid in msgids]

    assert len(set(msgids)) == len(msgids)
    assert keys == sorted(keys)
    assert min(message for message, _ in keys) >= 2247483647
    assert {position for _, position in keys} == set(range(1, 9))
    for message, position in keys:
        assert position == 1 or (message, position - 1) in set(keys)


def test_two_accounts_share_msgids_but_not_figures():
    """A msgid is unique inside its account only."""
    first, second = Account("wx1", "s1"), Account("wx2", "s2")
    sandbox = Sandbox(accounts=[first, second])
    of = {
        account.appid: {
            i["msgid"]: i for day in A_YEAR for i in finished(sandbox, day, account.appid)
        }
        for account in (first, second)
    }

    shared = set(of["wx1"]) & set(of["wx2"])
    assert len(shared) > 100
    assert all(of["wx1"][msgid]["details"] != of["wx2"][msgid]["details"] for msgid in shared)


def test_titles_carry_what_breaks_careless_loaders():
    """Quotes, commas, backslashes and emoji occur, and titles vary."""
    titles = [i["title"] for day in A_YEAR for i in finished(Sandbox(), day)]

    assert len(set(titles)) > len(titles) / 3
    for character in ['"', ",", "\\", "'", "🔥", "\u200d", "“"]:
        assert any(character in title for title in titles), character


def test_sub_totals_need_not_add_up():
    """The parts of the readers exceed the whole in some rows and fall short in others."""
    rows = [row for day in A_YEAR for i in finished(Sandbox(), day) for row in i["details"]]
    sources = [n for n in METRICS if n.startswith("int_page_from") and n.endswith("_user")]

    gaps = [sum(row[name] for name in sources) - row["int_page_read_user"] for row in rows]
    assert min(gaps) < 0 < max(gaps)


def test_same_seed_gives_the_same_bytes_in_another_process(caller: Caller):
    """Figures depend on seed, account and days, not on the process or its hash seed."""
    script = (
        "import sys; from datetime import date; from weixin_sandbox import *;"
        "sys.stdout.buffer.write(Sandbox().answer(DEFAULT_ACCOUNT.appid,"
        "date(2026, 11, 18), date(2026, 11, 24)))"
    )
    bodies = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert bodies == {caller.ask(date(2026, 11, 18)).content}
    assert len(bodies.pop()) > 1000


def test_another_seed_gives_other_figures(start: Callable[..., Caller]):
    """The seed matters."""
    first, second = start(seed=1).sandbox, start(seed=2).sandbox

    assert [finished(first, day) for day in A_YEAR] != [finished(second, day) for day in A_YEAR]


def test_order_and_history_of_calls_do_not_matter(start: Callable[..., Caller]):
    """A day's answer is the same whatever was asked before it."""
    days = [TODAY - timedelta(days=age) for age in range(1, 31)]
    forwards, backwards = start(), start()

    asked_forwards = {day: forwards.ask(day).content for day in days}
    asked_backwards = {day: backwards.ask(day).content for day in reversed(days)}

    assert asked_forwards == asked_backwards


def test_answer_refuses_a_day_that_could_not_be_asked_for():
    """The truth of an impossible question is no empty list."""
    sandbox = Sandbox()

    with pytest.raises(ValueError, match="2026-11-24 cannot be asked for on 2026-11-24"):
        sandbox.answer(DEFAULT_ACCOUNT.appid, TODAY, TODAY)
    with pytest.raises(ValueError, match="2014-11-30"):
        sandbox.answer(DEFAULT_ACCOUNT.appid, date(2014, 11, 30), TODAY)
    with pytest.raises(KeyError):
        sandbox.answer("wx-nobody", date(2026, 11, 1), TODAY)
