"""Articles, rows and raw answers as the bytes that COPY takes, and the COPY itself."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import psycopg2
import zstandard
from sqlalchemy import Connection

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.model import Pair
from weixin_etl.parse.articles import Article

_encode = msgspec.json.Encoder(decimal_format="number").encode
_AS_CSV = "FROM STDIN (FORMAT csv, NULL 'null', ESCAPE '\\')"
_PART_BYTES = 1 << 20
_ZSTD_LEVEL = 1

_ARTICLE = (
    "msgid, message_id, title, url, content_url, extra, position, publish_type, user_source, "
    "dataset, appid, publication_date, raw_response_id, first_seen_at, last_seen_at"
)
_OF_ROW = ("raw_response_id", "fetched_at", "loaded_at", "changed_at")
_RAW_RESPONSE = (
    "raw_response_id, dataset, appid, publication_date, body_zstd, body_sha256, fetched_at, "
    "last_seen_at, loaded_at"
)


@dataclass(frozen=True, slots=True)
class Staged:
    """
    A pair's lines for the temporary tables: of one answer, or rebuilt of all that are kept.

    Beyond an outcome it knows where the answers are kept, and what the fact may hold already.
    """

    pair: Pair
    msgids: Collection[str]
    articles: bytes
    """Lines."""
    rows: bytes
    """Lines."""
    row_count: int
    has_facts: bool
    """Whether the fact may hold rows of the pair, to be compared with these."""
    is_rebuilt: bool = False


def packed(body: bytes) -> bytes:
    """An answer's bytes as they are kept."""
    return zstandard.compress(body, _ZSTD_LEVEL)


def unpacked(body_zstd: bytes) -> bytes:
    """The exact bytes of an answer that is kept."""
    return zstandard.decompress(body_zstd)


def row_lines(dataset: Dataset, articles: Iterable[Article]) -> dict[tuple[str, date], bytes]:
    """
    By msgid and stat_date, a row's CSV line but for its end: key, metrics, and what is unknown.

    A JSON array of numbers, null, texts and an ISO date is a CSV line but for its brackets, so
    msgspec's encoder writes it; what needs escaping is escaped once per article.
    """
    has_lists = any(metric.kind is Kind.LIST for metric in dataset.metrics)
    lines: dict[tuple[str, date], bytes] = {}
    for article in articles:
        head = _head(dataset, article.msgid)
        for stat_date, row in article.rows.items():
            values = msgspec.structs.astuple(row)
            if has_lists:
                values = tuple(map(_list_as_text, values))
            extra = _quoted_json(article.row_extras.get(stat_date))
            line = b"%b%b,%b" % (head, _encode(values)[1:-1], extra)
            lines[article.msgid, stat_date] = line
    return lines


def _head(dataset: Dataset, msgid: str) -> bytes:
    """What a row's line begins with, where its key has more than the account and the day."""
    return _quoted(msgid) + b"," if dataset.item else b""


def gives(dataset: Dataset, msgid: str, line: bytes, metric: str) -> bool:
    """Whether an article's line of `row_lines` holds a value of the metric."""
    _, *values = msgspec.json.decode(b"[%b]" % line[len(_head(dataset, msgid)) :])
    names = (it.name for it in dataset.metrics)
    return dict(zip(names, values, strict=False)).get(metric) is not None


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


def line_end(*values: str | int | bytes | date | datetime) -> bytes:
    """The last values of a line, which others may have in common with it."""
    return b",%b\n" % b",".join(map(_value, values))


def line(*values: str | int | bytes | date | datetime) -> bytes:
    """A whole line; bytes as bytea."""
    return line_end(*values)[1:]


def _value(value: str | int | bytes | date | datetime) -> bytes:
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return _quoted(value) if isinstance(value, str) else _encode(value)


def copy_articles(connection: Connection, lines: Iterator[bytes]) -> None:
    """Ended lines into the temporary table of articles."""
    _copy(connection, "staged_article", _ARTICLE, lines)


def copy_rows(connection: Connection, table: str, dataset: Dataset, lines: Iterator[bytes]) -> None:
    """Ended lines into a table of the fact's columns: temporary, or the fact itself."""
    appid, *key = dataset.key
    metrics = [metric.name for metric in dataset.metrics]
    columns = ", ".join((*key, *metrics, "extra", appid, *dataset.place, *_OF_ROW))
    _copy(connection, table, columns, lines)


def copy_answers(connection: Connection, lines: Iterator[bytes]) -> None:
    """Raw answers into their table."""
    _copy(connection, "weixin.raw_response", _RAW_RESPONSE, lines)


class _Lines:
    """
    Lines as a file, for COPY: Postgres stores the first while the last are not yet written.

    Read in large parts: before each, this thread waits for the parsing threads to release the GIL.
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
