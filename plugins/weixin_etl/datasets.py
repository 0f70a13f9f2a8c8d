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
    """The keys of a list's objects."""


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
    """The name as it stands in the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What analysts divide: two metrics of one dataset."""

    name: str
    chinese_name: str
    meaning: str
    numerator: str
    denominator: str


class Day(Enum):
    """What the day is that an endpoint is asked for."""

    PUBLICATION = "publication day"
    """Articles were published on it. A row is what one had reached by the end of a later day."""
    STATISTICS = "statistics day"
    """A row counts what happened on it, or what there was at its end."""


class Rows(Enum):
    """Where an item of an answer's list has its rows."""

    LIST = "a list"
    """A row a day, each with its `stat_date`."""
    OBJECT = "an object"
    """The one row of its `ref_date`."""
    ITEM = "the item"
    """The item is that row itself."""


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What tells an item of an answer from the others of its day."""

    name: str
    """As the fact's column, and WeChat's key."""
    of: str
    """What it identifies, in a sentence."""
    is_number: bool = False


ARTICLES_SET = 7
"""The permission set that the account of a third-party platform must have granted for articles."""

MSGID = ItemKey("msgid", "an article")
CHANNEL = ItemKey("user_source", "a channel", is_number=True)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One datacube endpoint: what its day means, which rows it answers, how often it is asked."""

    name: str
    """As in the tables' column `dataset`; DAG, asset and fact are named after it."""
    endpoint: str
    """Last part of the endpoint's path."""
    description: str
    """What it gives, in the middle of a sentence."""
    window: int
    """
    On how many mornings a day is asked for.

    Of publication days also how long an article's totals grow, the day itself included: it has the
    rows P … P + window - 1.
    """
    first_day: date
    """The earliest day WeChat can be asked for."""
    metrics: tuple[Metric, ...]
    day: Day = Day.PUBLICATION
    """What the day asked is."""
    item: ItemKey | None = MSGID
    """Part of a row's key beside the account and `stat_date`; None when there is no other."""
    rows_in: Rows = Rows.LIST
    rows_key: str = ""
    """The item's key that has its rows; empty when the item is the row."""
    meaningless: frozenset[str] = frozenset()
    """Keys of an item that say nothing: they are not loaded."""
    can_be_empty: bool = True
    """Whether a day may have no rows for good; an empty answer else is one that is not ready."""
    permission_set: int = ARTICLES_SET
    """What the account of a third-party platform must have granted."""
    is_optional: bool = False
    """Whether its DAG waits, paused, until somebody wants it."""
    readers: str = ""
    """The metric that counts the people who read, where there is one."""
    scene_view: str = ""
    """The view, in schema `analytics`, of the scenes that these came from by its list of them."""
    headline: tuple[str, ...] = ()
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
    def describes_articles(self) -> bool:
        """Whether its answers say which articles there are: those of publication days do."""
        return self.day is Day.PUBLICATION

    @property
    def an_item(self) -> str:
        """What an item of an answer's list is, in a sentence."""
        return self.item.of if self.item else "a row"

    @property
    def item_prefix(self) -> str:
        """What stands before an item's key in a sentence: not before a msgid, instead of none."""
        if self.item is None:
            return self.an_item
        return f"{self.item.of.split()[1]} " if self.item.is_number else ""

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

    @property
    def lists(self) -> tuple[Metric, ...]:
        """The metrics that are a list of objects."""
        return tuple(metric for metric in self.metrics if metric.kind is Kind.LIST)

    @property
    def totals(self) -> tuple[Metric, ...]:
        """The metrics that only grow, as long as WeChat does not correct them."""
        return self._counted if self.describes_articles else ()

    @property
    def additives(self) -> tuple[Metric, ...]:
        """The metrics of a statistics day that may be added up over days."""
        return () if self.describes_articles else self._counted

    @property
    def _counted(self) -> tuple[Metric, ...]:
        return tuple(it for it in self.metrics if it.kind is Kind.COUNT and not it.is_level)

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
"""Sources that both endpoints tell of; the successor's lists may have others."""


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
    description="totals of each article and day",
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
    description="totals of each article and day",
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

_OF_DAY = "Of that day alone, at any age of the article: no running total"
_EACH_DAY = "Whoever comes on two days is counted on both"
_NOT_OF_ARTICLES = "Never added to articles' figures: what WeChat's day means here is not sure"


def _readers_of_day(whose: str, caveat: str) -> tuple[Metric, Metric]:
    """The people who read on a day, and where they came from."""
    return (
        Metric(
            "read_user",
            "阅读人数",
            f"people who read {whose} that day",
            caveat=caveat,
            is_level=True,
        ),
        Metric(
            "read_user_source",
            "阅读来源",
            "where these readers came from: a list of {scene_desc, user_count}",
            "list",
            caveat="scene_desc is free Chinese text; 全部 is the whole, never one of the parts",
            kind=Kind.LIST,
            entry_keys=("scene_desc", "user_count"),
        ),
    )


