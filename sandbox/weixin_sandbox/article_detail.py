"""
Made-up figures of `getarticletotaldetail`, and of the endpoints that count one day of articles.

The figures of these endpoints agree with one another. They differ from those of `getarticletotal`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

from weixin_sandbox.answers import Json, Row
from weixin_sandbox.articles import Article, publications

_DAYS = 30
_OLDEST_DAYS = 120
"""The age up to which an article is still read."""
_LATE_READERS = 0.06
"""The share of readers that spreads evenly over all thirty days, as from search."""
_RETURNING = 0.01
"""The share of an article's readers so far who read it again on a later day."""
_OLD_READERS = 0.002
"""The share of the readers who come on the first day after the totals have stopped growing."""
_ACCOUNT_SHARE = 0.8
"""The account's people as a share of the sum over its articles: some read several articles."""
_LEAVING = 0.01

_TOTALS = [
    ("share_user", 0.005, 0.06),
    ("zaikan_user", 0.002, 0.03),
    ("like_user", 0.005, 0.06),
    ("comment_count", 0.0005, 0.01),
    ("collection_user", 0.002, 0.03),
    ("praise_money", 0.5, 20),
    ("read_subscribe_user", 0.001, 0.05),
]
_OF_ACCOUNT = ("share_user", "zaikan_user", "like_user", "comment_count", "collection_user")
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


class _Shape:
    """The final totals and rates of an article."""

    def __init__(self, article: Article) -> None:
        random = article.random("article_total_detail")
        self.article = article
        self.readers = readers = article.readers * random.uniform(0.93, 1.04)
        scenes = [*_SCENES, _OFTEN_ABSENT] if random.random() < 0.4 else _SCENES
        self.scenes = {name: readers * random.uniform(low, high) for name, low, high in scenes}
        self.totals = {name: readers * random.uniform(low, high) for name, low, high in _TOTALS}
        if random.random() < 0.9:
            self.totals["praise_money"] = 0
        self.finish_rate = random.uniform(0.3, 0.8)
        self.minutes = random.uniform(0.4, 3)
        left = [*accumulate((random.uniform(0.3, 0.6) for _ in _POSITIONS), lambda a, b: a * b)]
        self.jumps = [share * random.uniform(0.8, 1) for share in left]

    def reached(self, day: date) -> float:
        """Return the share of the final totals by the end of a day, in (0, 1]."""
        days = (day - self.article.publication_date).days + 1
        return (1 - _LATE_READERS) * self.article.reached(day) + _LATE_READERS * days / _DAYS

    def row(self, day: date) -> Row:
        """Return the row with the totals at the end of a day."""
        reached = self.reached(day)
        read_user = int(self.readers * reached)
        scenes = {name: int(total * reached) for name, total in self.scenes.items()}
        # late readers read less of the article
        patience = 1.2 - 0.2 * reached
        return {
            "stat_date": day.isoformat(),
            "read_user": read_user,
            "read_user_source": _sources(read_user, scenes),
            **{name: int(total * reached) for name, total in self.totals.items()},
            "read_delivery_rate": _rate(scenes[_DELIVERED] / self.article.target_user),
            "read_finish_rate": _rate(self.finish_rate * patience),
            "read_avg_activetime": _rate(self.minutes * patience),
            "read_jump_position": [
                {"position": position, "rate": _rate(rate / patience)}
                for position, rate in zip(_POSITIONS, self.jumps, strict=True)
            ],
        }

    def gained(self, total: float, day: date) -> int:
        """Return the growth of a total on a day; 0 after `_DAYS` days."""
        if (day - self.article.publication_date).days >= _DAYS:
            return 0
        return int(total * self.reached(day)) - int(total * self.reached(_before(day)))

    def read_on(self, day: date) -> int:
        """Return the number of readers on a day: the new ones, and some who read it again."""
        late_days = (day - self.article.publication_date).days - _DAYS
        if late_days >= 0:
            return int(self.readers * _OLD_READERS * 0.97**late_days)
        known = int(self.readers * self.reached(_before(day)))
        return self.gained(self.readers, day) + int(known * _RETURNING)

    def scenes_of(self, readers: int, share: float = 1) -> dict[str, int]:
        """Return a share of the readers by scene."""
        parts = {name: count / self.readers for name, count in self.scenes.items()}
        return {name: int(readers * part * share) for name, part in parts.items()}


def rows(article: Article, days: list[date]) -> list[Row]:
    """Return one row per day, with the totals and rates from publication to the day's end."""
    shape = _Shape(article)
    return [shape.row(day) for day in days]


def read(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """Yield the id and row of each article that was read on a day, whenever it was published."""
    for shape in _shapes(seed, appid, day):
        if read_user := shape.read_on(day):
            sources = _sources(read_user, shape.scenes_of(read_user))
            yield shape.article.msgid, {"read_user": read_user, "read_user_source": sources}


def shared(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """Yield the id and row of each article that was shared on a day."""
    for shape in _shapes(seed, appid, day):
        if share_user := shape.gained(shape.totals["share_user"], day):
            yield shape.article.msgid, {"share_user": share_user}


def summary(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """Yield the row of the account's day; its people are fewer than the sum over its articles."""
    shapes = _shapes(seed, appid, day)
    readers = [shape.read_on(day) for shape in shapes]
    read_user = max([int(sum(readers) * _ACCOUNT_SHARE), *readers])
    scenes: Counter[str] = Counter()
    for shape, count in zip(shapes, readers, strict=True):
        scenes.update(shape.scenes_of(count, _ACCOUNT_SHARE))
    figures: Row = {
        "read_user": read_user,
        "read_user_source": _sources(
            read_user, {name: min(n, read_user) for name, n in scenes.items()}
        ),
        **{
            name: sum(shape.gained(shape.totals[name], day) for shape in shapes)
            for name in _OF_ACCOUNT
        },
        "redirect_ori_page_user": int(read_user * _LEAVING),
        "send_page_count": sum(shape.article.publication_date == day for shape in shapes),
    }
    yield "", figures


def _shapes(seed: int, appid: str, day: date) -> list[_Shape]:
    """Return the articles that may be read on a day, the newest first."""
    days = (day - timedelta(days=age) for age in range(_OLDEST_DAYS))
    return [shape for published in days for shape in _published_shapes(seed, appid, published)]


@lru_cache(maxsize=4096)
def _published_shapes(seed: int, appid: str, published: date) -> tuple[_Shape, ...]:
    """Return the articles that were published on a day."""
    return tuple(map(_Shape, publications(seed, appid, published)))


def _before(day: date) -> date:
    """Return the day before."""
    return day - timedelta(days=1)


def _sources(read_user: int, scenes: Mapping[str, int]) -> list[Json]:
    """Return the list of all readers and of the readers of each scene."""
    every = {"全部": read_user, **scenes}
    return [{"user_count": count, "scene_desc": scene} for scene, count in every.items()]


def _rate(value: float) -> float:
    """Return a rate with WeChat's precision."""
    return round(value, 7)
