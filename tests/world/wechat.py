"""
What WeChat shows of one account, as data, and when.

Time is whole seconds since Beijing's midnight of day 0, and a day is its number; `instant` and
`date_of` are what the rules speak of.
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
    """A moment of a day."""
    return round((day * 24 + hour) * 3600)


def day_of(moment: float) -> int:
    """The day of a moment."""
    return int(moment // 86400)


def date_of(day: int) -> date:
    """The date of a day."""
    return DAY_0 + timedelta(day)


def day_number(day: date) -> int:
    """The day of a date."""
    return (day - DAY_0).days


def instant(moment: float) -> datetime:
    """The time of a moment."""
    return MIDNIGHT_0 + timedelta(seconds=moment)


class Refusal(IntEnum):
    """What is wrong with an answer, by its errcode if it has one."""

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
        """What people call it."""
        return KINDS[self]

    @property
    def code(self) -> int | None:
        """WeChat's errcode."""
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
Row `n` of an article is that of its day + n; the value is how often WeChat corrected it.

Of a row whose total is too low for now it is negative: by how much.
"""


class Blank(StrEnum):
    """How an answer lists articles without figures that can be read."""

    RENAMED = "another key has the rows"
    EMPTY = "the rows' key has an empty list"
    NULL = "every figure is null"
    WRAPPED = "every figure is in an object"

    @property
    def is_unreadable(self) -> bool:
        """Whether something is there that does not fit."""
        return self in (Blank.RENAMED, Blank.WRAPPED)


@dataclass(eq=False, slots=True)
class Article:
    """An article, of which WeChat ever counts `rows`."""

    day: int
    rows: Collection[int]
    listed_at: float = -inf
    deleted_at: float = inf
    corrections: Collection[tuple[float, int]] = ()
    premature: Collection[tuple[float, float, int, int]] = ()
    """From, until: the total of a row is too low, by how much."""
    computed: dict[int, float] = field(default_factory=dict)
    """When a row is there, if not with the account's others of its day."""


Listing = dict[Article, Rows]


