"""What goes wrong: how, at which calls, and how often."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_sandbox.answers import Json, Row
from weixin_sandbox.endpoints import Item

Edit = Callable[[list[Item], date], list[Item]]
"""Changes the items of an answer; the day is yesterday."""


def _as_it_is(items: list[Item], _yesterday: date) -> list[Item]:
    return items


@dataclass(frozen=True)
class Effect:
    """
    One way a call goes wrong.

    It is refused with `errcode`, or its items are changed by `edit`, or the finished answer has
    other fields, those in `answer`. `is_delay` is what an edited answer says. `call` and `endpoint`
    are what it hits by default.
    """

    sentence: str
    errcode: int | None = None
    call: str = "data"
    edit: Edit = _as_it_is
    answer: Mapping[str, Any] = field(default_factory=dict)
    is_delay: bool | str = False
    endpoint: str | None = None


NOTHING = Effect("All is well.")


def _each(change: Callable[[Item], Item]) -> Edit:
    return lambda items, _yesterday: [*map(change, items)]


def _first(change: Callable[[Item], Item]) -> Edit:
    return lambda items, _yesterday: [*map(change, items[:1]), *items[1:]]


def _without_yesterday(items: list[Item], yesterday: date) -> list[Item]:
    kept = [
        replace(item, rows=[it for it in item.rows if it["stat_date"] != yesterday.isoformat()])
        for item in items
    ]
    return [item for item in kept if item.rows]


def _retitled(item: Item) -> Item:
    title = item.keys.get("title")
    return replace(item, keys={**item.keys, "title": f"{title}（更新）"}) if title else item


def _taking_off_late(item: Item) -> Item:
    return replace(item, rows=[*map(_tenth, item.rows[:3]), *item.rows[3:]])


def _tenth(row: Row) -> Row:
    return {name: it if name == "target_user" else _tenth_of(it) for name, it in row.items()}


def _tenth_of(value: Json) -> Json:
    """A tenth of a total, or of the people in a list of sources; rates stay."""
    if isinstance(value, list):
        return [_tenth(it) if isinstance(it, dict) and "user_count" in it else it for it in value]
    return value // 10 if isinstance(value, int) else value


def _without_kanyikan(item: Item) -> Item:
    rows = [{name: row[name] for name in row if "kanyikan" not in name} for row in item.rows]
    return replace(item, rows=rows)


def _falling(item: Item) -> Item:
    *earlier, newest = item.rows
    return replace(item, rows=[*earlier, _below(earlier[-1], newest)]) if earlier else item


def _below(previous: Row, newest: Row) -> Row:
    return {
        name: it * 9 // 10 if isinstance(it, int) and name != "target_user" else newest[name]
        for name, it in previous.items()
    }


def _in_words(item: Item) -> Item:
    *earlier, newest = item.rows
    words = {name: f"about {it}" if isinstance(it, int) else it for name, it in newest.items()}
    return replace(item, rows=[*earlier, words])


_HTML = {"body": b"<html><body><h1>502 Bad Gateway</h1>nginx</body></html>", "errcode": None}
EFFECTS = {
    "busy": Effect("-1: the system is busy.", -1),
    "http-500": Effect("HTTP status 500 with a page of HTML.", answer={**_HTML, "status": 500}),
    "cut-answer": Effect(
        "The connection closes after half of the body.", answer={"errcode": None, "is_cut": True}
    ),
    "slow": Effect(
        "The answer is held back longer than a client waits.", answer={"hold_seconds": 35.0}
    ),
    "bad-json": Effect("HTTP status 200 with a page of HTML.", answer=_HTML),
    "clock-skew": Effect(
        "The Date header is an hour old.",
        answer={"clock_ahead_seconds": -3600},
    ),
    "token-expired": Effect("42001: the token has expired.", 42001),
    "daily-quota": Effect("45009: the day's calls are used up.", 45009),
    "offline": Effect(
        "47009: getarticletotal, or another, is gone.", 47009, endpoint=ARTICLE_TOTAL.endpoint
    ),
    "unauthorized": Effect("48001: the account may not use this endpoint.", 48001),
    "ip": Effect("40164 on the token call: the IP is not on the whitelist.", 40164, "token"),
    "not-ready": Effect("No answer has yesterday's row.", edit=_without_yesterday),
    "not-ready-code": Effect("61503: the figures are not ready yet.", 61503),
    "delayed-text": Effect(
        'As not-ready, and is_delay is the text "true".',
        edit=_without_yesterday,
        is_delay="true",
        endpoint=ARTICLE_TOTAL_DETAIL.endpoint,
    ),
    "empty": Effect("The list is empty, whatever there is.", edit=lambda *_: []),
    "fewer-articles": Effect(
        "The last article of an answer has vanished.", edit=lambda items, _yesterday: items[:-1]
    ),
    "new-title": Effect("An answer's first article has another title.", edit=_first(_retitled)),
    "missing-row": Effect(
        "The first article of an answer has no row of its third day.",
        edit=_first(lambda item: replace(item, rows=item.rows[:2] + item.rows[3:])),
    ),
    "late-takeoff": Effect(
        "The first three rows of an answer's first article have a tenth of its totals.",
        edit=_first(_taking_off_late),
    ),
    "late-figures": Effect(
        "The figures of kanyikan are missing, as they often are.", edit=_each(_without_kanyikan)
    ),
    "falling-total": Effect(
        "The newest row's totals are below its day before's.", edit=_each(_falling)
    ),
    "odd-row": Effect(
        "The newest row of an answer's first article has texts in place of whole numbers.",
        edit=_first(_in_words),
    ),
}


@dataclass(frozen=True)
class Scenario:
    """
    One thing that goes wrong for the calls it matches, so many `times` (None: always).

    `name` is one of `EFFECTS` or `errcode:N`, for data calls; with `token-call:`, `quota-call:`,
    `list-call:` or `info-call:` in front it hits such calls. Without `account` it hits every
    AppID's, on a platform's own calls the platform's; without `day` every day, with `last_day`
    those from one to the other; without `endpoint` every one that the effect is meant for.
    """

    name: str
    account: str | None = None
    day: date | None = None
    times: int | None = None
    endpoint: str | None = None
    last_day: date | None = None
    _hits: Iterator[int] = field(
        default_factory=itertools.count, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Refuse a name that there is not."""
        _ = self.effect

    @property
    def effect(self) -> Effect:
        """What it does to a call."""
        match = re.fullmatch(r"(?:(token|quota|list|info)-call:)?(errcode:(-?\d+)|.*)", self.name)
        call, name, errcode = match.groups() if match else (None, "", None)
        effect = Effect(f"{errcode}.", int(errcode)) if errcode else EFFECTS.get(name)
        if effect is None:
            known = ", ".join([*EFFECTS, "errcode:N", "token-call:NAME"])
            raise ValueError(f"There is no scenario {self.name!r}; there are {known}.")
        return replace(effect, call=call or effect.call)

    def hits(
        self, call: str, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> bool:
        """Whether it hits a call, which then counts; only a data call has a day and an endpoint."""
        effect = self.effect
        if call != effect.call or self.account not in (None, appid):
            return False
        if call == "data" and (self.endpoint or effect.endpoint) not in (None, endpoint):
            return False
        if self.day and not (day and self.day <= day <= (self.last_day or self.day)):
            return False
        return self.times is None or next(self._hits) < self.times
