"""
What WeChat's answers say once they are put together: with no warehouse, and no code of the product.

Totals are cumulative. The newest answer wins, field by field; a value that it leaves out stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from analysts.world import NOW, Given, World

OLD, SUCCESSOR = "getarticletotal", "getarticletotaldetail"
WINDOW = {OLD: 7, SUCCESSOR: 30}
ROWS_KEY = {OLD: "details", SUCCESSOR: "detail_list"}
OFFLINE, NOT_READY = 47009, 61503


def days(first: date, last: date) -> list[date]:
    """Each day from the first to the last."""
    return [first + timedelta(n) for n in range((last - first).days + 1)]


@dataclass
class Row:
    """What an article had reached by the end of a day."""

    first_known_at: datetime
    changed_at: datetime
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Article:
    """An article of one endpoint."""

    msgid: str
    publication_date: date
    window: int
    title: str = ""
    original_title: str = ""
    publish_type: int | None = None
    """0 when followers were notified; only the successor says."""
    rows: dict[date, Row] = field(default_factory=dict)
    is_final: bool = False
    """Its totals have stopped growing: it has all its rows, or its day is not asked for again."""

    @property
    def position(self) -> int:
        """Its place in the message."""
        return int(self.msgid.split("_")[1])

    @property
    def has_all_rows(self) -> bool:
        """Whether each day of its window has one."""
        return all(self.on_day(n) for n in range(1, self.window + 1))

    @property
    def stat_dates(self) -> list[date]:
        """The days that have a row."""
        return sorted(self.rows)

    @property
    def newest(self) -> Row:
        """Its newest row."""
        return self.rows[max(self.rows)]

    def day_number(self, day: date) -> int:
        """How old it is: 1 on the publication day."""
        return (day - self.publication_date).days + 1

    def on_day(self, number: int) -> Row | None:
        """Its row of that age."""
        return self.rows.get(self.publication_date + timedelta(number - 1))

    def by_day(self, number: int, metric: str) -> int | None:
        """The total by the end of that day."""
        row = self.on_day(number)
        return row and row.values.get(metric)

    def latest(self, metric: str) -> Any:
        """The newest value there is."""
        known = [self.rows[day].values.get(metric) for day in self.stat_dates]
        return next((value for value in reversed(known) if value is not None), None)

    def increments(self, metric: str) -> dict[date, int | None]:
        """What each row adds to the last known earlier total; days between belong to the row's."""
        before, added = 0, {}
        for day in self.stat_dates:
            total = self.rows[day].values.get(metric)
            added[day] = None if total is None else total - before
            before = before if total is None else total
        return added

    def days_spanned(self, day: date) -> int:
        """How many days the increments of a row cover."""
        earlier = [other for other in self.stat_dates if other < day]
        return (day - max(earlier, default=self.publication_date - timedelta(1))).days


@dataclass(frozen=True)
class Change:
    """A figure that had another value before, or none."""

    article: Article
    stat_date: date
    metric: str
    old: Any
    new: Any


@dataclass
class PublicationDay:
    """What was asked and answered for a day of an account."""

    calls: list[Given] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    """The articles of the newest answer."""
    answered_on: date = date.min
    """The day of the newest answer."""
    is_final: bool = False
    """It is not asked for again."""


