"""What each endpoint is: nothing else in the code names one. `metrics.csv` has their metrics."""

import csv
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec


class Kind(Enum):
    """What a metric's values are, by the type of its column."""

    COUNT = "bigint"  # a whole number ≥ 0
    RATE = "numeric"  # a decimal number, kept to the digit
    LIST = "jsonb"  # a list of objects, kept as it came


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a row, by WeChat's own name."""

    name: str
    chinese_name: str
    meaning: str  # what it counts, in the middle of a sentence
    unit: str = "people"
    caveat: str | None = None  # what to know before using it
    common: str | None = None  # its name in `COMMON`, where other endpoints count nearly the same
    kind: Kind = Kind.COUNT
    is_level: bool = False  # no running total, such as how many people a message went to
    whole: str | None = None  # the metric of which it counts a part, such as one place's readers
    entry_keys: str = ""  # the keys of a list's objects, between spaces
    may_fall: bool = False  # whether people can take it back, such as a like: its fall is no news


class Common(NamedTuple):
    """A name that the views of every endpoint have, so that a query is moved by its suffix."""

    name: str
    chinese_name: str
    unit: str
    metric: Metric | None = None  # None: the endpoint does not count it


COMMON = (
    Common("readers", "阅读人数", "people"),
    Common("reads", "阅读次数", "times"),
    Common("sharers", "分享人数", "people"),
    Common("shares", "分享次数", "times"),
    Common("favourites", "收藏人数", "people"),
)


