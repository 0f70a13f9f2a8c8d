"""The data endpoints: what `datasets` declares of each, and how its figures are made up."""

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
    """One item of an answer's list, such as an article: its own keys, its rows by `stat_date`."""

    keys: Row
    rows: list[Row]


Known = Callable[[int, str, date, date], list[Item]]
"""By seed and AppID: what is known of a day on a later day, in rows up to the day before that."""


@dataclass(frozen=True)
class Endpoint:
    """A dataset's endpoint: what is known of a day of an account, and how an answer says it."""

    dataset: Dataset
    known: Known

    @property
    def says_is_delay(self) -> bool:
        """Whether an answer has a key for figures that are not the newest, as since 2025."""
        return self.dataset.first_day.year >= 2025

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
    dataset: Dataset,
    keys: Callable[[Article], Row],
    rows: Callable[[Article, list[date]], list[Row]],
) -> Endpoint:
    """Of publication days: an item per article, a row a day."""

    def known(seed: int, appid: str, day: date, asked_on: date) -> list[Item]:
        ages = range(min(dataset.row_days, (asked_on - day).days))
        days = [day + timedelta(days=age) for age in ages]
        return [Item(keys(it), rows(it, days)) for it in publications(seed, appid, day)]

    return Endpoint(dataset, known)


def _statistics(
    dataset: Dataset, rows: Callable[[int, str, date], Iterable[tuple[Json, Row]]]
) -> Endpoint:
    """Of statistics days: an item per row, by the value of its key."""

    def known(seed: int, appid: str, day: date, _asked_on: date) -> list[Item]:
        at: Row = {"ref_date": day.isoformat(), **dict.fromkeys(dataset.meaningless, 0)}
        key = [dataset.item.name] if dataset.item else []
        return [
            Item({**at, **dict.fromkeys(key, value)}, [{"stat_date": day.isoformat(), **row}])
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
ENDPOINTS = {it.dataset.path: it for it in _ALL}
"""By path."""
