"""The failures that the sandbox can simulate: their effects, the calls they hit, and how often."""

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
"""A function that changes the items of an answer; its second argument is yesterday."""


def _unchanged(items: list[Item], _yesterday: date) -> list[Item]:
    """Return the items unchanged."""
    return items


@dataclass(frozen=True)
class Effect:
    """
    One way in which a call fails.

    Attributes:
        sentence: the description in the command's help.
        errcode: the errcode that refuses the call.
        call: the kind of call that it hits by default: data, token, quota, list or info.
        edit: the change of the answer's items.
        answer: changed fields of the finished `Answer`.
        is_delay: the value of an edited answer's key `is_delay`.
        endpoint: the only endpoint that it hits by default; None for all.
    """

    sentence: str
    errcode: int | None = None
    call: str = "data"
    edit: Edit = _unchanged
    answer: Mapping[str, Any] = field(default_factory=dict)
    is_delay: bool | str = False
    endpoint: str | None = None


NOTHING = Effect("All is well.")


def _each(change: Callable[[Item], Item]) -> Edit:
    """Return an edit that changes every item."""
    return lambda items, _yesterday: [*map(change, items)]


def _first(change: Callable[[Item], Item]) -> Edit:
    """Return an edit that changes the first item."""
    return lambda items, _yesterday: [*map(change, items[:1]), *items[1:]]


def _without_yesterday(items: list[Item], yesterday: date) -> list[Item]:
    """Return the items without yesterday's rows, and without items that have no other rows."""
    kept = [
        replace(item, rows=[row for row in item.rows if row["stat_date"] != yesterday.isoformat()])
        for item in items
    ]
    return [item for item in kept if item.rows]


def _retitled(item: Item) -> Item:
    """Return the item with another title, if it has one."""
    title = item.keys.get("title")
    return replace(item, keys={**item.keys, "title": f"{title}（更新）"}) if title else item


def _with_low_start(item: Item) -> Item:
    """Return the item with a tenth of the totals in its first three rows."""
    return replace(item, rows=[*map(_tenth, item.rows[:3]), *item.rows[3:]])


def _tenth(row: Row) -> Row:
    """Return the row with a tenth of its totals, except for the target users."""
    return {name: old if name == "target_user" else _tenth_of(old) for name, old in row.items()}


def _tenth_of(value: Json) -> Json:
    """Return a tenth of a total, or of the people in a list of sources; rates stay."""
    if isinstance(value, list):
        return [
            _tenth(part) if isinstance(part, dict) and "user_count" in part else part
            for part in value
        ]
    return value // 10 if isinstance(value, int) else value


def _without_kanyikan(item: Item) -> Item:
    """Return the item without the metrics of the feature kanyikan."""
    rows = [{name: row[name] for name in row if "kanyikan" not in name} for row in item.rows]
    return replace(item, rows=rows)


def _falling(item: Item) -> Item:
    """Return the item with its newest totals below those of the day before."""
    *earlier, newest = item.rows
    return replace(item, rows=[*earlier, _below(earlier[-1], newest)]) if earlier else item


def _below(previous: Row, newest: Row) -> Row:
    """Return the newest row with nine tenths of the previous row's totals."""
    return {
        name: value * 9 // 10 if isinstance(value, int) and name != "target_user" else newest[name]
        for name, value in previous.items()
    }


def _in_words(item: Item) -> Item:
    """Return the item with texts in place of its newest row's whole numbers."""
    *earlier, newest = item.rows
    texts = {name: f"about {n}" if isinstance(n, int) else n for name, n in newest.items()}
    return replace(item, rows=[*earlier, texts])


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
        edit=_first(_with_low_start),
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
    An effect on the calls that match it.

    Attributes:
        name: a name of `EFFECTS`, or `errcode:N`. It hits data calls by default. The prefix
            `token-call:`, `quota-call:`, `list-call:` or `info-call:` selects other calls.
        account: the AppID of the account, or of the platform on its own calls; None for all.
        day: the day of a data call, or the first one if there is a `last_day`; None for all.
        times: the number of calls that it hits; None for all.
        endpoint: the endpoint of a data call; None for every endpoint of the effect.
        last_day: the last day of a range.
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
        """Raise ValueError for an unknown name."""
        _ = self.effect

    @property
    def effect(self) -> Effect:
        """The effect on a matching call."""
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
        """
        Return whether the scenario hits a call, and count the hit.

        Only data calls have a day and an endpoint.
        """
        effect = self.effect
        if call != effect.call or self.account not in (None, appid):
            return False
        if call == "data" and (self.endpoint or effect.endpoint) not in (None, endpoint):
            return False
        if self.day and not (day and self.day <= day <= (self.last_day or self.day)):
            return False
        return self.times is None or next(self._hits) < self.times