def _metrics(dataset: str) -> tuple[Metric, ...]:
    """What the file beside this one declares, without empty cells."""
    with Path(__file__).with_name("metrics.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line.pop("dataset") == dataset]
    given = [{name: cell for name, cell in line.items() if cell} for line in lines]
    return tuple(msgspec.convert(given, list[Metric], strict=False))  # noqa: TID251 - at import


class Rows(Enum):
    """Where an item of an answer's list has its rows."""

    LIST = "a list"  # a row a day, each with its `stat_date`
    OBJECT = "an object"  # the one row of its `ref_date`
    ITEM = "the item"  # the item is that row itself


class ItemKey(NamedTuple):
    """What tells an item of an answer from the others of its day."""

    name: str  # as the fact's column, and WeChat's key
    of: str  # what it identifies, in a sentence
    is_number: bool = False


MSGID = ItemKey("msgid", "an article")
ARTICLES_SET = 7
"""The permission set that the account of a third-party platform must have granted for articles."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One datacube endpoint: what its day means, which rows it answers, how often it is asked."""

    name: str  # as in the tables' column `dataset`; DAG, asset and fact are named after it
    endpoint: str  # last part of its path
    description: str  # what it gives, in the middle of a sentence
    window: int
    """
    On how many mornings a day is asked for.

    Of publication days also how long an article's totals grow: rows P … P + window - 1.
    """
    first_day: date = date(2025, 11, 1)  # the earliest day WeChat can be asked for
    metrics: tuple[Metric, ...]
    describes_articles: bool = True
    """
    Whether the day is a publication day: a row is what its articles reached by a later day's end.

    Else it is a statistics day: a row counts what happened on it, or what there was at its end.
    """
    item: ItemKey | None = MSGID  # of a row's key; None: nothing more
    rows_in: Rows = Rows.LIST
    rows_key: str = ""  # the item's key that has its rows; empty when the item is the row
    meaningless: frozenset[str] = frozenset()  # keys of an item that say nothing: not loaded
    is_combined: bool = False  # whether analysts see it with another in one view, written by hand
    can_be_empty: bool = True  # else an empty answer is one that is not ready
    permission_set: int = ARTICLES_SET  # what a platform's account must have granted
    is_optional: bool = True  # whether its DAG waits, paused, until somebody wants it
    headline: tuple[str, ...] = ()  # totals that WeChat always gives: else a row is not known
    suffix: str = ""  # what the names of its own views in schema `analytics` end in
    successor: str | None = None  # the dataset to use when WeChat retires the endpoint

    def __hash__(self) -> int:
        """By the name alone: what is cached by dataset is looked up for each row."""
        return hash(self.name)

    @property
    def path(self) -> str:
        """Where to POST."""
        return f"/datacube/{self.endpoint}"

    @property
    def fact(self) -> str:
        """The fact table, in schema `weixin`."""
        return f"fact_{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row of the fact."""
        return ("appid", *([self.item.name] if self.item else []), "stat_date")

    @property
    def place(self) -> tuple[str, ...]:
        """The fact's columns that say which day a row was asked with, where its key does not."""
        return ("publication_date",) if self.describes_articles else ()

    @property
    def day_column(self) -> str:
        """The fact's column that has the day asked."""
        return "publication_date" if self.describes_articles else "stat_date"

    @property
    def row_days(self) -> int:
        """The number of days of which an item has rows, from the day asked on."""
        return self.window if self.describes_articles else 1

    @property
    def figures(self) -> tuple[Metric, ...]:
        """The metrics that are one number."""
        return tuple(metric for metric in self.metrics if metric.kind is not Kind.LIST)

    @cached_property  # it is asked for with each article
    def lists(self) -> tuple[Metric, ...]:
        """The metrics that are a list of objects."""
        return tuple(metric for metric in self.metrics if metric.kind is Kind.LIST)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics that only grow, as long as WeChat does not correct them."""
        return self.counted if self.describes_articles else ()

    @property
    def counted(self) -> tuple[Metric, ...]:
        """The metrics that grow, or of statistics days may be added up over days."""
        counts = (metric for metric in self.metrics if metric.kind is Kind.COUNT)
        return tuple(metric for metric in counts if not metric.is_level)

    @property
    def wholes(self) -> tuple[Metric, ...]:
        """The totals that are no part of another: those whose increments are shown."""
        return tuple(metric for metric in self.totals if not metric.whole)

    @cached_property  # it is asked for with each article
    def monotonic(self) -> tuple[str, ...]:
        """
        The names of the totals that only WeChat's corrections can lower: people are told of a fall.

        Not their parts: a reader may be counted in another part later.
        """
        return tuple(metric.name for metric in self.wholes if not metric.may_fall)

    @property
    def common(self) -> tuple[Common, ...]:
        """Each name that all endpoints share, with the metric that it stands for here."""
        named = {metric.common: metric for metric in self.metrics}
        return tuple(it._replace(metric=named.get(it.name)) for it in COMMON)

    @property
    def readers(self) -> str:
        """The metric that counts the people who read; empty where there is none."""
        return next((it.name for it in self.metrics if it.common == "readers"), "")

    @property
    def dag_id(self) -> str:
        """The DAG, and the asset it updates."""
        return f"weixin_{self.name}"

    @property
    def successor_dag_id(self) -> str | None:
        """The DAG of the endpoint to use when WeChat retires this one; None where there is none."""
        return self.successor and DATASETS[self.successor].dag_id


# https://developers.weixin.qq.com/doc/offiaccount/Analytics/Graphic_Analysis_Data_Interface.html
ARTICLE_TOTAL = Dataset(
    name="article_total",
    endpoint="getarticletotal",
    description="totals of each article and day",
    rows_key="details",
    window=7,
    is_optional=False,
    first_day=date(2014, 12, 1),
    headline=("int_page_read_user", "int_page_read_count"),
    suffix="_7d",
    successor="article_total_detail",
    metrics=_metrics("article_total"),
)
ARTICLE_TOTAL_DETAIL = Dataset(
    name="article_total_detail",
    endpoint="getarticletotaldetail",
    description="totals of each article and day",
    rows_key="detail_list",
    window=30,
    is_optional=False,
    headline=("read_user",),
    suffix="_30d",
    metrics=_metrics("article_total_detail"),
)

# No page of WeChat's own could be read for the first of these: read leniently, the bytes are kept.
ARTICLE_READ = Dataset(
    name="article_read",
    endpoint="getarticleread",
    description="who read an article on a day, whenever it was published",
    window=3,
    describes_articles=False,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_combined=True,
    metrics=_metrics("article_read"),
)
ARTICLE_SHARE = Dataset(
    name="article_share",
    endpoint="getarticleshare",
    description="who shared an article on a day, whenever it was published",
    window=3,
    describes_articles=False,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_combined=True,
    metrics=_metrics("article_share"),
)
ACCOUNT_SUMMARY = Dataset(
    name="account_summary",
    endpoint="getbizsummary",
    description="the account's day, over all of its articles",
    window=7,
    describes_articles=False,
    item=None,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    metrics=_metrics("account_summary"),
)

# https://developers.weixin.qq.com/doc/offiaccount/Analytics/User_Analysis_Data_Interface.html
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
    metrics=_metrics("follower_change"),
)
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
    metrics=_metrics("follower_total"),
)

_ALL = (
    *(ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, ARTICLE_READ, ARTICLE_SHARE),
    *(ACCOUNT_SUMMARY, FOLLOWER_CHANGE, FOLLOWER_TOTAL),
)
DATASETS = {dataset.name: dataset for dataset in _ALL}
ARTICLE_DATASETS = {dataset.name: dataset for dataset in _ALL if dataset.describes_articles}
"""The datasets of publication days."""
