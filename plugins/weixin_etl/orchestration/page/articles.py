"""How an account's latest articles grow beside what is usual for it, and their sources."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from weixin_etl.datasets import Dataset
from weixin_etl.warehouse import statement

LATEST = 12
"""Articles a chart shows: more curves can't be told apart."""


@dataclass(frozen=True, slots=True)
class Article:
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
    articles: tuple[Article, ...]
    benchmark: tuple[dict[str, Any], ...]
    """`analytics.benchmark` of the account: by position and day number."""


def accounts(connection: Connection, dataset: Dataset) -> list[dict[str, Any]]:
    """The accounts that the dataset lists articles of, by name."""
    rows = connection.execute(statement("page/article_accounts.sql"), {"dataset": dataset.name})
    return [dict(row) for row in rows.mappings()]


def view(connection: Connection, dataset: Dataset, appid: str) -> View:
    """The account's latest articles and what is usual."""
    which = {"dataset": dataset.name, "appid": appid, "readers": dataset.readers}
    rows = connection.execute(statement("page/articles.sql"), which | {"most": LATEST})
    latest = rows.mappings().all()
    days = connection.execute(
        statement("page/article_days.sql", dataset),
        {"appid": appid, "msgids": [it["msgid"] for it in latest]},
    )
    readers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for msgid, day_number, value in days:
        readers[msgid].append((day_number, value))
    benchmark = connection.execute(statement("page/benchmark.sql"), which)
    metric = next(it for it in dataset.metrics if it.name == dataset.readers)
    return View(
        metric=metric.name,
        chinese_name=metric.chinese_name,
        meaning=metric.meaning,
        window=dataset.window,
        articles=tuple(
            Article(**dict(row), readers=tuple(readers[row["msgid"]])) for row in latest
        ),
        benchmark=tuple(dict(row) for row in benchmark.mappings()),
    )


def sources(
    connection: Connection, dataset: Dataset, appid: str, msgid: str
) -> list[dict[str, Any]]:
    """Where the article's readers came from by the end of its latest day, most first."""
    rows = connection.execute(
        statement("page/article_sources.sql"),
        {"dataset": dataset.name, "appid": appid, "msgid": msgid},
    )
    return [dict(row) for row in rows.mappings()]
