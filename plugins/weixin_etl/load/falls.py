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
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

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
    def total(self) -> tuple[str, date, str]:
        """The total that fell: its article, day and metric."""
        return self.msgid, self.stat_date, self.metric

    def __str__(self) -> str:
        """Return `2247483650_1 2026-11-20 int_page_read_user: 2500 → 3`, in any language."""
        return f"{self.msgid} {self.stat_date} {self.metric}: {self.before} → {self.now}"


def falls_between_rows(dataset: Dataset, articles: Iterable[Article]) -> list[Fall]:
    """
    Return the totals that are lower than in the same article's row of an earlier day.

    Each is compared with the last known total before it. The list is empty for a dataset without
    running totals.
    """
    return [fall for article in articles for fall in _article_falls(dataset, article)]


def has_news(dataset: Dataset, before: Article | None, now: Article) -> bool:
    """
    Return whether an answer brings a new row of an article, or a running total that fell.

    A total fell if it is lower than in the earlier answers' row of the same day. It also fell if it
    is lower than in the answer's own row of an earlier day, and one of both rows has changed. For a
    dataset without running totals the result is always False.

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
    """
    Return whether a total is lower than in the earlier answer's row of the same day.

    `before` has a row of each day of `now`. A total that one of both rows lacks did not fall.
    """
    totals = [
        (getattr(before.rows[day], metric), getattr(row, metric))
        for day, row in now.rows.items()
        for metric in dataset.monotonic
    ]
    return any(new < old for old, new in totals if None not in (old, new))


def _article_falls(dataset: Dataset, article: Article) -> Iterator[Fall]:
    """
    Yield each total of an article that is lower than the last known total of an earlier day.

    Rows without the total are passed over. A dataset without running totals has no falls.
    """
    days = sorted(article.rows)
    rows = [article.rows[day] for day in days]
    for name in dataset.monotonic:
        totals = [*map(attrgetter(name), rows)]
        if None not in totals and totals == sorted(totals):  # nearly all pass this quick check
            continue
        known = [(day, total) for day, total in zip(days, totals, strict=True) if total is not None]
        for (earlier, before), (later, now) in pairwise(known):
            if now < before:
                yield Fall(article.msgid, later, name, before, now, earlier)


def largest(falls: Sequence[Fall]) -> str:
    """
    Return the text of the fall by the largest amount, and the number of the other falls.

    The text is that of `str(Fall)`. Two further falls are shown as ` (+2)`.

    Args:
        falls: at least one fall.
    """
    further = f" (+{len(falls) - 1})" if falls[1:] else ""
    return f"{max(falls, key=lambda fall: fall.before - fall.now)}{further}"
