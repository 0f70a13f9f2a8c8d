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
    chinese_name: str
    meaning: str
    """What it counts, in the middle of a sentence."""
    unit: str = "people"
    caveat: str | None = None
    """What to know before using it."""
    nearest: str | None = None
    """The metric of the endpoint's successor that counts nearly the same."""
    kind: Kind = Kind.COUNT
    is_level: bool = False
    """A number that is no running total, such as how many people a message went to."""
    whole: str | None = None
    """The metric of which it counts a part, such as the readers from one place."""
    entry_keys: tuple[str, ...] = ()
    """Of a list: the keys of its objects."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where readers come from, as both endpoints tell it, each in words of its own."""

    code: str
    """What the views call it."""
    part: str
    """What the names of its metrics of `article_total` hold."""
    scene_desc: str
    """WeChat's text in the lists of `article_total_detail`."""
    chinese_name: str
    name: str
    """In the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What analysts divide: two metrics of one dataset."""

    name: str
    chinese_name: str
    meaning: str
    numerator: str
    denominator: str


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
    headline: tuple[str, ...]
    """The running totals without which a row is not known: WeChat always gives them."""
    rates: tuple[Rate, ...] = ()
    suffix: str = ""
    """What the names of its own views in schema `analytics` end in."""
    successor: str | None = None
    """The dataset to use when WeChat retires the endpoint."""

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
    def figures(self) -> tuple[Metric, ...]:
        """The metrics that are one number."""
        return tuple(metric for metric in self.metrics if metric.kind is not Kind.LIST)

    @property
    def lists(self) -> tuple[Metric, ...]:
        """The metrics that are a list of objects."""
        return tuple(metric for metric in self.metrics if metric.kind is Kind.LIST)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics that only grow, as long as WeChat does not correct them."""
        return tuple(m for m in self.metrics if m.kind is Kind.COUNT and not m.is_level)

    @property
    def wholes(self) -> tuple[Metric, ...]:
        """The running totals that are no part of another."""
        return tuple(metric for metric in self.totals if metric.whole is None)

    @property
    def others(self) -> tuple[Metric, ...]:
        """The metrics that are no running totals: they have no increments."""
        return tuple(metric for metric in self.metrics if metric not in self.totals)

    @property
    def daily_rates(self) -> tuple[Rate, ...]:
        """The rates of a day: both their metrics have increments."""
        totals = {metric.name for metric in self.totals}
        return tuple(rate for rate in self.rates if {rate.numerator, rate.denominator} <= totals)

    @property
    def prefix(self) -> str:
        """What the names of its columns begin with where a view has those of every dataset."""
        return f"{self.suffix[1:]}_" if self.suffix else ""

    @property
    def dag_id(self) -> str:
        """The DAG, and the asset it updates."""
        return f"weixin_{self.name}"


_PARTS = "The parts may add up to more than the whole"
_OFTEN_ABSENT = "WeChat often leaves it out: null, not 0"
_NOT_ADDITIVE = "Not additive, and never to be averaged over articles"
_IN_BOTH = "Both datasets have a metric of this name; they count differently"


_CHAT = Scene("session", "session", "公众号消息", "公众号会话", "the account's own chat")
_HISTORY = Scene("history", "hist_msg", "公众号主页", "历史消息页", "the list of past messages")
_MOMENTS = Scene("feed", "feed", "朋友圈", "朋友圈", "Moments")
_FRIENDS = Scene("friends", "friends", "聊天会话", "好友转发", "a friend's chat")
_ELSEWHERE = Scene("other", "other", "其他", "其他场景", "elsewhere")
_TOP_STORIES = Scene("kanyikan", "kanyikan", "推荐", "看一看", "Top Stories (kanyikan)")
_SEARCH = Scene("souyisou", "souyisou", "搜一搜", "搜一搜", "Search (souyisou)")
SCENES = (_CHAT, _HISTORY, _MOMENTS, _FRIENDS, _ELSEWHERE, _TOP_STORIES, _SEARCH)
"""Those that both endpoints tell of; the successor's lists may have others."""


def _reads(scene: Scene, caveat: str = _PARTS) -> tuple[Metric, Metric]:
    """The readers who came from one place, such as `int_page_from_feed_read_user`; their reads."""
    name, chinese_name = f"int_page_from_{scene.part}_read", f"{scene.chinese_name}阅读"
    people, reads = f"people who read the article from {scene.name}", f"reads from {scene.name}"
    wholes = ("int_page_read_user", "int_page_read_count")
    return _people_and_times(
        f"{name}_user", f"{name}_count", chinese_name, people, reads, caveat, wholes
    )


def _shares_to_moments(scene: Scene) -> tuple[Metric, Metric]:
    """Those who shared to Moments from one place, `feed_share_from_feed_user`; their shares."""
    name, chinese_name = f"feed_share_from_{scene.part}", f"{scene.chinese_name}转发朋友圈"
    people, shares = (
        f"people who shared it to Moments from {scene.name}",
        f"shares to Moments from {scene.name}",
    )
    wholes = ("share_user", "share_count")
    return _people_and_times(
        f"{name}_user", f"{name}_cnt", chinese_name, people, shares, _PARTS, wholes
    )


def _people_and_times(
    user: str,
    count: str,
    chinese: str,
    people: str,
    times: str,
    caveat: str,
    wholes: tuple[str, str],
) -> tuple[Metric, Metric]:
    """A part of the readers or shares: how many people, and how often."""
    return (
        Metric(user, f"{chinese}人数", people, caveat=caveat, whole=wholes[0]),
        Metric(count, f"{chinese}次数", times, "times", caveat=caveat, whole=wholes[1]),
    )


