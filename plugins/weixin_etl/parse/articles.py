"""
What an answer says: articles with their rows, and what does not fit.

The items of other answers are read like articles: of a channel `msgid` is its number, of an account
as a whole it is empty. They have the one row of their day.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from msgspec.structs import asdict, astuple, replace

from weixin_etl.parse.values import ATTRIBUTES, Row

_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


@dataclass(slots=True)
class Article:
    """One article of the day asked, with its rows by stat_date."""

    msgid: str
    title: str | None = None
    url: str | None = None
    content_url: str | None = None
    publish_type: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[date, Row] = field(default_factory=dict)
    row_extras: dict[date, dict[str, Any]] = field(default_factory=dict)
    """Unknown metrics, for the rows that have any."""

    @property
    def message(self) -> tuple[str, int] | tuple[None, None]:
        """The message's id and the article's position in it, from 1."""
        match = _MSGID.fullmatch(self.msgid)
        return (match["message"], int(match["position"])) if match else (None, None)

    def merge(self, newer: "Article") -> list[date]:
        """Take over what a later mention of the article holds; the days of the rows that change."""
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        extras = newer.row_extras
        return [day for day, row in newer.rows.items() if self.merge_row(row, extras.get(day, {}))]

    def merge_row(self, row: Row, extra: dict[str, Any]) -> bool:
        """Take over a later mention of a row, with its unknown metrics; whether it changes."""
        day = row.stat_date
        known, known_extra = self.rows.get(day), self.row_extras.get(day, {})
        if known is not None:
            given = {name: value for name, value in asdict(row).items() if value is not None}
            row = replace(known, **given)
        self.rows[day] = row
        if merged_extra := known_extra | extra:
            self.row_extras[day] = merged_extra
        return row != known or merged_extra != known_extra


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of an answer that does not fit: a value of a row, a whole row, or an article."""

    reason: str
    """Names a value's metric; quotes nothing: more people may read it than the payload."""
    payload: str
    msgid: str | None = None
    """None when it names no article."""
    stat_date: date | None = None
    """None when it is of no row, or of one without a date."""


@dataclass(slots=True)
class Parsed:
    """What one answer says of the day asked: its articles and rows, and what does not fit."""

    articles: dict[str, Article] = field(default_factory=dict)
    unreadable: str = ""
    """Why no articles can be made out in it, if so."""
    rejected: list[Rejected] = field(default_factory=list)
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    unknown_metrics: set[str] = field(default_factory=set)

    @property
    def list_sha256(self) -> bytes:
        """Of the msgids it lists, in order, and a `?` for each rejected part that is no article."""
        unknown = sum(part.msgid not in self.articles for part in self.rejected)
        listed = "\0".join([*sorted(self.articles), *["?"] * unknown])
        return hashlib.sha256(listed.encode()).digest()

    @property
    def row_count(self) -> int:
        """Rows that fit, each once."""
        return sum(len(article.rows) for article in self.articles.values())

    @property
    def through_date(self) -> date | None:
        """The last stat_date every article reaches; None when one has no row, or there is none."""
        if not all(article.rows for article in self.articles.values()):
            return None
        return min((max(article.rows) for article in self.articles.values()), default=None)

    @property
    def nothing_fits(self) -> bool:
        """Whether parts are rejected, and no row holds more than its day."""
        rows = (row for article in self.articles.values() for row in article.rows.values())
        has_figure = any(value is not None for row in rows for value in astuple(row)[1:])
        return bool(self.rejected) and not has_figure and not self.unknown_metrics

    def is_whole(self, publication_date: date, window: int) -> bool:
        """Whether nothing is rejected, and each article has the rows of the window's days."""
        days = {publication_date + timedelta(days=age) for age in range(window)}
        have_all = all(days <= article.rows.keys() for article in self.articles.values())
        return have_all and not self.rejected and not self.unreadable

    def has_row_of(self, day: date) -> bool:
        """Whether any article has a row of that stat_date."""
        return any(day in article.rows for article in self.articles.values())

    def add(self, article: Article) -> None:
        """Add an article, or merge it into its earlier mention."""
        self.unknown_metrics.update(*article.row_extras.values())
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            known.merge(article)
