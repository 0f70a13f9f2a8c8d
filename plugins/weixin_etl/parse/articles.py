"""
What an answer says: articles with their rows, and what does not fit.

The items of other answers are read like articles: of a channel `msgid` is its number, of an account
as a whole it is empty. They have the one row of their day.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

import msgspec

from weixin_etl.datasets import Dataset
from weixin_etl.model import Summary
from weixin_etl.parse.values import TYPES

ATTRIBUTES = ("title", "url", "content_url", "publish_type", "user_source")
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Figures of one article and one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[Row]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    row: type[Row] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(metric.name, TYPES[metric.kind], None) for metric in dataset.metrics],
        bases=(Row,),
        kw_only=True,
    )
    return row


@dataclass(slots=True)
class Article:
    """One article of the day asked, with its rows by stat_date."""

    msgid: str
    title: str | None = None
    url: str | None = None
    content_url: str | None = None
    publish_type: int | None = None
    user_source: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[date, Row] = field(default_factory=dict)
    row_extras: dict[date, dict[str, Any]] = field(default_factory=dict)
    """Unknown metrics, for the rows that have any."""

    @property
    def message(self) -> tuple[str, int] | tuple[None, None]:
        """The message's id and the article's position in it, from 1."""
        match = _MSGID.fullmatch(self.msgid)
        return (match["message"], int(match["position"])) if match else (None, None)

    def gives_a_figure(self) -> bool:
        """Whether any of its rows holds more than its day."""
        return bool(self.row_extras) or any(
            value is not None
            for row in self.rows.values()
            for value in msgspec.structs.astuple(row)[1:]
        )

    def merge(self, newer: "Article") -> list[date]:
        """Take over what a later mention of the article holds; the days of the rows that change."""
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        return [
            stat_date
            for stat_date, row in newer.rows.items()
            if self.merge_row(row, newer.row_extras.get(stat_date, {}))
        ]

    def merge_row(self, row: Row, extra: dict[str, Any]) -> bool:
        """Take over a later mention of a row, with its unknown metrics; whether it changes."""
        stat_date = row.stat_date
        known, known_extra = self.rows.get(stat_date), self.row_extras.get(stat_date, {})
        if known is not None:
            values = msgspec.structs.asdict(row).items()
            held = {name: value for name, value in values if value is not None}
            row = msgspec.structs.replace(known, **held)
        self.rows[stat_date] = row
        if merged_extra := known_extra | extra:
            self.row_extras[stat_date] = merged_extra
        return row != known or merged_extra != known_extra


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of an answer that does not fit: a value of a row, a whole row, or an article."""

    reason: str
    """Quotes nothing of the answer: more people may read it than the payload."""
    payload: str
    msgid: str | None = None
    """None when it names no article."""
    stat_date: date | None = None
    """None when it is of no row, or of one without a date."""
    metric: str | None = None
    """The metric of a value; None when the whole row or article does not fit."""


@dataclass(slots=True)
class Parsed:
    """
    What one answer says of the day asked.

    Beyond the bytes it knows which articles and rows they are, and what of them does not fit.
    """

    articles: dict[str, Article] = field(default_factory=dict)
    unreadable: str = ""
    """Why no articles can be made out in it, if so."""
    rejected: list[Rejected] = field(default_factory=list)
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    merged_rows: int = 0
    """Rows that repeated a key of the same answer."""
    empty_rows: int = 0
    """Row objects without anything in them: neither loaded nor rejected."""
    articles_without_list: int = 0
    """Mentions of an article whose list of rows is missing or null: kept without rows."""
    stripped_nuls: int = 0
    """U+0000 taken out of texts: Postgres cannot hold them."""
    numbers_in_texts: int = 0
    """Figures that were written as texts."""
    unknown_metrics: set[str] = field(default_factory=set)

    @property
    def listing(self) -> tuple[str, ...]:
        """What it lists: msgids in order, and `?` for a part that is no article."""
        unknown = sum(it.msgid not in self.articles for it in self.rejected)
        return (*sorted(self.articles), *["?"] * unknown)

    @property
    def row_count(self) -> int:
        """Rows that fit, each key once."""
        return sum(len(article.rows) for article in self.articles.values())

    def summary(self, fetched_at: datetime) -> Summary:
        """The answer in short."""
        articles, listing = self.articles.values(), self.listing
        reached = [max(article.rows, default=date.min) for article in articles]
        through_date = min(reached, default=date.min)
        return Summary(
            fetched_at,
            hashlib.sha256("\0".join(listing).encode()).digest(),
            is_empty=not listing,
            is_delayed=self.is_delayed,
            article_count=len(articles),
            row_count=self.row_count,
            through_date=None if through_date == date.min else through_date,
            rejected=len(self.rejected),
            first_reason=self.rejected[0].reason if self.rejected else "",
            nothing_fits=bool(self.rejected) and not any(map(Article.gives_a_figure, articles)),
        )

    def add(self, article: Article) -> None:
        """Add an article, or merge it into its earlier mention."""
        self.unknown_metrics.update(*article.row_extras.values())
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            self.merged_rows += len(known.rows.keys() & article.rows.keys())
            known.merge(article)
