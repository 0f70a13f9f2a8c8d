"""
A simulated WeChat: what it shows of one account, and when, with faults.

Time is in whole seconds since midnight of day 0 in Beijing, and a day is a number. `instant` and
`date_of` convert them to the datetimes and dates of the rules.
"""

import json
import random
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from math import inf
from typing import Any

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.datasets import Rows as RowsIn

DAY_0 = date(2026, 8, 1)
MIDNIGHT_0 = datetime.combine(DAY_0, time(0), clock.SHANGHAI)


def at(day: float, hour: float = 0) -> int:
    """Return the moment of an hour of a day."""
    return round((day * 24 + hour) * 3600)


def day_of(moment: float) -> int:
    """Return the day of a moment."""
    return int(moment // 86400)


def date_of(day: int) -> date:
    """Return the date of a day."""
    return DAY_0 + timedelta(day)


def day_number(day: date) -> int:
    """Return the day of a date."""
    return (day - DAY_0).days


def instant(moment: float) -> datetime:
    """Return the datetime of a moment."""
    return MIDNIGHT_0 + timedelta(seconds=moment)


class Refusal(IntEnum):
    """The ways in which a call fails, by errcode where WeChat gives one."""

    UNREADABLE = -4  # articles come with it, whose rows can't be made out
    NO_CONNECTION = -3  # in Airflow: WeChat is not even asked
    UNREACHABLE = -2
    BUSY = -1
    IS_DELAY = 0  # the one that comes with articles
    QUOTA = 45009
    OFFLINE = rules.OFFLINE_ERRCODE
    FORBIDDEN = 48001
    NOT_READY = 61503

    @property
    def kind(self) -> str:
        """The kind of the problem."""
        return KINDS[self]

    @property
    def code(self) -> int | None:
        """WeChat's errcode, or None."""
        has_none = (Refusal.NO_CONNECTION, Refusal.UNREACHABLE, Refusal.UNREADABLE)
        return None if self in has_none else int(self)


KINDS = {
    Refusal.UNREADABLE: rules.UNREADABLE_KIND,
    Refusal.NO_CONNECTION: "configuration",
    Refusal.UNREACHABLE: "unreachable",
    Refusal.BUSY: "unreachable",
    Refusal.IS_DELAY: "not_ready",
    Refusal.QUOTA: rules.QUOTA_KIND,
    Refusal.OFFLINE: "endpoint_offline",
    Refusal.FORBIDDEN: "configuration",
    Refusal.NOT_READY: "not_ready",
}
TRANSIENT = {Refusal.UNREACHABLE, Refusal.BUSY}
STOPS_ACCOUNT = {Refusal.NO_CONNECTION, Refusal.QUOTA, Refusal.FORBIDDEN}

Rows = dict[int, int]
"""
The rows of an article: how often WeChat corrected each, by days since publication.

A negative value says by how much a total is too low for now.
"""


class Blank(StrEnum):
    """The ways in which articles are listed without readable figures."""

    RENAMED = "another key has the rows"
    EMPTY = "the rows' key has an empty list"
    NULL = "every figure is null"
    WRAPPED = "every figure is in an object"

    @property
    def is_unreadable(self) -> bool:
        """Whether something is present that does not fit."""
        return self in (Blank.RENAMED, Blank.WRAPPED)


@dataclass(eq=False, slots=True)
class Article:
    """An article; WeChat computes the rows `rows`, by days since publication."""

    day: int
    rows: Collection[int]
    listed_at: float = -inf
    deleted_at: float = inf
    corrections: Collection[tuple[float, int]] = ()
    premature: Collection[tuple[float, float, int, int]] = ()
    """Begin, end, row, and by how much the row's total is too low."""
    computed: dict[int, float] = field(default_factory=dict)
    """The moment a row is there, where it differs from the day's other articles."""


Listing = dict[Article, Rows]


@dataclass
class WeChat:
    """One account at one endpoint, as WeChat shows it, with its faults."""

    dataset: Dataset
    computed: Mapping[int, float]
    """The moment at which the rows of a day are there."""
    articles: dict[int, list[Article]] = field(default_factory=dict)
    refused: list[tuple[float, float, Refusal, int]] = field(default_factory=list)
    """Begin, end, the refusal, and the interval of the publication days it strikes."""
    refused_on: dict[tuple[int, int], Refusal] = field(default_factory=dict)
    """The refusal by publication day and day of the call."""
    lies_on: dict[int, float] = field(default_factory=dict)
    """The probability of an empty or incomplete answer, by day of the call."""
    silent: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of times in which every answer is empty."""
    stale_on: set[tuple[int, int]] = field(default_factory=set)
    """Publication day and day of the call of answers that are a day old."""
    blank: list[tuple[float, float, Blank]] = field(default_factory=list)
    """Begin, end, and the way in which articles lack figures."""
    retired_at: float = inf
    wrong_lists: dict[int, dict[frozenset[Article], int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """The day on which each wrong list was given, by publication day; never on two days."""

    def rows(self, article: Article, moment: float) -> Rows:
        """Return the rows of an article that WeChat shows at the moment."""
        shown = {
            n: 0
            for n in article.rows
            if article.computed.get(n, self.computed[article.day + n]) <= moment
        }
        for corrected_at, n in article.corrections:
            if corrected_at <= moment and n in shown:
                shown[n] += 1
        for begin, end, n, too_low_by in article.premature:
            if begin <= moment < end and n in shown:
                shown[n] = -too_low_by
        return shown

    def listing(self, day: int, moment: float) -> Listing:
        """Return the articles of a publication day that WeChat shows at the moment."""
        if (day, day_of(moment)) in self.stale_on:
            moment = at(day_of(moment)) - 1
        return {
            article: self.rows(article, moment)
            for article in self.articles.get(day, ())
            if article.listed_at <= moment < article.deleted_at
        }

    def is_honest(self, moment: float) -> bool:
        """Return whether every answer of the moment is right."""
        is_silent = any(begin <= moment < end for begin, end in self.silent)
        today = day_of(moment)
        is_stale = any(stale_on == today for _, stale_on in self.stale_on)
        return today not in self.lies_on and not is_silent and not is_stale

    @property
    def is_blank_for_good(self) -> bool:
        """Whether the articles lose their figures for good."""
        return any(end == inf for _, end, _ in self.blank)

    def blank_at(self, moment: float) -> Blank | None:
        """Return how articles lack their figures at the moment, or None."""
        return next((blank for begin, end, blank in self.blank if begin <= moment < end), None)

    def call(self, day: int, moment: float) -> tuple[Refusal | None, Listing]:
        """Return WeChat's refusal, if any, and the articles it lists."""
        today, is_delayed = day_of(moment), False
        assert day < today, "WeChat has no day later than yesterday"
        if moment >= self.retired_at:
            return Refusal.OFFLINE, {}
        if (day, today) in self.refused_on:
            return self.refused_on[day, today], {}
        for begin, end, refusal, every in self.refused:
            if begin <= moment < end and day % every == 0:
                if refusal is not Refusal.IS_DELAY:
                    return refusal, {}
                is_delayed = True
        listing = self._as_given(day, moment, self.listing(day, moment))
        if listing and (blank := self.blank_at(moment)):
            listing = {article: {} for article in listing}
            if blank.is_unreadable:
                return Refusal.UNREADABLE, listing
        return Refusal.IS_DELAY if is_delayed else None, listing

    def _as_given(self, day: int, moment: float, listing: Listing) -> Listing:
        """Return the listing, or what WeChat wrongly shows instead of it."""
        today, given_on = day_of(moment), self.wrong_lists[day]
        if any(begin <= moment < end for begin, end in self.silent):
            if listing:
                given_on.setdefault(frozenset(), today)
            return {}
        lots = random.Random(f"{day} {today}")  # the same for all who ask on that day
        if listing and lots.random() < self.lies_on.get(today, 0):
            is_empty = lots.random() < 0.5
            short = {
                article: rows
                for article, rows in listing.items()
                if not is_empty and lots.random() < 0.5
            }
            if len(short) < len(listing) and given_on.setdefault(frozenset(short), today) == today:
                return short
        return listing


def in_time(
    dataset: Dataset,
    articles: Mapping[int, Collection[Collection[int]]],
    late: Mapping[int, float] | None = None,
) -> WeChat:
    """Return an account whose rows of each day come at 07:45, or when `late` says."""
    computed = {day: at(day + 1, 7.75) for day in range(-400, 200)} | dict(late or {})
    return WeChat(
        dataset,
        computed,
        {
            day: [Article(day, rows, computed[day]) for rows in rows_of_day]
            for day, rows_of_day in articles.items()
        },
    )


# ------------------------------------------------------------------------------------ as bytes


def body(
    wechat: WeChat, day: int, listing: Listing, *, is_delay: bool, blank: Blank | None = None
) -> bytes:
    """
    Return the bytes of an answer.

    The readers of a row tell its day and how often it was corrected.
    """
    items = [_item(wechat, day, article, rows) for article, rows in listing.items()]
    if blank:
        items = [_blank_item(wechat.dataset, item, blank) for item in items]
    return json.dumps({"list": items, "is_delay": is_delay}).encode()


def _blank_item(dataset: Dataset, item: dict[str, Any], blank: Blank) -> dict[str, Any]:
    """Return the item of an article without readable figures."""
    values = {Blank.NULL: None, Blank.WRAPPED: {"value": 7}}
    row = {"stat_date": item["ref_date"], figure(dataset): values.get(blank, 7)}
    if blank is Blank.RENAMED:
        del item[dataset.rows_key]
        return {**item, "rows": [row]}
    return {**item, dataset.rows_key: [] if blank is Blank.EMPTY else [row]}


def _item(wechat: WeChat, day: int, article: Article, shown: Rows) -> dict[str, Any]:
    rows_by_date = {
        date_of(day + n): {figure(wechat.dataset): readers(n, version)}
        for n, version in shown.items()
    }
    return item(wechat.dataset, date_of(day), name(wechat, article), rows_by_date)


def item(
    dataset: Dataset, day: date, name: Any, rows: Mapping[date, dict[str, Any]], **keys: Any
) -> dict[str, Any]:
    """
    Return an item of an answer, with its figures by day.

    An item of a statistics day has one row.
    """
    head = {"ref_date": str(day), **({dataset.item.name: name} if dataset.item else {}), **keys}
    if dataset.rows_in is RowsIn.LIST:
        return {
            **head,
            dataset.rows_key: [{"stat_date": str(on), **row} for on, row in rows.items()],
        }
    (row,) = rows.values()
    return {**head, **({dataset.rows_key: row} if dataset.rows_in is RowsIn.OBJECT else row)}


def name(wechat: WeChat, article: Article) -> str:
    """Return the item's id, which distinguishes it from the others of the account."""
    number = wechat.articles[article.day].index(article) + 1
    if wechat.dataset.item is None:
        return ""
    return f"{number}" if wechat.dataset.item.is_number else f"{article.day + 1000}_{number}"


def figure(dataset: Dataset) -> str:
    """Return the metric that simulated rows have."""
    return dataset.readers or dataset.figures[0].name


def readers(n: int, version: int) -> int:
    """Return the total of a row, by its place and how often it was corrected."""
    return 1000 * (n + 1) + version


def figures(wechat: WeChat, day: int, listing: Listing) -> dict[tuple[str, str, str], int]:
    """Return the total of each row: by item, publication day and stat_date."""
    return {
        (name(wechat, article), str(date_of(day)), str(date_of(day + n))): readers(n, version)
        for article, rows in listing.items()
        for n, version in rows.items()
    }
