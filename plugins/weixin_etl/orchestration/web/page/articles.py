"""The newest articles of all accounts, and how each one's readers grow."""

from dataclasses import dataclass
from datetime import date, timedelta

from weixin_etl import clock
from weixin_etl.api.threads import convert
from weixin_etl.orchestration.web.page.reader import Figures

ARTICLES_PER_PAGE = 25
NEWEST = timedelta(days=30)
"""So old an article may be."""


@dataclass(frozen=True, slots=True)
class ShownArticle:
    """An article, its sharers so far, and its readers by day."""

    appid: str
    name: str
    """What people call the account."""
    title: str | None
    publication_date: date
    is_final: bool
    sharers: int | None
    readers: tuple[tuple[int, int], ...]
    """Day number (the publication day is 1) and readers so far."""


@dataclass(frozen=True, slots=True)
class View:
    """A page of articles, newest first."""

    article_count: int
    articles: tuple[ShownArticle, ...]
    window: int
    days: int = NEWEST.days
    page_size: int = ARTICLES_PER_PAGE


def view(of: Figures, search: str, offset: int) -> View:
    """The newest articles whose title or account matches."""
    rows = of.rows(
        "page/articles.sql",
        search=search.strip(),
        since=clock.beijing_date(of.now) - NEWEST,
        most=ARTICLES_PER_PAGE,
        offset=offset,
    )
    return View(
        article_count=rows[0]["article_count"] if rows else 0,
        articles=tuple(convert(row, ShownArticle) for row in rows),
        window=of.dataset.window,
    )
