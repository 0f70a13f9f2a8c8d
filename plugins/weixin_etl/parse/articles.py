"""What an answer says: articles with their rows, and what of it does not fit."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

import msgspec

from weixin_etl.datasets import Dataset
from weixin_etl.parse.figures import TYPES

ATTRIBUTES = ("title", "url", "content_url", "publish_type", "user_source")
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


class UnreadableAnswerError(Exception):
    """No articles can be made out in the answer. `str()` says why."""


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Totals of one article at the end of one day; `row_type` adds the dataset's metrics."""

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
    """One article of the publication day, with its rows by stat_date."""

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

    def merge(self, newer: "Article") -> int:
        """Take over what a later mention of the article holds; how many rows were there already."""
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        repeated = 0
        for stat_date, row in newer.rows.items():
            known = self.rows.get(stat_date)
            if known is not None:
                repeated += 1
                figures = msgspec.structs.asdict(row).items()
                held = {name: figure for name, figure in figures if figure is not None}
                row = msgspec.structs.replace(known, **held)
            self.rows[stat_date] = row
            if stat_date in newer.row_extras:
                self.row_extras.setdefault(stat_date, {}).update(newer.row_extras[stat_date])
        return repeated


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of an answer that does not fit, and why."""

    reason: str
    payload: str
    msgid: str | None = None
    stat_date: str | None = None


@dataclass(slots=True)
class Parsed:
    """What one answer says of its publication day."""

    articles: dict[str, Article] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    merged_rows: int = 0
    """Rows that repeated a key of the same answer."""
    stripped_nuls: int = 0
    """U+0000 taken out of texts: Postgres cannot hold them."""
    unknown_metrics: set[str] = field(default_factory=set)

    @property
    def row_count(self) -> int:
        """Rows that fit, each key once."""
        return sum(len(article.rows) for article in self.articles.values())

    def add(self, article: Article) -> None:
        """Add an article, or merge it into its earlier mention."""
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            self.merged_rows += known.merge(article)


def merge(parsed_answers: Iterable[Parsed]) -> Parsed:
    """Answers of one pair, oldest first, as one: the last non-null value of each field."""
    merged = Parsed()
    for parsed in parsed_answers:
        for article in parsed.articles.values():
            merged.add(article)
    return merged
