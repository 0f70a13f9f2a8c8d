"""What each scenario does to a call, and the one sentence that says so."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from weixin_sandbox.answers import Json
from weixin_sandbox.endpoints import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Item

Row = dict[str, Json]
_HTML = {
    "body": b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    "errcode": None,
}


@dataclass(frozen=True)
class Effect:
    """
    One way a call goes wrong.

    A call is refused with `errcode`, or its articles are changed by `edit` (given yesterday's
    date), or the finished answer has other fields, those in `answer`; one that `is_slow` is held
    back. `is_delay` is what the answer then says of a day whose figures are not the newest.
    `endpoint` names the one it hits unless the scenario names another; None hits all.
    """

    sentence: str
    errcode: int | None = None
    is_for_token_call: bool = False
    expires_token: bool = False
    edit: "Edit | None" = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    is_slow: bool = False
    is_delay: bool | str = False
    endpoint: str | None = None


Edit = Callable[[list[Item], date], list[Item]]
"""Changes the items of an answer; the day is yesterday."""


def _without_yesterday(items: list[Item], yesterday: date) -> list[Item]:
    earlier = [item.until(yesterday - timedelta(days=1)) for item in items]
    return [item for item in earlier if item.rows]


def _short(left_out: int) -> Effect:
    return Effect(
        "The first article of an answer is left out.",
        edit=lambda items, _yesterday: items[left_out:],
    )


def _first(change: Callable[[Item], Item]) -> Edit:
    """The edit that changes an answer's first article."""
    return lambda items, _yesterday: [*map(change, items[:1]), *items[1:]]


def _each(change: Callable[[Item], Item]) -> Edit:
    """The edit that changes every article."""
    return lambda items, _yesterday: [*map(change, items)]


def _retitled(item: Item) -> Item:
    if "title" not in item.keys:
        return item
    return replace(item, keys={**item.keys, "title": f"{item.keys['title']}（更新）"})


def _taking_off_late(item: Item) -> Item:
    return replace(item, rows=[*map(_tenth, item.rows[:3]), *item.rows[3:]])


def _tenth(row: Row) -> Row:
    return {
        name: value if name == "target_user" else _tenth_of(value) for name, value in row.items()
    }


def _tenth_of(value: Json) -> Json:
    """A tenth of a total, or of the people in a list of sources; rates stay."""
    if isinstance(value, int):
        return value // 10
    if isinstance(value, list):
        return [
            {**it, "user_count": _tenth_of(it["user_count"])}
            if isinstance(it, dict) and "user_count" in it
            else it
            for it in value
        ]
    return value


def _without_kanyikan(item: Item) -> Item:
    rows = [{name: row[name] for name in row if "kanyikan" not in name} for row in item.rows]
    return replace(item, rows=rows)


def _falling(item: Item) -> Item:
    *earlier, newest = item.rows
    return replace(item, rows=[*earlier, _below(earlier[-1], newest)]) if earlier else item


def _below(previous: Row, newest: Row) -> Row:
    return {
        name: value * 9 // 10 if isinstance(value, int) and name != "target_user" else newest[name]
        for name, value in previous.items()
    }


def _in_words(item: Item) -> Item:
    *earlier, newest = item.rows
    words = {name: f"about {it}" if isinstance(it, int) else it for name, it in newest.items()}
    return replace(item, rows=[*earlier, words])


