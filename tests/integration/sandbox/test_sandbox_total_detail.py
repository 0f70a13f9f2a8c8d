"""What `getarticletotaldetail` answers when nothing goes wrong."""

import itertools
import json
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sandbox_caller import DETAIL_PATH, TODAY, Caller

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

ENDPOINT = "getarticletotaldetail"
YESTERDAY = TODAY - timedelta(days=1)
SEASON = [date(2026, 8, 1) + timedelta(days=number) for number in range(60)]
TOTALS = [
    "read_user",
    "share_user",
    "zaikan_user",
    "like_user",
    "comment_count",
    "collection_user",
    "praise_money",
    "read_subscribe_user",
]
RATES = ["read_delivery_rate", "read_finish_rate", "read_avg_activetime"]


@pytest.fixture
def detail(caller: Caller) -> Caller:
    """A client that asks the successor."""
    caller.data_path = DETAIL_PATH
    return caller


def known(day: date, asked_on: date, endpoint: str = ENDPOINT) -> list[dict[str, Any]]:
    """The articles of a day as they stood on another, with every number as it was written."""
    body = Sandbox().answer(DEFAULT_ACCOUNT.appid, day, asked_on, endpoint=endpoint)
    return json.loads(body, parse_float=Decimal)["list"]


@pytest.fixture(scope="module")
def finished() -> list[dict[str, Any]]:
    """The articles of sixty days, long after them."""
    return [item for day in SEASON for item in known(day, day + timedelta(days=60))]


def test_served_bytes_are_the_truth_of_answer(detail: Caller):
    """What is served is byte for byte what `answer` says, for the whole window."""
    window = [TODAY - timedelta(days=age) for age in range(1, 31)]

    served = [detail.ask(day).content for day in window]

    assert served == [
        detail.sandbox.answer(DEFAULT_ACCOUNT.appid, day, TODAY, endpoint=ENDPOINT)
        for day in window
    ]
    assert sum(len(body) > 1000 for body in served) > 20


def test_an_answer_looks_like_the_documented_one(detail: Caller):
    """Keys in WeChat's order, Chinese scenes, rates, and a top-level is_delay."""
    answer = json.loads(detail.ask(YESTERDAY).content)

    assert list(answer) == ["list", "is_delay"]
    assert answer["is_delay"] is False
    assert answer["list"][0] == {
        "ref_date": "2026-11-23",
        "msgid": "2247492397_1",
        "publish_type": 1,
        "title": "大理人的直播带货🔥，你赶上了吗",
        "content_url": "http://mp.weixin.qq.com/s?__biz=wx5a4d80c70b1e2f3a&mid=2247492397&idx=1"
        "&sn=6ade0ea7ad6047241cc092d13d20e115#rd",
        "detail_list": [
            {
                "stat_date": "2026-11-23",
                "read_user": 2083,
                "read_user_source": [
                    {"user_count": 2083, "scene_desc": "全部"},
                    {"user_count": 861, "scene_desc": "公众号消息"},
                    {"user_count": 191, "scene_desc": "聊天会话"},
                    {"user_count": 482, "scene_desc": "朋友圈"},
                    {"user_count": 31, "scene_desc": "公众号主页"},
                    {"user_count": 98, "scene_desc": "推荐"},
                    {"user_count": 178, "scene_desc": "其他"},
                ],
                "share_user": 76,
                "zaikan_user": 60,
                "like_user": 85,
                "comment_count": 15,
                "collection_user": 47,
                "praise_money": 0,
                "read_subscribe_user": 18,
                "read_delivery_rate": 0.0225275,
                "read_finish_rate": 0.6848396,
                "read_avg_activetime": 2.991412,
                "read_jump_position": [
                    {"position": 1, "rate": 0.3529479},
                    {"position": 2, "rate": 0.157195},
                    {"position": 3, "rate": 0.0921226},
                    {"position": 4, "rate": 0.043967},
                    {"position": 5, "rate": 0.0190732},
                ],
            }
        ],
    }


def test_a_silent_day_is_an_empty_list(detail: Caller):
    """A day without publications has no articles, and says whether that is the newest."""
    assert detail.ask(date(2026, 11, 17)).content == b'{"list":[],"is_delay":false}'


@pytest.mark.parametrize("age", [1, 2, 7, 8, 29, 30, 31, 60])
def test_a_day_has_a_row_for_each_day_until_yesterday_and_thirty_at_most(age: int):
    """The row of a day exists from the next morning on, and the thirtieth is the last."""
    day = date(2026, 8, 2)
    expected = [(day + timedelta(days=number)).isoformat() for number in range(min(age, 30))]

    dates = [
        [row["stat_date"] for row in item["detail_list"]]
        for item in known(day, day + timedelta(days=age))
    ]

    assert dates == [expected] * 6


