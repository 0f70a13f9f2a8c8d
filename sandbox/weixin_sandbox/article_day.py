"""What happened to articles on a day, at any age: the rows of `getarticleread` and its kin."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from weixin_sandbox.answers import Json, Row
from weixin_sandbox.article_total_detail import DAYS, Shape, sources
from weixin_sandbox.figures import publications

OLDEST_DAYS = 120
"""So old an article is still read."""
_RETURNING = 0.01
"""The share of an article's readers so far who read it again on a later day."""
_OLD_READERS = 0.002
"""The share of the readers who come on the first day after the totals have stopped growing."""
_ACCOUNT_SHARE = 0.8
"""People of an account, of the sum of its articles': some read more than one."""
_LEAVING = 0.01
_FIGURES = ("share_user", "zaikan_user", "like_user", "comment_count", "collection_user")


def read(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """The articles read on a day, whenever they were published: those of nobody are not listed."""
    for shape in _shapes(seed, appid, day):
        if read_user := _read_user(shape, day):
            scenes = {scene: int(read_user * part) for scene, part in shape.parts.items()}
            of_row: Row = {"read_user": read_user, "read_user_source": sources(read_user, scenes)}
            yield shape.article.msgid, of_row


def shared(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """The articles shared on a day."""
    for shape in _shapes(seed, appid, day):
        if share_user := _increment(shape, "share_user", day):
            yield shape.article.msgid, {"share_user": share_user}


def summary(seed: int, appid: str, day: date) -> Iterator[tuple[Json, Row]]:
    """The account's day: its people are fewer than the sum of its articles'."""
    shapes = _shapes(seed, appid, day)
    readers = [_read_user(shape, day) for shape in shapes]
    read_user = max([int(sum(readers) * _ACCOUNT_SHARE), *readers])
    scenes: dict[str, int] = {}
    for shape, count in zip(shapes, readers, strict=True):
        for scene, part in shape.parts.items():
            scenes[scene] = scenes.get(scene, 0) + int(count * part * _ACCOUNT_SHARE)
    bounded = {scene: min(count, read_user) for scene, count in scenes.items()}
    yield (
        "",
        {
            "read_user": read_user,
            "read_user_source": sources(read_user, bounded),
            **{name: sum(_increment(shape, name, day) for shape in shapes) for name in _FIGURES},
            "redirect_ori_page_user": int(read_user * _LEAVING),
            "send_page_count": sum(shape.article.publication_date == day for shape in shapes),
        },
    )


def _read_user(shape: Shape, day: date) -> int:
    """Readers of a day: all of the publication day's, then the new ones and some who return."""
    age = (day - shape.article.publication_date).days
    if age >= DAYS:
        return int(shape.readers * _OLD_READERS * 0.97 ** (age - DAYS))
    reached = int(shape.readers * shape.reached(day))
    known = int(shape.readers * shape.reached(day - timedelta(days=1))) if age else 0
    return reached - known + int(known * _RETURNING)


def _increment(shape: Shape, metric: str, day: date) -> int:
    """What a total of the article has grown by on a day; nothing once it has stopped growing."""
    age, total = (day - shape.article.publication_date).days, shape.totals[metric]
    if age >= DAYS:
        return 0
    reached = int(total * shape.reached(day))
    return reached - (int(total * shape.reached(day - timedelta(days=1))) if age else 0)


def _shapes(seed: int, appid: str, day: date) -> list[Shape]:
    """The articles that may be read on a day, the newest first."""
    days = (day - timedelta(days=age) for age in range(OLDEST_DAYS))
    return [shape for published in days for shape in _of_day(seed, appid, published)]


@lru_cache(maxsize=4096)
def _of_day(seed: int, appid: str, published: date) -> tuple[Shape, ...]:
    return tuple(map(Shape, publications(seed, appid, published)))
