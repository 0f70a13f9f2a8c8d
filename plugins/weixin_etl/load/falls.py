"""
Running totals that fell: found in an answer, and in the rows that it replaces.

A total from publication to the end of a day can't be lower than that of the day before, nor than
what WeChat gave for the same day earlier, unless WeChat corrects it or gave it too early. It is
stored as WeChat gave it, and people are told. `stage.py` looks for falls between the rows of an
answer, `fact/merge.sql` for falls of stored rows; `Load` writes the largest into coverage. A fold
of kept answers looks for falls from answer to answer, as the rules make no such day final.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from weixin_etl.datasets import Dataset
from weixin_etl.parse import Article


class Fall(NamedTuple):
    """A running total of an article that is lower than before."""

    msgid: str
    stat_date: date
    metric: str
    before: int
    now: int
    earlier_date: date | None = None
    """The day of the total before; None: the same day's, as it was stored."""

    @property
    def difference(self) -> int:
        """By how much it fell."""
        return self.before - self.now

    @property
    def total(self) -> tuple[str, date, str]:
        """Which total fell: article, day and metric."""
        return self.msgid, self.stat_date, self.metric

    def __str__(self) -> str:
        """`2247483650_1 2026-11-20 int_page_read_user: 2500 → 3`, the same in every language."""
        return f"{self.msgid} {self.stat_date} {self.metric}: {self.before} → {self.now}"


def falls_between_rows(dataset: Dataset, articles: Iterable[Article]) -> list[Fall]:
    """Return the totals of articles that are lower than in the same article's row before."""
    if not dataset.monotonic:
        return []
    return [fall for article in articles for fall in _falls_of(dataset, article)]


def has_news(dataset: Dataset, before: Article | None, now: Article) -> bool:
    """
    Return whether an article's rows bring one that was not known, or a total that fell.

    `before` is what earlier answers said of the article: what `Load` finds in the warehouse. Of a
    dataset without running totals nothing is news.
    """
    if not dataset.monotonic:
        return False
    if before is None or now.rows.keys() - before.rows.keys():
        return bool(now.rows)
    changed = {day for day, row in now.rows.items() if row != before.rows[day]}
    fell = {day for fall in _falls_of(dataset, now) for day in (fall.stat_date, fall.earlier_date)}
    return bool(changed & fell) or _totals_fell(dataset, before, now)


def _totals_fell(dataset: Dataset, before: Article, now: Article) -> bool:
    """Return whether a total of an article is lower than in the same row before."""
    rows = [(before.rows[day], row) for day, row in now.rows.items() if day in before.rows]
    return any(
        old is not None and new is not None and new < old
        for row_before, row in rows
        for metric in dataset.monotonic
        for old, new in [(getattr(row_before, metric), getattr(row, metric))]
    )


def _falls_of(dataset: Dataset, article: Article) -> Iterator[Fall]:
    """Yield the totals of an article that are lower than the last one that is known before."""
    days = sorted(article.rows)
    totals = [*map(_totals_of(dataset), map(article.rows.__getitem__, days))]
    if _only_grow(totals):
        return
    for name, column in zip(dataset.monotonic, zip(*totals, strict=True), strict=True):
        known = [(day, total) for day, total in zip(days, column, strict=True) if total is not None]
        for (earlier, before), (later, now) in pairwise(known):
            if now < before:
                yield Fall(article.msgid, later, name, before, now, earlier)


def _only_grow(totals: Sequence[Sequence[Any]]) -> bool:
    """Return whether each total is known on every day and never lower: nearly all articles pass."""
    try:
        return all([*column] == sorted(column) for column in zip(*totals, strict=True))
    except TypeError:  # a total is unknown
        return False


@cache
def _totals_of(dataset: Dataset) -> "attrgetter[Sequence[Any]]":
    return attrgetter(*dataset.monotonic)


def largest(falls: Sequence[Fall]) -> str:
    """Return the largest fall in words, and how many more there are."""
    further = f" (+{len(falls) - 1})" if falls[1:] else ""
    return f"{max(falls, key=lambda fall: fall.difference)}{further}"