@dataclass
class World:
    """One account at one endpoint."""

    dataset: Dataset
    computed: Mapping[int, float]
    """When the rows of a day are there."""
    articles: dict[int, list[Article]] = field(default_factory=dict)
    refused: list[tuple[float, float, Refusal, int]] = field(default_factory=list)
    """From, until, how, and every how many publication days."""
    refused_on: dict[tuple[int, int], Refusal] = field(default_factory=dict)
    """By publication day and day of the call."""
    lies_on: dict[int, float] = field(default_factory=dict)
    """By day of the call: how likely an answer is empty, or leaves articles out."""
    silent: list[tuple[float, float]] = field(default_factory=list)
    """From, until: every answer is empty."""
    stale_on: set[tuple[int, int]] = field(default_factory=set)
    """By publication day and day of the call: the answer is what WeChat showed the day before."""
    blank: list[tuple[float, float, Blank]] = field(default_factory=list)
    """From, until: articles have no figures."""
    retired_at: float = inf
    told: dict[int, dict[frozenset[Article], int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By publication day: each lie, and the day on which it was told. None is told on two."""

    def rows(self, article: Article, moment: float) -> Rows:
        """What WeChat shows of an article."""
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
        """What WeChat shows of a publication day."""
        if (day, day_of(moment)) in self.stale_on:
            moment = at(day_of(moment)) - 1
        return {
            article: self.rows(article, moment)
            for article in self.articles.get(day, ())
            if article.listed_at <= moment < article.deleted_at
        }

    def is_honest(self, moment: float) -> bool:
        """Whether no answer of that moment is a lie."""
        is_silent = any(begin <= moment < end for begin, end in self.silent)
        today = day_of(moment)
        is_stale = any(stale_on == today for _, stale_on in self.stale_on)
        return today not in self.lies_on and not is_silent and not is_stale

    @property
    def is_blank_for_good(self) -> bool:
        """Return whether its articles lose their figures and never have any again."""
        return any(end == inf for _, end, _ in self.blank)

    def blank_at(self, moment: float) -> Blank | None:
        """Return how articles lack their figures at the moment, if they do."""
        return next((blank for begin, end, blank in self.blank if begin <= moment < end), None)

    def call(self, day: int, moment: float) -> tuple[Refusal | None, Listing]:
        """What WeChat answers."""
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
        listing = self._as_told(day, moment, self.listing(day, moment))
        if listing and (blank := self.blank_at(moment)):
            listing = {article: {} for article in listing}
            if blank.is_unreadable:
                return Refusal.UNREADABLE, listing
        return Refusal.IS_DELAY if is_delayed else None, listing

    def _as_told(self, day: int, moment: float, listing: Listing) -> Listing:
        """What WeChat says instead."""
        today, told = day_of(moment), self.told[day]
        if any(begin <= moment < end for begin, end in self.silent):
            if listing:
                told.setdefault(frozenset(), today)
            return {}
        lots = random.Random(f"{day} {today}")  # the same for all who ask on that day
        if listing and lots.random() < self.lies_on.get(today, 0):
            is_empty = lots.random() < 0.5
            short = {
                article: rows
                for article, rows in listing.items()
                if not is_empty and lots.random() < 0.5
            }
            if len(short) < len(listing) and told.setdefault(frozenset(short), today) == today:
                return short
        return listing


def in_time(
    dataset: Dataset,
    articles: Mapping[int, Collection[Collection[int]]],
    late: Mapping[int, float] | None = None,
) -> World:
    """A world by the rows of each day's articles, which come at 07:45, or when they are `late`."""
    computed = {day: at(day + 1, 7.75) for day in range(-400, 200)} | dict(late or {})
    return World(
        dataset,
        computed,
        {
            day: [Article(day, rows, computed[day]) for rows in rows_of_day]
            for day, rows_of_day in articles.items()
        },
    )


# ------------------------------------------------------------------------------------ as bytes


def body(
    world: World, day: int, listing: Listing, *, is_delay: bool, blank: Blank | None = None
) -> bytes:
    """An answer's bytes; the readers of a row tell which day's it is and how often corrected."""
    items = [_item(world, day, article, rows) for article, rows in listing.items()]
    if blank:
        items = [_blank_item(world.dataset, item, blank) for item in items]
    return json.dumps({"list": items, "is_delay": is_delay}).encode()


def _blank_item(dataset: Dataset, item: dict[str, Any], blank: Blank) -> dict[str, Any]:
    """Return the item of an article of which no figure can be read."""
    values = {Blank.NULL: None, Blank.WRAPPED: {"value": 7}}
    row = {"stat_date": item["ref_date"], figure(dataset): values.get(blank, 7)}
    if blank is Blank.RENAMED:
        del item[dataset.rows_key]
        return {**item, "rows": [row]}
    return {**item, dataset.rows_key: [] if blank is Blank.EMPTY else [row]}


def _item(world: World, day: int, article: Article, shown: Rows) -> dict[str, Any]:
    its_rows = {
        date_of(day + n): {figure(world.dataset): readers(n, version)}
        for n, version in shown.items()
    }
    return item(world.dataset, date_of(day), name(world, article), its_rows)


def item(
    dataset: Dataset, day: date, name: Any, rows: Mapping[date, dict[str, Any]], **keys: Any
) -> dict[str, Any]:
    """An item of an answer, by the figures of its days; of a statistics day it has one row."""
    head = {"ref_date": str(day), **({dataset.item.name: name} if dataset.item else {}), **keys}
    if dataset.rows_in is RowsIn.LIST:
        return {
            **head,
            dataset.rows_key: [{"stat_date": str(on), **row} for on, row in rows.items()],
        }
    (row,) = rows.values()
    return {**head, **({dataset.rows_key: row} if dataset.rows_in is RowsIn.OBJECT else row)}


def name(world: World, article: Article) -> str:
    """What tells an article of a world from the others; of other datasets, an item of its day."""
    number = world.articles[article.day].index(article) + 1
    if world.dataset.item is None:
        return ""
    return f"{number}" if world.dataset.item.is_number else f"{article.day + 1000}_{number}"


def figure(dataset: Dataset) -> str:
    """The metric that rows have."""
    return dataset.readers or dataset.figures[0].name


def readers(n: int, version: int) -> int:
    """The total of a row."""
    return 1000 * (n + 1) + version


def figures(world: World, day: int, listing: Listing) -> dict[tuple[str, str, str], int]:
    """What a listing says: by item, publication day and stat_date."""
    return {
        (name(world, article), str(date_of(day)), str(date_of(day + n))): readers(n, version)
        for article, rows in listing.items()
        for n, version in rows.items()
    }
