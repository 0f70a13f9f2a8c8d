"""Answers taken apart and written down as the bytes COPY takes, and the COPY itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import msgspec
import psycopg2
import zstandard
from sqlalchemy import Connection

from weixin_etl import json_text
from weixin_etl.api.client import Answer
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.model import Pair
from weixin_etl.parse.articles import Article, Parsed

_encode = msgspec.json.Encoder(decimal_format="number").encode
_AS_CSV = "FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')"
_ZSTD_LEVEL = 1
_PART_BYTES = 1 << 20

_ARTICLE = (
    "msgid, message_id, title, url, content_url, extra, position, publish_type, user_source, "
    "dataset, appid, publication_date, raw_response_id, first_seen_at, last_seen_at"
)
_OF_ROW = "extra, appid, publication_date, raw_response_id, fetched_at, loaded_at, changed_at"
_RAW_RESPONSE = (
    "raw_response_id, dataset, body_zstd, body_sha256, appid, publication_date, fetched_at, "
    "last_seen_at, loaded_at"
)


@dataclass(frozen=True, slots=True)
class PreparedAnswer:
    """
    An answer as a load takes it: a fraction of the memory of its bytes and of its objects.

    Lines of articles and rows lack what all lines of the pair have in common: their end.
    """

    size: int
    """Bytes of the answer, and of what is rejected of it."""
    body_zstd: bytes
    body_sha256: bytes
    fetched_at: datetime
    msgids: tuple[str, ...]
    list_sha256: bytes
    is_empty: bool
    """Whether it lists nothing, not even a part in which no article can be made out."""
    articles: tuple[bytes, ...]
    """A line each, in the order of `msgids`."""
    rows: list[bytes]
    """A line each."""
    through_date: date | None
    nothing_fits: bool
    others: Parsed
    """What the answer says beside its articles."""


def prepare(dataset: Dataset, answer: Answer, parsed: Parsed) -> PreparedAnswer:
    """Write an answer down for its load."""
    articles = parsed.articles.values()
    return PreparedAnswer(
        len(answer.body) + sum(len(rejected.payload) for rejected in parsed.rejected),
        zstandard.compress(answer.body, _ZSTD_LEVEL),
        answer.sha256,
        answer.fetched_at,
        tuple(parsed.articles),
        parsed.list_sha256,
        not parsed.listing,
        tuple(map(article_line, articles)),
        row_lines(dataset, articles),
        through_date(articles),
        parsed.nothing_fits,
        replace(parsed, articles={}),
    )


def unpacked(body_zstd: bytes) -> bytes:
    """The exact bytes of an answer that is kept."""
    return zstandard.decompress(body_zstd)


def through_date(articles: Iterable[Article]) -> date | None:
    """The last stat_date every article reaches; None when one has no row, or there is none."""
    last_dates = [max(article.rows, default=None) for article in articles]
    reached = [last_date for last_date in last_dates if last_date is not None]
    return min(reached) if reached and len(reached) == len(last_dates) else None


def row_lines(dataset: Dataset, articles: Iterable[Article]) -> list[bytes]:
    """
    The beginning of a CSV line per row: msgid, stat_date, the metrics and what is unknown.

    A JSON array of numbers, null, texts and an ISO date is a CSV line but for its brackets, so
    msgspec's encoder writes it; what needs escaping is escaped once per article.
    """
    has_lists = any(metric.kind is Kind.LIST for metric in dataset.metrics)
    lines: list[bytes] = []
    for article in articles:
        head = _quoted(article.msgid)
        for stat_date, row in article.rows.items():
            values = msgspec.structs.astuple(row)
            if has_lists:
                values = tuple(map(_list_as_text, values))
            extra = _quoted_json(article.row_extras.get(stat_date))
            lines.append(b"%b,%b,%b" % (head, _encode(values)[1:-1], extra))
    return lines


def article_line(article: Article) -> bytes:
    """The beginning of a CSV line for an article."""
    message_id, position = article.message
    texts = (article.msgid, message_id, article.title, article.url, article.content_url)
    numbers = (position, article.publish_type, article.user_source)
    extra = _quoted_json(article.extra or None)
    return b",".join((*map(_quoted, texts), extra, _encode(numbers)[1:-1]))


def _list_as_text(value: Any) -> Any:
    return _encode(value).decode() if isinstance(value, list) else value


def _quoted_json(value: dict[str, Any] | None) -> bytes:
    return _quoted(None if value is None else json_text.encode(value))


def _quoted(text: str | None) -> bytes:
    if text is None:
        return b"null"
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def line_end(*values: str | int | date | datetime) -> bytes:
    """What lines have in common at their end."""
    return b",%b\n" % b",".join(
        _quoted(it) if isinstance(it, str) else _encode(it) for it in values
    )


def copy_articles(connection: Connection, lines: Iterator[bytes]) -> None:
    """Ended lines into the temporary table of articles."""
    _copy(connection, "staged_article", _ARTICLE, lines)


def copy_rows(connection: Connection, table: str, dataset: Dataset, lines: Iterator[bytes]) -> None:
    """Ended lines into a table of the fact's columns: temporary, or the fact itself."""
    metrics = ", ".join(metric.name for metric in dataset.metrics)
    _copy(connection, table, f"msgid, stat_date, {metrics}, {_OF_ROW}", lines)


def copy_answers(connection: Connection, lines: Iterator[bytes]) -> None:
    """Raw answers into their table."""
    _copy(connection, "weixin.raw_response", _RAW_RESPONSE, lines)


def raw_response_line(
    raw_response_id: int,
    dataset: Dataset,
    pair: Pair,
    answer: PreparedAnswer,
    loaded_at: datetime,
) -> bytes:
    """The line of a raw answer."""
    return b"%d,%b,\\x%b,\\x%b%b" % (
        raw_response_id,
        _quoted(dataset.name),
        answer.body_zstd.hex().encode(),
        answer.body_sha256.hex().encode(),
        line_end(*pair, answer.fetched_at, answer.fetched_at, loaded_at),
    )


class _Lines:
    """
    Lines as a file, for COPY: Postgres stores the first while the last are not yet written.

    Read in large parts: for each, this thread has to wait for those that take answers apart.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.error: BaseException | None = None
        """What interrupted the writing: an error of ours, or Airflow ending the task."""

    def read(self, _size: int) -> bytes:
        """The next lines, however long; nothing is the end."""
        part: list[bytes] = []
        size = 0
        try:
            for lines in self._lines:
                part.append(lines)
                size += len(lines)
                if size >= _PART_BYTES:
                    break
            return b"".join(part)
        except BaseException as error:
            self.error = error
            raise


def _copy(connection: Connection, table: str, columns: str, lines: Iterator[bytes]) -> None:
    source = _Lines(lines)
    cursor = connection.connection.cursor()
    try:
        cursor.copy_expert(f"COPY {table} ({columns}) {_AS_CSV}", source)
    except Exception as error:
        if source.error:  # psycopg2's own error would only say that the COPY was cancelled
            raise source.error from None
        if isinstance(error, psycopg2.Error):
            raise
        # what psycopg2 stumbles over when the session ends: a SystemError, say
        raise psycopg2.OperationalError(f"the COPY broke off: {error}") from None
