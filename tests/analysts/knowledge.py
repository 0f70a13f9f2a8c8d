"""
What WeChat's answers say once they are put together: with no warehouse, and no code of the product.

Totals are cumulative. The newest answer wins, field by field; a value that it leaves out stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from analysts.world import NOW, Given, World

OLD, SUCCESSOR = "getarticletotal", "getarticletotaldetail"
WINDOW = {OLD: 7, SUCCESSOR: 30}
COMMON = {
    7: {
        "readers": "int_page_read_user",
        "reads": "int_page_read_count",
        "sharers": "share_user",
        "shares": "share_count",
        "favourites": "add_to_fav_user",
    },
    30: {"readers": "read_user", "sharers": "share_user", "favourites": "collection_user"},
}
"""The names that analysts have for figures of both, by the window."""
ROWS_KEY = {OLD: "details", SUCCESSOR: "detail_list"}
OFFLINE, NOT_READY = 47009, 61503
CATCH_UP_DAYS = 60
DUE = NOW.date() - timedelta(1)
"""The day whose answers are due: until noon, yesterday."""


def days(first: date, last: date) -> list[date]:
    """Each day from the first to the last."""
    return [first + timedelta(n) for n in range((last - first).days + 1)]


@dataclass
class Article:
    """An article of one endpoint."""

    msgid: str
    publication_date: date
    window: int
    title: str = ""
    publish_type: int | None = None
    """0 when followers were notified; only the successor says."""
    rows: dict[date, dict[str, Any]] = field(default_factory=dict)
    """What it had reached by the end of a day."""
    is_final: bool = False
    """Its totals have stopped growing: it has all its rows, or its day is not asked for again."""

    @property
    def position(self) -> int:
        """Its place in the message."""
        return int(self.msgid.split("_")[1])

    @property
    def stat_dates(self) -> list[date]:
        """The days that have a row."""
        return sorted(self.rows)

    @property
    def has_all_rows(self) -> bool:
        """Whether each day of its window has one."""
        return {self.day(n) for n in range(1, self.window + 1)} <= self.rows.keys()

    def day(self, number: int) -> date:
        """The day on which it is so old: 1 is the publication day."""
        return self.publication_date + timedelta(number - 1)

    def figure(self, day: date, metric: str) -> Any:
        """A figure of a day, by WeChat's name or the common one."""
        return self.rows.get(day, {}).get(COMMON[self.window].get(metric, metric))

    def by_day(self, number: int, metric: str) -> Any:
        """The total by the end of that day."""
        return self.figure(self.day(number), metric)

    def latest(self, metric: str) -> Any:
        """The newest value there is."""
        known = (self.figure(day, metric) for day in reversed(self.stat_dates))
        return next((value for value in known if value is not None), None)

    def increments(self, metric: str) -> dict[date, int | None]:
        """What each row adds to the last known earlier total; days between belong to the row's."""
        before, added = 0, {}
        for day in self.stat_dates:
            total = self.figure(day, metric)
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
    is_heard: bool = False
    """The newest answer says something: it lists articles, or another one of its day does."""
    is_final: bool = False
    """It is not asked for again."""

    @property
    def last_attempt(self) -> str:
        """How the last call ended."""
        return {0: "ok", NOT_READY: "not_ready"}.get(self.calls[-1].errcode, "failed")


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

    def lacking(self, day: date) -> list[Article]:
        """
        The articles whose totals still grow and that must have a row of the day, without it.

        Not one that the newest answer lists no more, nor one whose day is not asked for again.
        """
        return [
            article
            for article in self.published(day - timedelta(self.window - 1), day)
            for its in [self.publication_days[article.publication_date]]
            if day not in article.rows and article.msgid in its.listed and not its.is_final
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
            all(self._is_known(it, day) for it in days(first, day))
            and not self.lacking(day)
            and not any(day in self._gap(article) for article in self.articles.values())
        )

    def _is_known(self, publication_date: date, day: date) -> bool:
        it = self.publication_days.get(publication_date, PublicationDay())
        window_end = publication_date + timedelta(self.window)
        return it.is_heard and it.answered_on > day and (it.is_final or it.answered_on < window_end)

    def reaches(self, day: date) -> bool:
        """Whether each publication day that counts on it was answered with all rows of it."""
        return all(
            it.is_heard
            and it.answered_on > day
            and (
                it.is_final
                or all(any(row >= day for row in self.articles[msgid].rows) for msgid in it.listed)
            )
            for its_day in days(day - timedelta(self.window - 1), day)
            for it in [self.publication_days.get(its_day, PublicationDay())]
        )

    @staticmethod
    def _gap(article: Article) -> Iterator[date]:
        """The days whose gains can't be told apart."""
        for day in article.stat_dates:
            if (spanned := article.days_spanned(day)) > 1:
                yield from days(day - timedelta(spanned - 1), day)

    # ------------------------------------------------------------------------ by publication day

    @property
    def last_loaded(self) -> date:
        """The newest day whose newest answer says something."""
        return max(day for day, it in self.publication_days.items() if it.is_heard)

    @cached_property
    def is_retired(self) -> bool:
        """Whether the two newest days asked for were refused as offline."""
        newest = sorted(self.publication_days)[-2:]
        return [self.publication_days[it].calls[-1].errcode for it in newest] == [OFFLINE] * 2

    def state(self, publication_date: date, since: date) -> str:
        """What there is of a publication day at `NOW`; the first of daily runs is `since`."""
        it = self.publication_days.get(publication_date, PublicationDay())
        today = NOW.date()
        window_end = publication_date + timedelta(self.window)
        reach = max(since, today - timedelta(self.window + CATCH_UP_DAYS))
        if it.is_final:
            return "final"
        if it.answered_on == date.min and publication_date < reach:
            return "lost"
        if it.answered_on >= window_end and not it.is_heard:
            later = [day.answered_on for day in self.publication_days.values() if day.listed]
            if window_end < today and max(later, default=date.min) <= it.answered_on:
                return "silent"
        if it.answered_on >= window_end:
            return "unconfirmed"
        return "in" if it.answered_on >= DUE else "late" if publication_date < DUE else "open"

    def articles_lacking(self, publication_date: date) -> int:
        """How many articles of the newest answer lack a row that must have been computed."""
        it = self.publication_days.get(publication_date, PublicationDay())
        end = min(it.answered_on, publication_date + timedelta(self.window))
        computed = days(publication_date, end - timedelta(1)) if it.listed else []
        return sum(
            any(day not in self.articles[msgid].rows for day in computed) for msgid in it.listed
        )


