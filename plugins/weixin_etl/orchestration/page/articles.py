"""How an account's latest articles grow beside what is usual for it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from weixin_etl.datasets import Dataset
from weixin_etl.orchestration.page.reader import Figures

LATEST = 12
"""Articles a chart shows: more curves can't be told apart."""
LATER = 10
"""Articles that are listed as read after the window."""


@dataclass(frozen=True, slots=True)
class ShownArticle:
    """An article and its readers by day."""

    msgid: str
    title: str | None
    position: int | None
    publication_date: date
    url: str | None
    is_final: bool
    latest: int | None
    readers: tuple[tuple[int, int], ...]
    """Day number (the publication day is 1) and readers so far."""


@dataclass(frozen=True, slots=True)
class View:
    """An account's latest articles."""

    metric: str
    chinese_name: str
    meaning: str
    window: int
    articles: tuple[ShownArticle, ...]
    benchmark: tuple[dict[str, Any], ...]
    """What is usual for the account: by position and day number."""
    later: tuple[dict[str, Any], ...]
    """Older ones, by their readers on the latest day; none where no dataset counts these."""


def view(of: Figures, readable: Sequence[Dataset], appid: str) -> View:
    """The account's latest articles, what is usual, and what is still read of older ones."""
    dataset = of.dataset
    latest = of.rows("page/articles.sql", appid=appid, most=LATEST)
    readers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for day in of.rows(
        "page/article_days.sql", appid=appid, msgids=[row["msgid"] for row in latest]
    ):
        readers[day["msgid"]].append((day["day_number"], day["readers"]))
    metric = next(metric for metric in dataset.metrics if metric.name == dataset.readers)
    return View(
        metric=metric.name,
        chinese_name=metric.chinese_name,
        meaning=metric.meaning,
        window=dataset.window,
        articles=tuple(ShownArticle(**row, readers=tuple(readers[row["msgid"]])) for row in latest),
        benchmark=of.rows("page/benchmark.sql", appid=appid),
        later=tuple(
            article
            for other in readable
            if other.readers and other.item == dataset.item and not other.describes_articles
            for article in replace(of, dataset=other).rows(
                "page/article_later.sql", appid=appid, window=dataset.window, most=LATER
            )
        ),
    )
