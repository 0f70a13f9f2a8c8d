"""
What an answer says: articles with their rows, and what does not fit.

The items of other answers are read like articles: of a channel `msgid` is its number, of an account
as a whole it is empty. They have the one row of their day.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

import msgspec

from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.values import FITS, TYPES

ATTRIBUTES = ("title", "url", "content_url", "publish_type")
UNDOCUMENTED = "user_source"
"""Many answers give it of an article: it is in `extra`, and such an answer is as documented."""
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Figures of one article and one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[Row]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    others = (metric for metric in dataset.metrics if metric.kind is not Kind.COUNT)
    unchecked = [(metric.name, FITS[metric.kind][0]) for metric in others]

    def check(row: Row) -> None:
        if not all(fits(getattr(row, name)) for name, fits in unchecked):
            raise ValueError

    row: type[Row] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(metric.name, TYPES[metric.kind], None) for metric in dataset.metrics],
        bases=(Row,),
        namespace={"__post_init__": check} if unchecked else {},
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
        values = (msgspec.structs.astuple(row)[1:] for row in self.rows.values())
        return bool(self.row_extras) or any(
            value is not None for of_row in values for value in of_row
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
    def listing(self) -> tuple[str, ...]:
        """What it lists: msgids in order, and `?` for a part that is no article."""
        unknown = sum(part.msgid not in self.articles for part in self.rejected)
        return (*sorted(self.articles), *["?"] * unknown)

    @property
    def list_sha256(self) -> bytes:
        """Of what it lists: two answers list the same articles when it is the same."""
        return hashlib.sha256("\0".join(self.listing).encode()).digest()

    @property
    def article_count(self) -> int:
        """Articles, or items of a statistics day, each once."""
        return len(self.articles)

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
        """Whether parts are rejected, and no row gives a figure."""
        return bool(self.rejected) and not any(map(Article.gives_a_figure, self.articles.values()))

    def is_whole(self, publication_date: date, window: int) -> bool:
        """
        Whether nothing is rejected, and each article has the rows of the window's days.

        The window is `Dataset.row_days`: of a statistics day one day, which each item has.
        """
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
