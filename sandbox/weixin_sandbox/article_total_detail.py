"""The rows of `getarticletotaldetail`: totals, sources and rates of an article and a day."""

from collections.abc import Mapping
from datetime import date
from itertools import accumulate
from random import Random

from weixin_sandbox.answers import Json, Row
from weixin_sandbox.figures import Article

DAYS = 30
_LATE_READERS = 0.06
"""The share of the readers who come evenly over all thirty days: search, recommendations."""
_RATE_DIGITS = 7

_TOTALS = [
    ("share_user", 0.005, 0.06),
    ("zaikan_user", 0.002, 0.03),
    ("like_user", 0.005, 0.06),
    ("comment_count", 0.0005, 0.01),
    ("collection_user", 0.002, 0.03),
    ("praise_money", 0.5, 20),
    ("read_subscribe_user", 0.001, 0.05),
]
_ALL_SCENES = "全部"
_DELIVERED = "公众号消息"
_SCENES = [
    (_DELIVERED, 0.3, 0.6),
    ("聊天会话", 0.03, 0.15),
    ("朋友圈", 0.1, 0.3),
    ("公众号主页", 0.01, 0.05),
    ("推荐", 0.02, 0.2),
    ("其他", 0.01, 0.1),
]
_OFTEN_ABSENT = ("搜一搜", 0.01, 0.05)
_POSITIONS = range(1, 6)


def rows(article: Article, dates: list[date]) -> list[Row]:
    """One row per day: totals from publication to 24:00 of its `stat_date`, and rates up to it."""
    shape = Shape(article)
    return [shape.row(stat_date) for stat_date in dates]


class Shape:
    """What an article's figures tend to; other numbers than `getarticletotal` counts."""

    def __init__(self, article: Article) -> None:
        random = article.random("article_total_detail")
        readers = article.readers * random.uniform(0.93, 1.04)
        scenes = list(_SCENES)
        if random.random() < 0.4:
            scenes.append(_OFTEN_ABSENT)
        self.article = article
        self.readers = readers
        self.scenes = {name: readers * random.uniform(low, high) for name, low, high in scenes}
        self.totals = {name: readers * random.uniform(low, high) for name, low, high in _TOTALS}
        if random.random() < 0.9:
            self.totals["praise_money"] = 0
        self.finish_rate = random.uniform(0.3, 0.8)
        self.minutes = random.uniform(0.4, 3)
        self.jumps = _jumps(random)

    @property
    def parts(self) -> dict[str, float]:
        """The share of the readers who come from each scene."""
        return {scene: count / self.readers for scene, count in self.scenes.items()}

    def row(self, stat_date: date) -> Row:
        """The totals at the end of a day."""
        reached = self.reached(stat_date)
        read_user = int(self.readers * reached)
        scenes = {name: int(total * reached) for name, total in self.scenes.items()}
        # who comes late reads less of it
        patience = 1.2 - 0.2 * reached
        return {
            "stat_date": stat_date.isoformat(),
            "read_user": read_user,
            "read_user_source": sources(read_user, scenes),
            **{name: int(total * reached) for name, total in self.totals.items()},
            "read_delivery_rate": _rate(scenes[_DELIVERED] / self.article.target_user),
            "read_finish_rate": _rate(self.finish_rate * patience),
            "read_avg_activetime": _rate(self.minutes * patience),
            "read_jump_position": [
                {"position": position, "rate": _rate(rate / patience)}
                for position, rate in zip(_POSITIONS, self.jumps, strict=True)
            ],
        }

    def reached(self, stat_date: date) -> float:
        """The share of the final totals, in (0, 1]: most within days, the rest over thirty."""
        days = (stat_date - self.article.publication_date).days + 1
        early = self.article.reached(stat_date)
        return (1 - _LATE_READERS) * early + _LATE_READERS * days / DAYS


def sources(read_user: int, scenes: Mapping[str, int]) -> list[Json]:
    """All readers, and those of each scene."""
    every = {_ALL_SCENES: read_user, **scenes}
    return [{"user_count": count, "scene_desc": scene} for scene, count in every.items()]


def _jumps(random: Random) -> list[float]:
    """The share of the readers who leave at each fifth of the article, fewer at each."""
    left = list(accumulate((random.uniform(0.3, 0.6) for _ in _POSITIONS), lambda a, b: a * b))
    return [share * random.uniform(0.8, 1) for share in left]


def _rate(value: float) -> float:
    return round(value, _RATE_DIGITS)
