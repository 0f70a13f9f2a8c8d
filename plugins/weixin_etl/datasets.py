"""What each endpoint is. Nothing else in the code names one."""

from dataclasses import dataclass
from datetime import date


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
    metrics: tuple[str, ...]
    """Columns of whole numbers, by WeChat's own names."""
    levels: frozenset[str]
    """The metrics that are no running totals."""

    @property
    def path(self) -> str:
        """Where to POST."""
        return f"/datacube/{self.endpoint}"

    @property
    def fact(self) -> str:
        """The fact table, in schema `weixin`."""
        return f"fact_{self.name}"

    @property
    def totals(self) -> tuple[str, ...]:
        """The metrics that only grow, as long as WeChat does not correct them."""
        return tuple(metric for metric in self.metrics if metric not in self.levels)

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
    metrics=(
        "target_user",
        "int_page_read_user",
        "int_page_read_count",
        "ori_page_read_user",
        "ori_page_read_count",
        "share_user",
        "share_count",
        "add_to_fav_user",
        "add_to_fav_count",
        "int_page_from_session_read_user",
        "int_page_from_session_read_count",
        "int_page_from_hist_msg_read_user",
        "int_page_from_hist_msg_read_count",
        "int_page_from_feed_read_user",
        "int_page_from_feed_read_count",
        "int_page_from_friends_read_user",
        "int_page_from_friends_read_count",
        "int_page_from_other_read_user",
        "int_page_from_other_read_count",
        "feed_share_from_session_user",
        "feed_share_from_session_cnt",
        "feed_share_from_feed_user",
        "feed_share_from_feed_cnt",
        "feed_share_from_other_user",
        "feed_share_from_other_cnt",
        "int_page_from_kanyikan_read_user",
        "int_page_from_kanyikan_read_count",
        "int_page_from_souyisou_read_user",
        "int_page_from_souyisou_read_count",
    ),
    levels=frozenset({"target_user"}),
)

DATASETS = {dataset.name: dataset for dataset in (ARTICLE_TOTAL,)}
