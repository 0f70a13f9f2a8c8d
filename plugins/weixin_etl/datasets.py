"""
The declarations of the datasets. Each dataset is one endpoint of WeChat's datacube.

A declaration says what a day of the endpoint means, which rows an answer has, and how often a day
is requested. `metrics.csv` declares the metrics. No other code names an endpoint.
"""

import csv
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec


class Kind(Enum):
    """The type of a metric's values, as the type of its column in Postgres."""

    COUNT = "bigint"  # a whole number ≥ 0
    RATE = "numeric"  # a decimal number, kept to the digit
    LIST = "jsonb"  # a list of objects, stored unchanged


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a row, under WeChat's own name."""

    name: str
    chinese_name: str
    meaning: str  # what the metric counts, in the middle of a sentence
    unit: str = "people"
    caveat: str | None = None  # a warning for those who use the metric
    common: str | None = None  # the name in `COMMON` that other endpoints share
    kind: Kind = Kind.COUNT
    is_level: bool = False  # not a running total, such as the recipients of a message
    whole: str | None = None  # the metric of which this one is a part, such as one place's readers
    entry_keys: str = ""  # the keys of a list's objects, between spaces
    may_fall: bool = False  # people can undo it, such as a like: a fall is not reported


class Common(NamedTuple):
    """A column name that the views of all endpoints share. Queries differ only in their suffix."""

    name: str
    chinese_name: str
    unit: str
    metric: Metric | None = None  # None if the endpoint does not count it


COMMON = (
    Common("readers", "阅读人数", "people"),
    Common("reads", "阅读次数", "times"),
    Common("sharers", "分享人数", "people"),
    Common("shares", "分享次数", "times"),
    Common("favourites", "收藏人数", "people"),
)


