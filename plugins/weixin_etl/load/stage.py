"""Articles and rows as the bytes COPY takes, into the temporary tables a load starts from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import psycopg2
from sqlalchemy import Connection

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.articles import Article
from weixin_etl.warehouse import statement

_encode = msgspec.json.Encoder(decimal_format="number").encode
_AS_CSV = "FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')"


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
    _copy(cursor, "staged_row", Lines(row_lines(dataset, pairs)))
    connection.execute(statement("dim_article/stage.sql"))
    _copy(cursor, "staged_article", Lines(article_lines(pairs)))


class Lines:
    """Lines as a file, for COPY: Postgres stores the first while the last are not yet written."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.error: BaseException | None = None
        """What interrupted the writing: an error of ours, or Airflow ending the task."""

    def read(self, _size: int) -> bytes:
        """The next line or lines, however long; nothing is the end."""
        try:
            return next(filter(None, self._lines), b"")
        except BaseException as error:
            self.error = error
            raise


def _copy(cursor: Any, table: str, lines: Lines) -> None:
    try:
        cursor.copy_expert(f"COPY {table} {_AS_CSV}", lines)
    except psycopg2.Error as error:
        # psycopg2's own error would only say that the COPY was cancelled
        raise lines.error or error from None


def unstage(connection: Connection) -> None:
    """Drop the temporary tables before the transaction's end."""
    connection.exec_driver_sql("DROP TABLE staged_row, staged_article")


def row_lines(dataset: Dataset, pairs: Sequence[StagedPair]) -> Iterator[bytes]:
    """
    One CSV line per row, those of an article together.

    A JSON array of numbers, null, texts and an ISO date is a CSV line but for its brackets, so
    msgspec's encoder writes it; what needs escaping is escaped once per article.
    """
    has_lists = any(metric.kind is Kind.LIST for metric in dataset.metrics)
    for pair in pairs:
        for seen in pair.articles:
            article = seen.article
            head = _quoted(article.msgid) + b",%d," % pair.raw_response_id
            lines: list[bytes] = []
            for stat_date, row in article.rows.items():
                values = msgspec.structs.astuple(row)
                if has_lists:
                    values = tuple(map(_list_as_text, values))
                extra = article.row_extras.get(stat_date)
                lines += (head, _encode(values)[1:-1], b",", _quoted_json(extra), b"\n")
            yield b"".join(lines)


def article_lines(pairs: Sequence[StagedPair]) -> Iterator[bytes]:
    """One CSV line per article."""
    for pair in pairs:
        for seen in pair.articles:
            article = seen.article
            message_id, position = article.message
            texts = (article.msgid, message_id, article.title, article.url, article.content_url)
            others = (
                position,
                pair.publication_date,
                article.publish_type,
                article.user_source,
                seen.first_seen_at,
                seen.last_seen_at,
            )
            extra = _quoted_json(article.extra or None)
            yield b",".join((*map(_quoted, texts), extra, _encode(others)[1:-1])) + b"\n"


def _list_as_text(value: Any) -> Any:
    return _encode(value).decode() if isinstance(value, list) else value


def _quoted_json(value: dict[str, Any] | None) -> bytes:
    return _quoted(None if value is None else json_text.encode(value))


def _quoted(text: str | None) -> bytes:
    if text is None:
        return b"null"
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
