"""Articles and rows as the bytes COPY takes, into the temporary tables a load starts from."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse import ATTRIBUTES, Article
from weixin_etl.warehouse import statement

_encode = msgspec.json.Encoder(decimal_format="number").encode
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""So that no text is taken for a null, the end of a line or that of the data."""


@dataclass(frozen=True, slots=True)
class SeenArticle:
    """An article and the fetch times of the first and last answer that held it."""

    article: Article
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class StagedPair:
    """What a pair's answers say, to be merged into the fact under the id of one of them."""

    publication_date: date
    raw_response_id: int
    articles: Sequence[SeenArticle]

    @property
    def row_count(self) -> int:
        """Rows to merge."""
        return sum(len(seen.article.rows) for seen in self.articles)


def stage(connection: Connection, dataset: Dataset, pairs: Sequence[StagedPair]) -> None:
    """Put the pairs into new temporary tables `staged_row` and `staged_article`."""
    cursor = connection.connection.cursor()
    connection.execute(statement("fact/stage.sql", dataset))
    cursor.copy_expert(
        "COPY staged_row FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')",
        io.BytesIO(b"".join(row_lines(dataset, pairs))),
    )
    connection.execute(statement("dim_article/stage.sql"))
    cursor.copy_expert("COPY staged_article FROM STDIN", io.StringIO("".join(article_lines(pairs))))


def unstage(connection: Connection) -> None:
    """Drop the temporary tables before the transaction's end."""
    connection.exec_driver_sql("DROP TABLE staged_row, staged_article")


def row_lines(dataset: Dataset, pairs: Sequence[StagedPair]) -> Iterator[bytes]:
    """
    One CSV line per row.

    A JSON array of numbers, null, texts and an ISO date is a CSV line but for its brackets, so
    msgspec's encoder writes it; what needs escaping is escaped once per article.
    """
    has_lists = any(metric.kind is Kind.LIST for metric in dataset.metrics)
    for pair in pairs:
        for seen in pair.articles:
            article = seen.article
            head = _quoted(article.msgid) + b",%d," % pair.raw_response_id
            for stat_date, row in article.rows.items():
                extra = article.row_extras.get(stat_date)
                tail = (
                    b",null\n" if extra is None else b"," + _quoted(json_text.encode(extra)) + b"\n"
                )
                values = msgspec.structs.astuple(row)
                if has_lists:
                    values = tuple(map(_list_as_text, values))
                yield head + _encode(values)[1:-1] + tail


def _list_as_text(value: Any) -> Any:
    return _encode(value).decode() if isinstance(value, list) else value


def _quoted(text: str) -> bytes:
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def article_lines(pairs: Sequence[StagedPair]) -> Iterator[str]:
    """One line per article in COPY's text format."""
    for pair in pairs:
        for seen in pair.articles:
            article = seen.article
            values = (
                article.msgid,
                *article.message,
                pair.publication_date,
                *(getattr(article, name) for name in ATTRIBUTES),
                json_text.encode(article.extra) if article.extra else None,
                seen.first_seen_at,
                seen.last_seen_at,
            )
            yield "\t".join(map(_field, values)) + "\n"


def _field(value: object) -> str:
    return _NULL if value is None else str(value).translate(_ESCAPES)
