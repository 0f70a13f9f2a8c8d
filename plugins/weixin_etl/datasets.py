"""What each endpoint is. Nothing else in the code names one."""

from dataclasses import dataclass
from datetime import date
from enum import Enum


class Kind(Enum):
    """What a metric's values are, by the type of its column."""

    COUNT = "bigint"
    """A whole number ≥ 0."""
    RATE = "numeric"
    """A decimal number, kept to the digit."""
    LIST = "jsonb"
    """A list of objects, kept as it came."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a row, by WeChat's own name."""

    name: str
    kind: Kind = Kind.COUNT
    is_level: bool = False
    """A number that is no running total, such as how many people a message went to."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One datacube endpoint that answers articles of a publication day with a row a day."""

    name: str
    """As in the tables' column `dataset`; DAG, asset and fact are named after it."""
    endpoint: str
    """Last part of the endpoint's path."""
    rows_key: str
    """Key of an article's rows in an answer."""
    window: int
    """Days an article's totals grow, the publication day included: rows P … P + window - 1."""
    first_day: date
    """The earliest publication day WeChat can be asked for."""
    metrics: tuple[Metric, ...]
    readers: str
    """The metric that counts the people who read an article."""
    successor: str | None = None
    """The dataset to use when WeChat retires the endpoint."""

    @property
    def path(self) -> str:
        """Where to POST."""
        return f"/datacube/{self.endpoint}"

    @property
    def fact(self) -> str:
        """The fact table, in schema `weixin`."""
        return f"fact_{self.name}"

    @property
    def figures(self) -> tuple[Metric, ...]:
        """The metrics that are one number."""
        return tuple(metric for metric in self.metrics if metric.kind is not Kind.LIST)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics that only grow, as long as WeChat does not correct them."""
        return tuple(m for m in self.metrics if m.kind is Kind.COUNT and not m.is_level)

    @property
    def dag_id(self) -> str:
        """The DAG, and the asset it updates."""
        return f"weixin_{self.name}"


# https://developers.weixin.qq.com/doc/offiaccount/Analytics/Graphic_Analysis_Data_Interface.html
ARTICLE_TOTAL = Dataset(
    name="article_total",
    endpoint="getarticletotal",
    rows_key="details",
    window=7,
    first_day=date(2014, 12, 1),
    readers="int_page_read_user",
    successor="article_total_detail",
    metrics=(
        Metric("target_user", is_level=True),
        Metric("int_page_read_user"),
        Metric("int_page_read_count"),
        Metric("ori_page_read_user"),
        Metric("ori_page_read_count"),
        Metric("share_user"),
        Metric("share_count"),
        Metric("add_to_fav_user"),
        Metric("add_to_fav_count"),
        Metric("int_page_from_session_read_user"),
        Metric("int_page_from_session_read_count"),
        Metric("int_page_from_hist_msg_read_user"),
        Metric("int_page_from_hist_msg_read_count"),
        Metric("int_page_from_feed_read_user"),
        Metric("int_page_from_feed_read_count"),
        Metric("int_page_from_friends_read_user"),
        Metric("int_page_from_friends_read_count"),
        Metric("int_page_from_other_read_user"),
        Metric("int_page_from_other_read_count"),
        Metric("feed_share_from_session_user"),
        Metric("feed_share_from_session_cnt"),
        Metric("feed_share_from_feed_user"),
        Metric("feed_share_from_feed_cnt"),
        Metric("feed_share_from_other_user"),
        Metric("feed_share_from_other_cnt"),
        Metric("int_page_from_kanyikan_read_user"),
        Metric("int_page_from_kanyikan_read_count"),
        Metric("int_page_from_souyisou_read_user"),
        Metric("int_page_from_souyisou_read_count"),
    ),
)

# https://developers.weixin.qq.com/doc/offiaccount/Analytics/Graphic_Analysis_Data_Interface.html
ARTICLE_TOTAL_DETAIL = Dataset(
    name="article_total_detail",
    endpoint="getarticletotaldetail",
    rows_key="detail_list",
    window=30,
    first_day=date(2025, 11, 1),
    readers="read_user",
    metrics=(
        Metric("read_user"),
        Metric("read_user_source", Kind.LIST),
        Metric("share_user"),
        Metric("zaikan_user"),
        Metric("like_user"),
        Metric("comment_count"),
        Metric("collection_user"),
        Metric("praise_money"),
        Metric("read_subscribe_user"),
        Metric("read_delivery_rate", Kind.RATE),
        Metric("read_finish_rate", Kind.RATE),
        Metric("read_avg_activetime", Kind.RATE),
        Metric("read_jump_position", Kind.LIST),
    ),
)

DATASETS = {dataset.name: dataset for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)}
