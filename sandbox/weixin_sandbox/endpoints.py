"""The data endpoints: each dataset's declaration, its made-up figures, and its answer's form."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from weixin_etl import datasets
from weixin_etl.datasets import Dataset, Rows
from weixin_sandbox import article_detail, article_total, followers
from weixin_sandbox.answers import Json, Row, to_bytes
from weixin_sandbox.articles import Article, publications


@dataclass(frozen=True)
class Item:
    """An item of an answer's list, such as an article: its own keys and a row per `stat_date`."""

    keys: Row
    rows: list[Row]


Known = Callable[[int, str, date, date], list[Item]]
"""A function of seed, AppID, day and the day of the call; it returns the items known by then."""


@dataclass(frozen=True)
class Endpoint:
    """The endpoint of a dataset, with the function that makes up its figures."""

    dataset: Dataset
    known: Known

    @property
    def says_is_delay(self) -> bool:
        """Whether an answer has the key `is_delay`, as those of endpoints since 2025."""
        return self.dataset.first_day.year >= 2025

    def body(self, items: list[Item], *, is_delay: bool | str = False) -> bytes:
        """Return the answer's bytes, with `is_delay` if the endpoint has the key."""
        listed: list[Json] = [self._listed_item(item) for item in items]
        delay: Row = {"is_delay": is_delay} if self.says_is_delay else {}
        return to_bytes({"list": listed, **delay})

    def _listed_item(self, item: Item) -> Row:
        """Return an item in the form of the endpoint's answers."""
        if self.dataset.rows_in is Rows.LIST:
            return {**item.keys, self.dataset.rows_key: [*item.rows]}
        (row,) = item.rows or [{}]  # a scenario may have removed the row
        figures = {name: value for name, value in row.items() if name != "stat_date"}
        if self.dataset.rows_in is Rows.OBJECT:
            return {**item.keys, self.dataset.rows_key: figures}
        return {**item.keys, **figures}


def _of_total(article: Article) -> Row:
    """Return an article's keys in answers of `getarticletotal`."""
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "title": article.title,
        "user_source": 0,
        "url": article.url,
        "content_url": article.url,
    }


def _of_detail(article: Article) -> Row:
    """Return an article's keys in answers of `getarticletotaldetail`."""
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "publish_type": 0 if article.is_notified else 1,
        "title": article.title,
        "content_url": article.url,
    }


def _articles(
    dataset: Dataset,
    keys: Callable[[Article], Row],
    rows: Callable[[Article, list[date]], list[Row]],
) -> Endpoint:
    """Return an endpoint of publication days: an item per article, with a row per day."""

    def known(seed: int, appid: str, day: date, asked_on: date) -> list[Item]:
        ages = range(min(dataset.row_days, (asked_on - day).days))
        days = [day + timedelta(days=age) for age in ages]
        articles = publications(seed, appid, day)
        return [Item(keys(article), rows(article, days)) for article in articles]

    return Endpoint(dataset, known)


def _statistics(
    dataset: Dataset, rows: Callable[[int, str, date], Iterable[tuple[Json, Row]]]
) -> Endpoint:
    """Return an endpoint of statistics days: an item per row, by the value of its key."""

    def known(seed: int, appid: str, day: date, _asked_on: date) -> list[Item]:
        common: Row = {"ref_date": day.isoformat(), **dict.fromkeys(dataset.meaningless, 0)}
        key = [dataset.item.name] if dataset.item else []
        return [
            Item({**common, **dict.fromkeys(key, value)}, [{"stat_date": day.isoformat(), **row}])
            for value, row in rows(seed, appid, day)
        ]

    return Endpoint(dataset, known)


_ALL = (
    _articles(datasets.ARTICLE_TOTAL, _of_total, article_total.rows),
    _articles(datasets.ARTICLE_TOTAL_DETAIL, _of_detail, article_detail.rows),
    _statistics(datasets.ARTICLE_READ, article_detail.read),
    _statistics(datasets.ARTICLE_SHARE, article_detail.shared),
    _statistics(datasets.ACCOUNT_SUMMARY, article_detail.summary),
    _statistics(datasets.FOLLOWER_CHANGE, followers.change),
    _statistics(datasets.FOLLOWER_TOTAL, followers.total),
)
ENDPOINTS = {endpoint.dataset.path: endpoint for endpoint in _ALL}
"""The endpoints by path."""