# https://developers.weixin.qq.com/doc/offiaccount/Analytics/Graphic_Analysis_Data_Interface.html
ARTICLE_TOTAL = Dataset(
    name="article_total",
    endpoint="getarticletotal",
    rows_key="details",
    window=7,
    first_day=date(2014, 12, 1),
    readers="int_page_read_user",
    headline=("int_page_read_user", "int_page_read_count"),
    rates=(
        Rate(
            "session_open_rate",
            "公众号会话打开率",
            "people who opened it from the account's chat, of the people it was sent to",
            "int_page_from_session_read_user",
            "target_user",
        ),
        Rate(
            "share_rate",
            "分享率",
            "people who shared it, of its readers",
            "share_user",
            "int_page_read_user",
        ),
        Rate(
            "favourite_rate",
            "收藏率",
            "people who added it to their favourites, of its readers",
            "add_to_fav_user",
            "int_page_read_user",
        ),
        Rate(
            "original_page_rate",
            "原文页阅读率",
            'people who followed "read the original", of its readers',
            "ori_page_read_user",
            "int_page_read_user",
        ),
        Rate(
            "moments_spread",
            "朋友圈扩散率",
            "people who shared it to Moments from the account's chat, of those who read it there",
            "feed_share_from_session_user",
            "int_page_from_session_read_user",
        ),
    ),
    successor="article_total_detail",
    metrics=(
        Metric(
            "target_user",
            "送达人数",
            "people the message was sent to",
            caveat="It has no increment",
            is_level=True,
        ),
        Metric(
            "int_page_read_user",
            "图文页阅读人数",
            "people who read the article page",
            caveat="The nearest of article_total_detail is read_user, which counts differently",
            nearest="read_user",
        ),
        Metric("int_page_read_count", "图文页阅读次数", "reads of the article page", "times"),
        Metric("ori_page_read_user", "原文页阅读人数", 'people who followed "read the original"'),
        Metric("ori_page_read_count", "原文页阅读次数", 'visits by "read the original"', "times"),
        Metric(
            "share_user",
            "分享人数",
            "people who shared the article",
            caveat=_IN_BOTH,
            nearest="share_user",
        ),
        Metric("share_count", "分享次数", "shares of the article", "times"),
        Metric(
            "add_to_fav_user",
            "收藏人数",
            "people who added the article to their favourites",
            caveat="The nearest of article_total_detail is collection_user",
            nearest="collection_user",
        ),
        Metric("add_to_fav_count", "收藏次数", "additions to favourites", "times"),
        *_reads(_CHAT),
        *_reads(_HISTORY),
        *_reads(_MOMENTS),
        *_reads(_FRIENDS),
        *_reads(_ELSEWHERE),
        *_shares_to_moments(_CHAT),
        *_shares_to_moments(_MOMENTS),
        *_shares_to_moments(_ELSEWHERE),
        *_reads(_TOP_STORIES, _OFTEN_ABSENT),
        *_reads(_SEARCH, _OFTEN_ABSENT),
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
    headline=("read_user",),
    suffix="_detail",
    rates=(
        Rate(
            "share_rate",
            "分享率",
            "people who shared it, of its readers",
            "share_user",
            "read_user",
        ),
        Rate(
            "favourite_rate",
            "收藏率",
            "people who added it to their favourites, of its readers",
            "collection_user",
            "read_user",
        ),
    ),
    metrics=(
        Metric(
            "read_user",
            "阅读人数",
            "people who read the article",
            caveat="The nearest of article_total is int_page_read_user, which counts differently",
        ),
        Metric(
            "read_user_source",
            "阅读来源",
            "where readers came from: a list of {scene_desc, user_count}",
            "list",
            caveat="scene_desc is free Chinese text; 全部 is the sum; see analytics.article_source",
            kind=Kind.LIST,
            entry_keys=("scene_desc", "user_count"),
        ),
        Metric("share_user", "分享人数", "people who shared the article", caveat=_IN_BOTH),
        Metric("zaikan_user", "在看人数", "people who marked the article 在看 (wow)"),
        Metric("like_user", "点赞人数", "people who liked the article"),
        Metric("comment_count", "评论数", "comments", "times"),
        Metric(
            "collection_user",
            "收藏人数",
            "people who added the article to their favourites",
            caveat="The nearest of article_total is add_to_fav_user",
        ),
        Metric("praise_money", "赞赏金额", "tips in cents (fen)", "cents"),
        Metric(
            "read_subscribe_user",
            "阅读后关注人数",
            "people who followed the account from the article",
        ),
        Metric(
            "read_delivery_rate",
            "送达阅读率",
            "share of the people it was delivered to who read it, from 0 to 1",
            "share",
            caveat=_NOT_ADDITIVE,
            kind=Kind.RATE,
        ),
        Metric(
            "read_finish_rate",
            "完读率",
            "share of the readers who read to the end, from 0 to 1",
            "share",
            caveat=_NOT_ADDITIVE,
            kind=Kind.RATE,
        ),
        Metric(
            "read_avg_activetime",
            "平均停留时长",
            "minutes a reader stayed, on average",
            "minutes",
            caveat=_NOT_ADDITIVE,
            kind=Kind.RATE,
        ),
        Metric(
            "read_jump_position",
            "跳出位置",
            "where readers left: a list of {position (1 to 5), rate}",
            "list",
            kind=Kind.LIST,
            entry_keys=("position", "rate"),
        ),
    ),
)

DATASETS = {dataset.name: dataset for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)}
