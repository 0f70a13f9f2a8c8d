"""
Falls: running totals that became lower, between the rows of one answer or between two answers.

A running total counts from publication to the end of a day. It can't be lower than the total of the
day before, nor lower than what WeChat gave for the same day earlier, unless WeChat corrects it or
gave it too early. It is stored as WeChat gave it, and people are notified.

`load/stage.py` looks for falls between the rows of an answer, and `fact/merge.sql` for falls below
stored rows. `Load` writes the largest fall into coverage. When kept answers are merged again,
`has_news` looks for falls from answer to answer, because a day with a fall is not yet final.
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
    """A running total of an article that is lower than an earlier value."""

    msgid: str
    stat_date: date
    metric: str
    before: int
    now: int
    earlier_date: date | None = None
    """The day of the earlier total; None if it is the stored total of the same day."""

    @property
    def difference(self) -> int:
        """The amount by which the total fell."""
        return self.before - self.now

    @property
    def total(self) -> tuple[str, date, str]:
        """The total that fell: its article, day and metric."""
        return self.msgid, self.stat_date, self.metric

    def __str__(self) -> str:
        """Return `2247483650_1 2026-11-20 int_page_read_user: 2500 → 3`, in any language."""
        return f"{self.msgid} {self.stat_date} {self.metric}: {self.before} → {self.now}"


def falls_between_rows(dataset: Dataset, articles: Iterable[Article]) -> list[Fall]:
    """Return the totals that are lower than in the same article's row of an earlier day."""
    if not dataset.monotonic:
        return []
    return [fall for article in articles for fall in _article_falls(dataset, article)]


def has_news(dataset: Dataset, before: Article | None, now: Article) -> bool:
    """
    Return whether an answer brings a new row of an article, or a total that fell.

    For a dataset without running totals the result is always False.

    Args:
        dataset: the dataset of both answers.
        before: the article as all earlier answers gave it; None if none listed it.
        now: the article as the answer gives it.
    """
    if not dataset.monotonic:
        return False
    if before is None or now.rows.keys() - before.rows.keys():
        return bool(now.rows)
    changed = {day for day, row in now.rows.items() if row != before.rows[day]}
    falls = _article_falls(dataset, now)
    fallen = {day for fall in falls for day in (fall.stat_date, fall.earlier_date)}
    return bool(changed & fallen) or _totals_fell(dataset, before, now)


def _totals_fell(dataset: Dataset, before: Article, now: Article) -> bool:
    """Return whether a total is lower than in the earlier answer's row of the same day."""
    common_rows = [(before.rows[day], row) for day, row in now.rows.items() if day in before.rows]
    return any(
        old is not None and new is not None and new < old
        for old_row, new_row in common_rows
        for metric in dataset.monotonic
        for old, new in [(getattr(old_row, metric), getattr(new_row, metric))]
    )


def _article_falls(dataset: Dataset, article: Article) -> Iterator[Fall]:
    """Yield the totals of an article that are lower than the last known total before."""
    days = sorted(article.rows)
    totals = [*map(_totals_getter(dataset), map(article.rows.__getitem__, days))]
    if _only_grow(totals):
        return
    for name, column in zip(dataset.monotonic, zip(*totals, strict=True), strict=True):
        known = [(day, total) for day, total in zip(days, column, strict=True) if total is not None]
        for (earlier, before), (later, now) in pairwise(known):
            if now < before:
                yield Fall(article.msgid, later, name, before, now, earlier)


def _only_grow(totals: Sequence[Sequence[Any]]) -> bool:
    """
    Return whether each total is known on every day and never falls.

    Nearly all articles pass this quick check.
    """
    try:
        return all([*column] == sorted(column) for column in zip(*totals, strict=True))
    except TypeError:  # A total is None, so the totals can't be sorted.
        return False


@cache
def _totals_getter(dataset: Dataset) -> "attrgetter[Sequence[Any]]":
    """Return the function that gives a row's running totals, in the order of `monotonic`."""
    return attrgetter(*dataset.monotonic)


def largest(falls: Sequence[Fall]) -> str:
    """Return the text of the largest fall and the number of further falls."""
    further = f" (+{len(falls) - 1})" if falls[1:] else ""
    return f"{max(falls, key=lambda fall: fall.difference)}{further}"