EFFECTS = {
    "busy": Effect("-1: the system is busy.", errcode=-1),
    "http-500": Effect("HTTP status 500 with a page of HTML.", answer={**_HTML, "status": 500}),
    "cut-answer": Effect(
        "The connection closes after half of the body.", answer={"errcode": None, "is_cut": True}
    ),
    "slow": Effect("The answer is held back longer than a client waits.", is_slow=True),
    "bad-json": Effect("HTTP status 200 with a page of HTML.", answer=_HTML),
    "clock-skew": Effect(
        "The Date header says what time it was an hour ago.", answer={"clock_ahead_seconds": -3600}
    ),
    "token-expired": Effect(
        "42001: the token is expired from now on; asking again gives a new one.",
        errcode=42001,
        expires_token=True,
    ),
    "minute-quota": Effect("45011: too many calls in this minute.", errcode=45011),
    "daily-quota": Effect("45009: the day's calls are used up.", errcode=45009),
    "offline": Effect(
        "47009: the endpoint is gone, use the new one (getarticletotal, unless another is named).",
        errcode=47009,
        endpoint=ARTICLE_TOTAL.name,
    ),
    "unauthorized": Effect("48001: the account may not use this endpoint.", errcode=48001),
    "not-ready": Effect(
        "Yesterday's row is missing from every answer, and yesterday's own list is empty.",
        edit=_without_yesterday,
    ),
    "delayed": Effect(
        "As not-ready, and is_delay is true for every day still counting (getarticletotaldetail).",
        edit=_without_yesterday,
        is_delay=True,
        endpoint=ARTICLE_TOTAL_DETAIL.name,
    ),
    "delayed-text": Effect(
        'As not-ready, and is_delay is the text "true".',
        edit=_without_yesterday,
        is_delay="true",
        endpoint=ARTICLE_TOTAL_DETAIL.name,
    ),
    "not-ready-code": Effect("61503: the figures are not ready yet.", errcode=61503),
    "fewer-articles": Effect(
        "The last article of an answer has vanished.", edit=lambda items, _yesterday: items[:-1]
    ),
    "empty": Effect(
        "The list is empty, as for a day without publications, whatever there is.",
        edit=lambda _items, _yesterday: [],
    ),
    "short": _short(1),
    "new-title": Effect(
        "The first article of an answer has another title.", edit=_first(_retitled)
    ),
    "missing-row": Effect(
        "The first article of an answer has no row of its third day.",
        edit=_first(lambda item: replace(item, rows=item.rows[:2] + item.rows[3:])),
    ),
    "late-takeoff": Effect(
        "The first three rows of an answer's first article have a tenth of its totals.",
        edit=_first(_taking_off_late),
    ),
    "late-figures": Effect(
        "The figures of kanyikan are missing, as they often are (getarticletotal).",
        edit=_each(_without_kanyikan),
        endpoint=ARTICLE_TOTAL.name,
    ),
    "falling-total": Effect(
        "The newest row's totals are below the day before (in answers of two rows or more).",
        edit=_each(_falling),
    ),
    "repeated-article": Effect(
        "The first article of an answer is there twice, the second time without its newest row.",
        edit=lambda items, _yesterday: [
            *items,
            *(replace(item, rows=item.rows[:-1]) for item in items[:1]),
        ],
    ),
    "odd-row": Effect(
        "The newest row of an answer's first article has texts in place of whole numbers.",
        edit=_first(_in_words),
    ),
    "ip": Effect(
        "40164 on the token call: the IP is not on the whitelist.",
        errcode=40164,
        is_for_token_call=True,
    ),
    "secret-frozen": Effect(
        "40243 on the token call: the secret is frozen.", errcode=40243, is_for_token_call=True
    ),
}
NUMBERED = {
    "errcode:N": "Any other refusal, by its number.",
    "short:N": "The first N articles of an answer are left out.",
}
"""Scenarios with a number, and the sentence of each."""


def effect_named(name: str) -> Effect:
    """
    What a scenario's name stands for.

    Raises:
        ValueError: there is no such scenario.
    """
    if match := re.fullmatch(r"errcode:(-?\d+)", name):
        return Effect(f"{match[1]}.", errcode=int(match[1]))
    if match := re.fullmatch(r"short:([1-9]\d*)", name):
        return _short(int(match[1]))
    if name not in EFFECTS:
        known = ", ".join([*EFFECTS, *NUMBERED])
        raise ValueError(f"There is no scenario {name!r}; there are {known}.")
    return EFFECTS[name]