def _metrics(dataset: str) -> tuple[Metric, ...]:
    """
    Return the metrics that `metrics.csv` declares for a dataset, in the order of the file.

    An empty cell gives the attribute its default. The result is empty for an unknown name.

    Raises:
        msgspec.ValidationError: a cell does not fit its attribute of `Metric`.
    """
    with Path(__file__).with_name("metrics.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line.pop("dataset") == dataset]
    declared = [{name: cell for name, cell in line.items() if cell} for line in lines]
    return tuple(msgspec.convert(declared, list[Metric], strict=False))  # noqa: TID251 - at import


class Rows(Enum):
    """The place in an item of an answer's list where the rows are."""

    LIST = "a list"  # one row per day, each with a `stat_date`
    OBJECT = "an object"  # one row, of the item's `ref_date`
    ITEM = "the item"  # the item is the row


class ItemKey(NamedTuple):
    """The key that identifies an item among the items of a day."""

    name: str  # the name of the fact's column and of WeChat's key
    of: str  # what the key identifies, in a sentence
    is_number: bool = False


MSGID = ItemKey("msgid", "an article")
ARTICLES_SET = 7
"""The permission set that an account must grant to a third-party platform for articles."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The declaration of one datacube endpoint."""

    name: str  # in the column `dataset` of tables, and in the names of DAG, asset, fact
    endpoint: str  # the last part of the URL's path
    description: str  # what the endpoint gives, in the middle of a sentence
    window: int
    """
    The number of mornings on which a day is requested.

    The totals of an article grow for the same number of days: its rows are P … P + window - 1.
    """
    first_day: date = date(2025, 11, 1)  # the earliest day that WeChat has
    metrics: tuple[Metric, ...] = field(init=False)  # as `metrics.csv` declares them
    describes_articles: bool = True
    """
    Whether a day is a publication day.

    The rows of a publication day are the totals of its articles at the end of later days. The rows
    of a statistics day count what happened on the day, or what there was at its end.
    """
    item: ItemKey | None = MSGID  # a further part of a row's key; None if there is none
    rows_in: Rows = Rows.LIST
    rows_key: str = ""  # the item's key that has the rows; empty if the item is the row
    meaningless: frozenset[str] = frozenset()  # keys of an item that are not loaded
    is_combined: bool = False  # shares a hand-written view with another dataset
    can_be_empty: bool = True  # False: an empty answer is not ready
    permission_set: int = ARTICLES_SET  # what an account must grant to a platform
    is_optional: bool = True  # the DAG is paused until somebody wants it
    is_told: bool = False  # the morning's digest has its figures
    headline: tuple[str, ...] = ()  # totals that every known row has
    suffix: str = ""  # the suffix of the names of the dataset's views in schema `analytics`
    successor: str | None = None  # the dataset to use if WeChat retires the endpoint

    def __post_init__(self) -> None:
        """Read the dataset's metrics from `metrics.csv`."""
        object.__setattr__(self, "metrics", _metrics(self.name))

    def __hash__(self) -> int:
        """Return the hash of the name: caches by dataset are looked up for each row."""
        return hash(self.name)

    @property
    def path(self) -> str:
        """The path of the URL."""
        return f"/datacube/{self.endpoint}"

    @property
    def fact(self) -> str:
        """The name of the fact table in schema `weixin`."""
        return f"fact_{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row of the fact: account, item if there is one, day."""
        return ("appid", *([self.item.name] if self.item else []), "stat_date")

    @property
    def place(self) -> tuple[str, ...]:
        """`publication_date` if days are publication days; else empty: the key has the day."""
        return ("publication_date",) if self.describes_articles else ()

    @property
    def day_column(self) -> str:
        """The fact's column of the requested day: `publication_date` or `stat_date`."""
        return "publication_date" if self.describes_articles else "stat_date"

    @property
    def row_days(self) -> int:
        """The days for which an item has rows: the window of a publication day, otherwise 1."""
        return self.window if self.describes_articles else 1

    @property
    def figures(self) -> tuple[Metric, ...]:
        """The metrics whose values are numbers."""
        return tuple(metric for metric in self.metrics if metric.kind is not Kind.LIST)

    @cached_property  # it is read for each article
    def lists(self) -> tuple[Metric, ...]:
        """The metrics whose values are lists of objects."""
        return tuple(metric for metric in self.metrics if metric.kind is Kind.LIST)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics that only grow, unless WeChat corrects them. Empty for statistics days."""
        return self.counted if self.describes_articles else ()

    @property
    def counted(self) -> tuple[Metric, ...]:
        """The counts that are running totals or, for statistics days, can be summed over days."""
        counts = (metric for metric in self.metrics if metric.kind is Kind.COUNT)
        return tuple(metric for metric in counts if not metric.is_level)

    @property
    def wholes(self) -> tuple[Metric, ...]:
        """The totals that are not part of another total. Views show their daily increments."""
        return tuple(metric for metric in self.totals if not metric.whole)

    @cached_property  # it is read for each article
    def monotonic(self) -> tuple[str, ...]:
        """
        The names of the totals that only a correction by WeChat can lower. A fall is reported.

        Totals that people can lower are not included, nor are parts of a total: WeChat may later
        count a reader in another part. Empty for statistics days.
        """
        return tuple(metric.name for metric in self.wholes if not metric.may_fall)

    @property
    def common(self) -> tuple[Common, ...]:
        """All of `COMMON`, each with this dataset's metric, or None where it counts none."""
        metrics = {metric.common: metric for metric in self.metrics}
        return tuple(common._replace(metric=metrics.get(common.name)) for common in COMMON)

    @property
    def readers(self) -> str:
        """The name of the metric that counts readers. Empty if there is none."""
        return next((metric.name for metric in self.metrics if metric.common == "readers"), "")

    @property
    def dag_id(self) -> str:
        """The id of the DAG, and the name of the asset that the DAG updates."""
        return f"weixin_{self.name}"

    @property
    def successor_dag_id(self) -> str | None:
        """The id of the DAG to use if WeChat retires the endpoint. None without a successor."""
        return self.successor and DATASETS[self.successor].dag_id


# https://developers.weixin.qq.com/doc/service/api/wedata/news/api_getarticletotal.html
ARTICLE_TOTAL = Dataset(
    name="article_total",
    endpoint="getarticletotal",
    description="totals of each article and day",
    rows_key="details",
    window=7,
    is_optional=False,
    is_told=True,
    first_day=date(2014, 12, 1),
    headline=("int_page_read_user", "int_page_read_count"),
    suffix="_7d",
    successor="article_total_detail",
)
# https://developers.weixin.qq.com/doc/service/api/wedata/news/api_getarticletotaldetail.html
ARTICLE_TOTAL_DETAIL = Dataset(
    name="article_total_detail",
    endpoint="getarticletotaldetail",
    description="totals of each article and day",
    rows_key="detail_list",
    window=30,
    is_optional=False,
    is_told=True,
    headline=("read_user",),
    suffix="_30d",
)

# No published answer of the next three was found: their keys are those of the documentation.
# https://developers.weixin.qq.com/doc/service/api/wedata/news/api_getarticleread.html
ARTICLE_READ = Dataset(
    name="article_read",
    endpoint="getarticleread",
    description="who read an article on a day, whenever it was published",
    window=3,
    describes_articles=False,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_combined=True,
)
# https://developers.weixin.qq.com/doc/service/api/wedata/news/api_getarticleshare.html
ARTICLE_SHARE = Dataset(
    name="article_share",
    endpoint="getarticleshare",
    description="who shared an article on a day, whenever it was published",
    window=3,
    describes_articles=False,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_combined=True,
)
# https://developers.weixin.qq.com/doc/service/api/wedata/news/api_getbizsummary.html
ACCOUNT_SUMMARY = Dataset(
    name="account_summary",
    endpoint="getbizsummary",
    description="the account's day, over all of its articles",
    window=7,
    describes_articles=False,
    item=None,
    rows_in=Rows.OBJECT,
    rows_key="detail",
)

# https://developers.weixin.qq.com/doc/service/api/wedata/user/api_getusersummary.html
FOLLOWER_CHANGE = Dataset(
    name="follower_change",
    endpoint="getusersummary",
    description="followers won and lost on a day, by channel",
    window=7,
    first_day=date(2014, 12, 1),
    describes_articles=False,
    item=ItemKey("user_source", "a channel", is_number=True),
    rows_in=Rows.ITEM,
    permission_set=2,
    is_combined=True,
    is_told=True,
)
# https://developers.weixin.qq.com/doc/service/api/wedata/user/api_getusercumulate.html
FOLLOWER_TOTAL = Dataset(
    name="follower_total",
    endpoint="getusercumulate",
    description="followers there are at the end of a day",
    window=7,
    first_day=date(2014, 12, 1),
    describes_articles=False,
    item=None,
    rows_in=Rows.ITEM,
    meaningless=frozenset({"user_source"}),
    can_be_empty=False,
    permission_set=2,
    is_combined=True,
    is_told=True,
)

_ALL = (
    *(ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, ARTICLE_READ, ARTICLE_SHARE),
    *(ACCOUNT_SUMMARY, FOLLOWER_CHANGE, FOLLOWER_TOTAL),
)
DATASETS = {dataset.name: dataset for dataset in _ALL}
ARTICLE_DATASETS = {dataset.name: dataset for dataset in _ALL if dataset.describes_articles}
"""The datasets whose days are publication days."""
