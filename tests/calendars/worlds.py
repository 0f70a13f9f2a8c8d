"""
What WeChat shows of one account, as data, and when.

Time is whole seconds since Beijing's midnight of day 0, and a day is its number; `instant` and
`date_of` are what the rules speak of.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from math import inf

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset

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

    NO_CONNECTION = -3  # in Airflow: WeChat is not even asked
    UNREACHABLE = -2
    BUSY = -1
    IS_DELAY = 0  # the one that comes with articles
    QUOTA = 45009
    OFFLINE = rules.OFFLINE
    FORBIDDEN = 48001
    NOT_READY = 61503


TRANSIENT = {Refusal.UNREACHABLE, Refusal.BUSY}
STOPS_ACCOUNT = {Refusal.NO_CONNECTION, Refusal.QUOTA, Refusal.FORBIDDEN}

Rows = dict[int, int]
"""Row `n` of an article is that of its day + n; the value is how often WeChat corrected it."""


@dataclass(eq=False, slots=True)
class Article:
    """An article, of which WeChat ever counts `rows`."""

    day: int
    rows: Collection[int]
    listed_at: float = -inf
    deleted_at: float = inf
    corrections: Collection[tuple[float, int]] = ()
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
    omitted_on: dict[tuple[int, int], Collection[Article]] = field(default_factory=dict)
    """By the same: left out of the answer, though an earlier one listed them."""
    retired_at: float = inf

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
        return shown

    def listing(self, day: int, moment: float) -> Listing:
        """What WeChat shows of a publication day."""
        return {
            article: self.rows(article, moment)
            for article in self.articles.get(day, ())
            if article.listed_at <= moment < article.deleted_at
        }

    def call(
        self, day: int, moment: float, known: Collection[Article]
    ) -> tuple[Refusal | None, Listing]:
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
        listing = self.listing(day, moment)
        for article in self.omitted_on.get((day, today), ()):
            if article in known:
                listing.pop(article, None)
        return Refusal.IS_DELAY if is_delayed else None, listing


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
            day: [Article(day, rows, computed[day]) for rows in them]
            for day, them in articles.items()
        },
    )