@cache
def known(world: World, appid: str, endpoint: str = OLD, at: datetime = NOW) -> Known:
    """Put together what an endpoint had answered for an account by an instant."""
    it = Known(WINDOW[endpoint])
    heard = {
        (given.appid, given.endpoint, _beijing(given.given_at))
        for given in world.given
        if given.json.get("list")
    }
    for given in world.given:
        if (given.appid, given.endpoint) == (appid, endpoint) and given.given_at <= at:
            it.publication_days.setdefault(given.publication_date, PublicationDay())
            it.publication_days[given.publication_date].calls.append(given)
            if given.errcode == 0:
                is_heard = (appid, endpoint, _beijing(given.given_at)) in heard
                _take_in(it, given, is_heard=is_heard)
    return it


def _beijing(at: datetime) -> date:
    return at.astimezone(NOW.tzinfo).date()


def _take_in(known: Known, given: Given, *, is_heard: bool) -> None:
    day = known.publication_days[given.publication_date]
    before = replace(day)
    day.listed = [item["msgid"] for item in given.json["list"]]
    day.answered_on, day.is_heard = _beijing(given.given_at), is_heard
    for item in given.json["list"]:
        article = known.articles.setdefault(
            item["msgid"], Article(item["msgid"], given.publication_date, known.window)
        )
        article.title = item["title"]
        article.publish_type = item.get("publish_type", article.publish_type)
        for row in item[ROWS_KEY[given.endpoint]]:
            _take_in_row(known, article, dict(row))
    age = (day.answered_on - given.publication_date).days
    is_whole = all(
        len(item[ROWS_KEY[given.endpoint]]) == known.window for item in given.json["list"]
    )
    # of when the window was over, and listing the same
    is_confirmed = (
        before.is_heard
        and is_heard
        and sorted(before.listed) == sorted(day.listed)
        and given.publication_date + timedelta(known.window - 1)
        <= before.answered_on
        < day.answered_on
    )
    day.is_final |= is_confirmed and age >= known.window + (0 if is_whole else 2)
    for article in known.of_day(given.publication_date):
        article.is_final = bool(article.rows) and (article.has_all_rows or day.is_final)


def _take_in_row(known: Known, article: Article, row: dict[str, Any]) -> None:
    stat_date = date.fromisoformat(row.pop("stat_date"))
    is_new = stat_date not in article.rows
    there = article.rows.setdefault(stat_date, {})
    for metric, value in row.items():
        old = there.get(metric)
        if value is None or value == old:
            continue
        there[metric] = value
        if not is_new:
            known.changes.append(Change(article, stat_date, metric, old, value))
