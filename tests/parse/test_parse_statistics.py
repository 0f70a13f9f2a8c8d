"""Answers of statistics days: an item is one row, wherever the endpoint puts its figures."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import (
    ACCOUNT_SUMMARY,
    ARTICLE_READ,
    ARTICLE_SHARE,
    FOLLOWER_CHANGE,
    FOLLOWER_TOTAL,
    Dataset,
)
from weixin_etl.parse import Parsed, parse

FIXTURES = Path(__file__).parents[1] / "fixtures"
DAY = date(2026, 5, 12)
BIGINT = "a whole number from 0 to 9223372036854775807"
NEGATIVE = f"cumulate_user is a negative number, not {BIGINT}"
OTHER_DAY = "ref_date is not the day asked for"
NO_MSGID = "msgid is missing, not a text of 1 to 200 characters"
NO_FIGURE = "a row without a figure"
NO_DAY = "stat_date is no day that the answer can have a row of"


def read(dataset: Dataset, answer: bytes) -> Parsed:
    """The answer of the day, taken apart."""
    return parse(dataset, answer, DAY, datetime(2026, 5, 13, 8, 30, tzinfo=SHANGHAI))


def answer_of(*items: Mapping[str, Any]) -> bytes:
    """An answer whose items are of the day, unless they say otherwise."""
    return json.dumps({"list": [{"ref_date": "2026-05-12", **item} for item in items]}).encode()


def figures(parsed: Parsed) -> dict[str, dict[str, Any]]:
    """By item: the figures of its row, without lists, and what is unknown."""
    return {
        name: {
            metric: value
            for metric, value in msgspec.structs.asdict(item.rows[DAY]).items()
            if metric != "stat_date" and value is not None and not isinstance(value, list)
        }
        | item.row_extras.get(DAY, {})
        for name, item in parsed.articles.items()
    }


SUMMARY = {"read_user": 505, "share_user": 31, "zaikan_user": 12, "like_user": 27}
SUMMARY |= {"comment_count": 3, "collection_user": 22, "redirect_ori_page_user": 6}
CHANGES = {"0": (4, 9), "1": (11, 0), "17": (3, 1), "30": (6, 0), "57": (14, 2)}
"""New and lost followers of a channel."""


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (ARTICLE_READ, {"2650871201_1": {"read_user": 420}, "2650871201_2": {"read_user": 88}}),
        (ARTICLE_SHARE, {"2650871201_1": {"share_user": 31}}),
        (ACCOUNT_SUMMARY, {"": SUMMARY | {"send_page_count": 0}}),
        (
            FOLLOWER_CHANGE,
            {
                channel: {"new_user": new, "cancel_user": lost}
                for channel, (new, lost) in CHANGES.items()
            },
        ),
        (FOLLOWER_TOTAL, {"": {"cumulate_user": 18266}}),
    ],
    ids=lambda it: it.name if isinstance(it, Dataset) else "",
)
def test_an_answer_as_public_sources_show_it(
    dataset: Dataset, expected: dict[str, dict[str, Any]]
) -> None:
    """Every figure is a metric: nothing is unknown, and nothing is rejected."""
    (example,) = (FIXTURES / dataset.name).iterdir()

    parsed = read(dataset, example.read_bytes())

    assert figures(parsed) == expected
    assert (parsed.rejected, parsed.unknown_metrics, parsed.is_delayed) == ([], set(), False)


def test_what_an_item_has_beside_its_row_is_kept_with_it() -> None:
    """No dimension takes a title of it, and an unknown key is lost nowhere."""
    detail = {"read_user": 4, "deep": {"a": [1]}}

    parsed = read(ARTICLE_READ, answer_of({"msgid": "1_1", "title": "题", "detail": detail}))

    assert figures(parsed) == {"1_1": {"read_user": 4, "title": "题", "deep": {"a": [1]}}}
    assert parsed.unknown_metrics == {"title", "deep"}


def test_the_same_key_twice_is_one_row() -> None:
    """The last value of each field; of another channel it is another row."""
    items = [
        {"user_source": 1, "new_user": 5, "cancel_user": 2},
        {"user_source": "1", "new_user": 6},
        {"user_source": 201, "new_user": 7},
    ]

    parsed = read(FOLLOWER_CHANGE, answer_of(*items))

    assert figures(parsed) == {"1": {"new_user": 6, "cancel_user": 2}, "201": {"new_user": 7}}


NO_CHANNEL = f"user_source is {{}}, not {BIGINT}"


@pytest.mark.parametrize(
    ("dataset", "item", "reason", "loaded"),
    [
        (FOLLOWER_TOTAL, {"ref_date": "2026-05-11", "cumulate_user": 1}, OTHER_DAY, {}),
        (FOLLOWER_TOTAL, {"cumulate_user": -1}, NEGATIVE, {"": {}}),
        (FOLLOWER_CHANGE, {"new_user": 1}, NO_CHANNEL.format("missing"), {}),
        (FOLLOWER_CHANGE, {"user_source": "x", "new_user": 1}, NO_CHANNEL.format("a text"), {}),
        (ARTICLE_SHARE, {"detail": {"share_user": 1}}, NO_MSGID, {}),
    ],
)
def test_what_does_not_fit_is_rejected_alone(
    dataset: Dataset, item: dict[str, Any], reason: str, loaded: dict[str, Any]
) -> None:
    """With its reason; an answer of several days gives the day asked for alone."""
    parsed = read(dataset, answer_of(item))

    assert [it.reason for it in parsed.rejected] == [reason]
    assert figures(parsed) == loaded


@pytest.mark.parametrize(
    ("dataset", "item", "reason"),
    [
        (ARTICLE_READ, {"msgid": "1_1"}, NO_FIGURE),
        (ARTICLE_READ, {"msgid": "1_1", "detail": [1]}, "detail is a list, not an object"),
        (ACCOUNT_SUMMARY, {"detail": {}}, NO_FIGURE),
        (ACCOUNT_SUMMARY, {"detail": {"stat_date": "2026-05-11", "read_user": 1}}, NO_DAY),
        (FOLLOWER_TOTAL, {"cumulate_user": None, "followers": 9}, NO_FIGURE),
    ],
)
def test_an_item_without_figures_of_its_day_is_rejected(
    dataset: Dataset, item: dict[str, Any], reason: str
) -> None:
    """It is listed, without a row: nobody takes its figures for 0, or its day for known."""
    parsed = read(dataset, answer_of(item))

    assert [it.rows for it in parsed.articles.values()] == [{}]
    assert [it.reason for it in parsed.rejected] == [reason]
