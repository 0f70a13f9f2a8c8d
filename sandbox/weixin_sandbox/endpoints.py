"""The data endpoints: what `datasets` declares of each, and how its figures are made up."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from weixin_etl import datasets
from weixin_etl.datasets import Dataset, Rows
from weixin_sandbox import article_day, article_total, article_total_detail, followers
from weixin_sandbox.answers import Json, Row, to_bytes
from weixin_sandbox.figures import Article, publications


@dataclass(frozen=True)
class Item:
    """One item of an answer's list, such as an article: its own keys, its rows by `stat_date`."""

    keys: Row
    rows: list[Row]

    def until(self, last_date: date) -> "Item":
        """The item without its rows after a day."""
        kept = [row for row in self.rows if str(row["stat_date"]) <= last_date.isoformat()]
        return replace(self, rows=kept)


@dataclass(frozen=True)
class Endpoint:
    """A dataset's endpoint: what is known of a day of an account, and how an answer says it."""

    dataset: Dataset
    known: Callable[[Dataset, int, str, date, date], list[Item]]
    says_is_delay: bool = True
    """Whether an answer says at its top level that the figures are not the newest."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.dataset.endpoint

    def items(self, seed: int, appid: str, day: date, asked_on: date) -> list[Item]:
        """What it knows of a day on another day, in rows up to the day before that."""
        return self.known(self.dataset, seed, appid, day, asked_on)

    def is_counting(self, day: date, yesterday: date) -> bool:
        """Whether the items of a day have a row of yesterday."""
        return (yesterday - day).days < self.dataset.row_days

    def body(self, items: list[Item], *, is_delay: bool | str = False) -> bytes:
        """The answer's bytes; `is_delay` is said where the endpoint has it."""
        listed: list[Json] = [self._written(item) for item in items]
        delay: Row = {"is_delay": is_delay} if self.says_is_delay else {}
        return to_bytes({"list": listed, **delay})

    def _written(self, item: Item) -> Row:
        if self.dataset.rows_in is Rows.LIST:
            return {**item.keys, self.dataset.rows_key: [*item.rows]}
        (row,) = item.rows or [{}]  # none once a scenario has taken it out
        figures = {name: value for name, value in row.items() if name != "stat_date"}
        if self.dataset.rows_in is Rows.OBJECT:
            return {**item.keys, self.dataset.rows_key: figures}
        return {**item.keys, **figures}


def named(name: str) -> Endpoint:
    """The endpoint of a name."""
    return next(endpoint for endpoint in ENDPOINTS.values() if endpoint.name == name)


def _of_total(article: Article) -> Row:
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "title": article.title,
        "user_source": 0,
        "url": article.url,
        "content_url": article.url,
    }


def _of_detail(article: Article) -> Row:
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "publish_type": 0 if article.is_notified else 1,
        "title": article.title,
        "content_url": article.url,
    }


def _articles(
    keys: Callable[[Article], Row], rows: Callable[[Article, list[date]], list[Row]]
) -> Callable[[Dataset, int, str, date, date], list[Item]]:
    """What is known of a publication day: an item per article, a row a day."""

    def known(dataset: Dataset, seed: int, appid: str, day: date, asked_on: date) -> list[Item]:
        ages = range(min(dataset.row_days, (asked_on - day).days))
        dates = [day + timedelta(days=age) for age in ages]
        articles = publications(seed, appid, day)
        return [Item(keys(article), rows(article, dates)) for article in articles]

    return known


def _statistics(
    rows: Callable[[int, str, date], Iterable[tuple[Json, Row]]],
) -> Callable[[Dataset, int, str, date, date], list[Item]]:
    """What is known of a statistics day: an item per row, by the value of its key."""

    def known(dataset: Dataset, seed: int, appid: str, day: date, _asked_on: date) -> list[Item]:
        at: Row = {"ref_date": day.isoformat(), **dict.fromkeys(dataset.meaningless, 0)}
        return [
            Item(
                {**at, **({dataset.item.name: key} if dataset.item else {})},
                [{"stat_date": day.isoformat(), **row}],
            )
            for key, row in rows(seed, appid, day)
        ]

    return known


_ALL = (
    Endpoint(datasets.ARTICLE_TOTAL, _articles(_of_total, article_total.rows), says_is_delay=False),
    Endpoint(datasets.ARTICLE_TOTAL_DETAIL, _articles(_of_detail, article_total_detail.rows)),
    Endpoint(datasets.ARTICLE_READ, _statistics(article_day.read)),
    Endpoint(datasets.ARTICLE_SHARE, _statistics(article_day.shared)),
    Endpoint(datasets.ACCOUNT_SUMMARY, _statistics(article_day.summary)),
    Endpoint(datasets.FOLLOWER_CHANGE, _statistics(followers.change), says_is_delay=False),
    Endpoint(datasets.FOLLOWER_TOTAL, _statistics(followers.total), says_is_delay=False),
)
ENDPOINTS = {endpoint.dataset.path: endpoint for endpoint in _ALL}