def test_advancing_today_adds_a_row_and_leaves_the_earlier_ones_alone(detail: Caller):
    """No restatement: growing is appending."""
    day = TODAY - timedelta(days=20)
    before = detail.items(day)
    detail.sandbox.today = TODAY + timedelta(days=1)

    after = detail.items(day)

    assert [len(item["detail_list"]) for item in before] == [20, 20, 20]
    assert [{**item, "detail_list": item["detail_list"][:20]} for item in after] == before
    assert [len(item["detail_list"]) for item in after] == [21, 21, 21]


def test_totals_never_fall_and_still_grow_after_a_week(finished: list[dict[str, Any]]):
    """Cumulative totals rise all thirty days, most of it in the first ones."""
    for item in finished:
        rows = item["detail_list"]
        for before, after in itertools.pairwise(rows):
            assert all(after[name] >= before[name] for name in TOTALS)
        reads = [row["read_user"] for row in rows]
        assert reads[0] < reads[6] < reads[29]
        assert reads[6] > reads[29] * 0.9

    assert len(finished) > 200


def test_both_endpoints_know_the_same_articles_and_count_differently():
    """msgid, title and day are the same; after a week the successor counts somewhat fewer."""
    ratios = []
    for day in SEASON:
        late = day + timedelta(days=60)
        total, detail = known(day, late, "getarticletotal"), known(day, late)
        of_both = ["ref_date", "msgid", "title", "content_url"]
        assert [[item[key] for key in of_both] for item in detail] == [
            [item[key] for key in of_both] for item in total
        ]
        ratios += [
            one["detail_list"][6]["read_user"] / other["details"][6]["int_page_read_user"]
            for one, other in zip(detail, total, strict=True)
        ]

    assert len(ratios) == 275
    assert 0.88 < min(ratios) < max(ratios) < 1


def test_scenes_are_chinese_texts_with_the_sum_of_people_first(finished: list[dict[str, Any]]):
    """`全部` is the row's read_user; six scenes are always there, `搜一搜` now and then."""
    scenes = [
        [(source["scene_desc"], source["user_count"]) for source in row["read_user_source"]]
        for item in finished
        for row in item["detail_list"]
    ]
    names = {tuple(name for name, _ in sources) for sources in scenes}
    always = ("全部", "公众号消息", "聊天会话", "朋友圈", "公众号主页", "推荐", "其他")

    assert names == {always, (*always, "搜一搜")}
    assert [sources[0][1] for sources in scenes] == [
        row["read_user"] for item in finished for row in item["detail_list"]
    ]


def test_rates_have_seven_decimals(finished: list[dict[str, Any]]):
    """Written without an exponent, with seven decimals but for zeros at the end."""
    rows = [row for item in finished for row in item["detail_list"]]
    rates = [row[name] for row in rows for name in RATES]
    jumps = [row["read_jump_position"] for row in rows]
    rates += [jump["rate"] for positions in jumps for jump in positions]

    assert all(re.fullmatch(r"\d\.\d{1,7}", str(rate)) for rate in rates)
    assert sum(len(str(rate)) == len("0.1234567") for rate in rates) > len(rates) * 0.8
    assert all(0 < row[name] < 1 for row in rows for name in RATES[:2])
    assert {tuple(jump["position"] for jump in positions) for positions in jumps} == {
        (1, 2, 3, 4, 5)
    }


def test_a_message_is_notified_or_not(finished: list[dict[str, Any]]):
    """publish_type is the same for all articles of a message, and mostly 0."""
    types: dict[str, set[int]] = {}
    for item in finished:
        types.setdefault(item["msgid"].split("_")[0], set()).add(item["publish_type"])

    assert {len(values) for values in types.values()} == {1}
    silent = sum(values == {1} for values in types.values())
    assert 0.1 < silent / len(types) < 0.35


def test_money_is_given_to_few_articles(finished: list[dict[str, Any]]):
    """Tips are in cents, and most articles get none."""
    tipped = [item for item in finished if item["detail_list"][-1]["praise_money"]]

    assert 0.03 < len(tipped) / len(finished) < 0.2


def test_same_seed_gives_the_same_bytes_in_another_process(detail: Caller):
    """Figures depend on seed, account and days, not on the process or its hash seed."""
    script = (
        "import sys; from datetime import date; from weixin_sandbox import *;"
        "sys.stdout.buffer.write(Sandbox().answer(DEFAULT_ACCOUNT.appid,"
        "date(2026, 11, 18), date(2026, 11, 24), endpoint='getarticletotaldetail'))"
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

    assert bodies == {detail.ask(date(2026, 11, 18)).content}
    assert len(bodies.pop()) > 1000