@dataclass
class Known:
    """What was known of an account at one endpoint, at an instant."""

    window: int
    articles: dict[str, Article] = field(default_factory=dict)
    publication_days: dict[date, PublicationDay] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def published(self, first: date, last: date = date.max) -> list[Article]:
        """The articles of publication days."""
        return [it for it in self.articles.values() if first <= it.publication_date <= last]

    def of_day(self, publication_date: date) -> list[Article]:
        """The articles of one publication day."""
        return self.published(publication_date, publication_date)

    # ------------------------------------------------------------------------- by calendar day

    def counting(self, day: date) -> list[Article]:
        """The articles whose totals still grow on a day."""
        return self.published(day - timedelta(self.window - 1), day)

    def reported(self, day: date) -> list[Article]:
        """Of these, the ones with a row of the day."""
        return [article for article in self.counting(day) if day in article.rows]

    def lacking(self, day: date) -> list[Article]:
        """
        Of these, the ones without it that must have it.

        Not one that the newest answer lists no more, nor one whose day is not asked for again.
        """
        return [
            article
            for article in self.counting(day)
            if day not in article.rows
            and article.msgid in self.publication_days[article.publication_date].listed
            and not self.publication_days[article.publication_date].is_final
        ]

    def gained(self, day: date, metric: str) -> int | None:
        """What came on a day over all articles: 0 when nothing did, None when that is not known."""
        rows = [it.increments(metric)[day] for it in self.articles.values() if day in it.rows]
        known = [value for value in rows if value is not None]
        if known:
            return sum(known)
        return 0 if not rows and self.is_complete(day) else None

    def is_complete(self, day: date) -> bool:
        """Whether all is known that came on a day."""
        first = day - timedelta(self.window - 1)
        return (
            all(
                it in self.publication_days and self.publication_days[it].answered_on > day
                for it in days(first, day)
            )
            and not self.lacking(day)
            and not any(day in self._gap(article) for article in self.articles.values())
        )

    @staticmethod
    def _gap(article: Article) -> Iterator[date]:
        """The days whose gains can't be told apart."""
        for day in article.stat_dates:
            if (spanned := article.days_spanned(day)) > 1:
                yield from days(day - timedelta(spanned - 1), day)

    # ------------------------------------------------------------------------ by publication day

    @cached_property
    def is_retired(self) -> bool:
        """Whether all days asked for of the newest window were refused as offline."""
        newest = days(NOW.date() - timedelta(self.window), NOW.date() - timedelta(1))
        calls = [
            self.publication_days[it].calls[-1] for it in newest if it in self.publication_days
        ]
        return bool(calls) and all(call.errcode == OFFLINE for call in calls)

    def state(self, publication_date: date) -> str:
        """What there is of a publication day, or why not."""
        known = self.publication_days.get(publication_date)
        if self.is_retired and (known is None or known.calls[-1].errcode == OFFLINE):
            return "retired"
        if known is None:
            return "missing"
        if known.calls[-1].errcode:
            return "not_ready" if known.calls[-1].errcode == NOT_READY else "failed"
        if known.calls[-1].errcode is None:
            return "failed"
        if not known.listed:
            return "empty"
        last = min(known.answered_on, publication_date + timedelta(self.window)) - timedelta(1)
        computed = days(publication_date, last)
        is_whole = all(
            day in self.articles[msgid].rows for msgid in known.listed for day in computed
        )
        return "loaded" if is_whole else "incomplete"


@cache
def known(world: World, appid: str, endpoint: str = OLD, at: datetime = NOW) -> Known:
    """Put together what an endpoint had answered for an account by an instant."""
    it = Known(WINDOW[endpoint])
    for given in world.given:
        if (given.appid, given.endpoint) == (appid, endpoint) and given.given_at <= at:
            it.publication_days.setdefault(given.publication_date, PublicationDay())
            it.publication_days[given.publication_date].calls.append(given)
            if given.errcode == 0:
                _take_in(it, given)
    return it


def _take_in(known: Known, given: Given) -> None:
    day = known.publication_days[given.publication_date]
    day.listed = [item["msgid"] for item in given.json["list"]]
    day.answered_on = given.given_at.astimezone(NOW.tzinfo).date()
    for item in given.json["list"]:
        article = known.articles.setdefault(
            item["msgid"], Article(item["msgid"], given.publication_date, known.window)
        )
        article.title = item["title"]
        article.original_title = article.original_title or item["title"]
        article.publish_type = item.get("publish_type", article.publish_type)
        for row in item[ROWS_KEY[given.endpoint]]:
            _take_in_row(known, article, dict(row), given.given_at)
    age, articles = day.answered_on - given.publication_date, known.of_day(given.publication_date)
    is_whole = all(article.has_all_rows for article in articles)
    day.is_final |= age.days >= known.window + (0 if is_whole else 2)
    for article in articles:
        article.is_final = bool(article.rows) and (article.has_all_rows or day.is_final)


def _take_in_row(known: Known, article: Article, row: dict[str, Any], at: datetime) -> None:
    stat_date = date.fromisoformat(row.pop("stat_date"))
    is_new = stat_date not in article.rows
    there = article.rows.setdefault(stat_date, Row(at, at))
    for metric, value in row.items():
        old = there.values.get(metric)
        if value is None or value == old:
            continue
        there.values[metric] = value
        there.changed_at = at
        if not is_new:
            known.changes.append(Change(article, stat_date, metric, old, value))