# No page of WeChat's own could be read for the first of these: read leniently, the bytes are kept.
ARTICLE_READ = Dataset(
    name="article_read",
    endpoint="getarticleread",
    description="who read an article on a day, whenever it was published",
    window=3,
    first_day=date(2025, 11, 1),
    day=Day.STATISTICS,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_optional=True,
    readers="read_user",
    scene_view="article_reading_source",
    metrics=_readers_of_day("the article", f"{_OF_DAY}. {_EACH_DAY}"),
)

ARTICLE_SHARE = Dataset(
    name="article_share",
    endpoint="getarticleshare",
    description="who shared an article on a day, whenever it was published",
    window=3,
    first_day=date(2025, 11, 1),
    day=Day.STATISTICS,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_optional=True,
    metrics=(
        Metric(
            "share_user",
            "分享人数",
            "people who shared the article that day",
            caveat=f"{_OF_DAY}. An article that is not listed was not shared",
            is_level=True,
        ),
    ),
)

ACCOUNT_SUMMARY = Dataset(
    name="account_summary",
    endpoint="getbizsummary",
    description="the account's day, over all of its articles",
    window=7,
    first_day=date(2025, 11, 1),
    day=Day.STATISTICS,
    item=None,
    rows_in=Rows.OBJECT,
    rows_key="detail",
    is_optional=True,
    readers="read_user",
    scene_view="account_summary_source",
    metrics=(
        *_readers_of_day("any article of the account", _NOT_OF_ARTICLES),
        Metric(
            "share_user",
            "分享人数",
            "people who shared any",
            caveat=_NOT_OF_ARTICLES,
            is_level=True,
        ),
        Metric("zaikan_user", "在看人数", "people who marked any 在看 (wow)", is_level=True),
        Metric("like_user", "点赞人数", "people who liked any", is_level=True),
        Metric("comment_count", "评论数", "comments", "times"),
        Metric(
            "collection_user", "收藏人数", "people who added any to their favourites", is_level=True
        ),
        Metric(
            "redirect_ori_page_user",
            "原文页阅读人数",
            'people who followed "read the original"',
            is_level=True,
        ),
        Metric("send_page_count", "发表篇数", "articles published", "articles"),
    ),
)

# https://developers.weixin.qq.com/doc/offiaccount/Analytics/User_Analysis_Data_Interface.html
FOLLOWER_CHANGE = Dataset(
    name="follower_change",
    endpoint="getusersummary",
    description="followers won and lost on a day, by channel",
    window=7,
    first_day=date(2014, 12, 1),
    day=Day.STATISTICS,
    item=CHANNEL,
    rows_in=Rows.ITEM,
    permission_set=2,
    is_optional=True,
    metrics=(
        Metric("new_user", "新增关注人数", "people who began to follow the account"),
        Metric("cancel_user", "取消关注人数", "people who stopped following it"),
    ),
)

FOLLOWER_TOTAL = Dataset(
    name="follower_total",
    endpoint="getusercumulate",
    description="followers there are at the end of a day",
    window=7,
    first_day=date(2014, 12, 1),
    day=Day.STATISTICS,
    item=None,
    rows_in=Rows.ITEM,
    meaningless=frozenset({"user_source"}),
    can_be_empty=False,
    permission_set=2,
    is_optional=True,
    metrics=(
        Metric(
            "cumulate_user",
            "累计关注人数",
            "people who follow the account at the end of the day",
            caveat="A stock: never to be added over days",
            is_level=True,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A way by which people come to follow an account."""

    user_source: int
    """WeChat's number."""
    code: str
    chinese_name: str


CHANNELS = (
    Channel(0, "others", "其他合计"),
    Channel(1, "search", "搜索"),
    Channel(17, "name_card", "名片分享"),
    Channel(30, "qr_code", "扫描二维码"),
    Channel(57, "article", "文章内账号名称"),
    Channel(100, "advertisement", "微信广告"),
    Channel(149, "mini_program", "小程序关注"),
    Channel(161, "reprint", "他人转载"),
    Channel(200, "video_account", "视频号"),
    Channel(201, "live_stream", "直播"),
)
"""Channels that WeChat names; another one is kept by its number."""

DATASETS = {
    dataset.name: dataset
    for dataset in (
        ARTICLE_TOTAL,
        ARTICLE_TOTAL_DETAIL,
        ARTICLE_READ,
        ARTICLE_SHARE,
        ACCOUNT_SUMMARY,
        FOLLOWER_CHANGE,
        FOLLOWER_TOTAL,
    )
}
ARTICLE_DATASETS = {it.name: it for it in DATASETS.values() if it.describes_articles}
"""The datasets of publication days."""
