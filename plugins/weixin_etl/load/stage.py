"""
Staging: one response or failed call becomes a `StagedAnswer`, and staged answers go into COPY.

`run/ingest.py` passes each response to `stage_response` as soon as it arrives. The response is
parsed once; its articles and rows become the bytes that Postgres reads. A chunk therefore waits for
its commit as compact bytes, not as Python objects. `load/merge.py` copies these bytes into tables.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from struct import pack
from threading import Lock

import msgspec
import psycopg2
import zstandard
from msgspec.structs import astuple
from sqlalchemy import Connection

from weixin_etl import json_text, rules
from weixin_etl.api.client import FailedCall, Response
from weixin_etl.datasets import Dataset
from weixin_etl.load.falls import Fall, falls_between_rows
from weixin_etl.model import Account, Slice
from weixin_etl.parse import ATTRIBUTES, Article, ParsedAnswer, RejectedPart, parse, previous_day
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import rejection

_encode = msgspec.json.Encoder(decimal_format="number").encode
_CSV_FORMAT = "FORMAT csv, NULL 'null', ESCAPE '\\'"
_COPY_BUFFER_BYTES = 1 << 20
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""The instant, and the day, from which Postgres counts in its binary format."""
_parse_lock = Lock()
"""The lock of parsing and compressing. Parsing takes several times an answer's bytes of memory."""

_RAW_RESPONSE = (
    "weixin.raw_response"
    " (raw_response_id, dataset, appid, day, body, body_sha256, fetched_at, last_seen_at)"
)


@dataclass(frozen=True, slots=True)
class StagedAnswer:
    """The result of asking for one slice: a failed call, or an answer ready for COPY."""

    account: Account
    day: date
    evidence: rules.Evidence
    """The facts of the answer that `rules.py` evaluates."""
    calls: int = 0
    """Calls to WeChat that this result took."""
    error: WeixinError | None = None
    """The reason why no figures can be loaded; None if some can."""
    is_answer: bool = False
    """
    Whether the call succeeded; a refusal is no answer.

    The bytes of an answer are kept, even if nothing of them can be loaded.
    """
    size: int = 0
    """Bytes of the answer plus characters of its rejected parts."""
    body_sha256: bytes = b""
    """The hash of the answer's uncompressed bytes."""
    body_zstd: bytes = b""
    """The compressed answer, as `raw_response` keeps it."""
    raw_response_id: int = 0
    """The id of the kept answer in `raw_response`; 0 until it is kept."""
    msgids: Collection[str] = ()
    """The msgids of the listed articles; for other datasets the ids of the items."""
    articles: bytes = b""
    """The articles as `articles_json` returns them."""
    rows: Sequence[bytes] = ()
    """The beginnings of COPY lines, see `copy_lines`; of a history the whole lines."""
    is_history: bool = False
    """Whether all kept answers of the slice are merged in it. It then replaces stored values."""
    row_end: bytes = b""
    """The end that all lines of `rows` share; empty for a history."""
    row_count: int = 0
    through_date: date | None = None
    """The last stat_date that every listed article reaches."""
    newest_date: date | None = None
    """The last stat_date of which any listed article has figures."""
    falls: Sequence[Fall] = ()
    """Running totals that are lower than in the article's row of an earlier day."""
    rejected: Sequence[RejectedPart] = ()
    unknown_metrics: frozenset[str] = frozenset()

    @property
    def slice(self) -> Slice:
        """The account's AppID and the day asked."""
        return self.account.appid, self.day

    @property
    def is_readable(self) -> bool:
        """Whether the answer has articles, or rejected parts, that can be stored."""
        return self.is_answer and (self.error is None or bool(self.rejected))

    @property
    def lists_articles(self) -> bool:
        """Whether the answer could be loaded and lists at least one article."""
        return bool(self.evidence.article_count) and self.error is None


def stage_response(
    dataset: Dataset, account: Account, day: date, result: Response | FailedCall
) -> StagedAnswer:
    """
    Return one response, parsed and encoded for COPY, or one failed call with its error.

    An answer that can't be parsed is staged too: with its bytes, an error and no articles. Any
    number of threads may call this function; they parse one after the other.

    Args:
        dataset: the dataset whose endpoint was called.
        account: the account that was asked.
        day: the day that was asked.
        result: the response or the failed call.
    """
    if isinstance(result, FailedCall):
        error, at = result.error, result.refused_at
        evidence = rules.Evidence(at, error_kind=error.kind.value, error_code=error.problem.errcode)
        return StagedAnswer(account, day, evidence, result.calls, error)
    at, body_sha256 = result.fetched_at, sha256(result.body).digest()
    with _parse_lock:
        parsed = parse(dataset, result.body, day, at)
        articles = parsed.articles.values()
        listed = ((article, at) for article in articles)
        return replace(
            stage_evidence(dataset, account, day, at, parsed),
            calls=result.calls,
            size=len(result.body) + sum(len(part.payload) for part in parsed.rejected),
            body_sha256=body_sha256,
            body_zstd=compress(result.body),
            msgids=[*parsed.articles],
            articles=articles_json(dataset, (account.appid, day), listed),
            rows=[line for article in articles for line in copy_lines(dataset, article)],
            falls=falls_between_rows(dataset, articles),
            rejected=parsed.rejected,
            unknown_metrics=frozenset(parsed.unknown_metrics),
        )


def stage_evidence(
    dataset: Dataset, account: Account, day: date, at: datetime, parsed: ParsedAnswer
) -> StagedAnswer:
    """
    Return a staged answer with evidence, counts and error, but without bytes, articles and rows.

    This is enough to evaluate the slice. The answer has the error `unreadable` if it could not be
    read, or if parts were rejected and nothing else is in it.

    Args:
        dataset: the dataset whose endpoint answered.
        account: the account that was asked.
        day: the day that was asked.
        at: when the answer was fetched or seen again.
        parsed: the answer as parsed for that instant.
    """
    is_readable = not (parsed.unreadable or parsed.nothing_fits)
    newest_date = parsed.newest_date
    evidence = rules.Evidence(
        at,
        parsed.list_sha256,
        len(parsed.articles),
        is_whole=parsed.is_whole(day, dataset.row_days),
        has_yesterday=newest_date == previous_day(at),
        has_figures=newest_date is not None,
        is_delayed=parsed.is_delayed,
        error_kind=None if is_readable else rules.UNREADABLE_KIND,
    )
    return StagedAnswer(
        account,
        day,
        evidence,
        error=None if is_readable else _unreadable_error(parsed, account),
        is_answer=True,
        row_count=parsed.row_count,
        through_date=parsed.through_date,
        newest_date=newest_date,
    )


def _unreadable_error(parsed: ParsedAnswer, account: Account) -> WeixinError:
    """
    Return the error of an answer of which nothing can be loaded.

    Its detail is the reason why the answer is unreadable, or else the number of rejected parts with
    the reason of the first.
    """
    parts = parsed.rejected
    why = parsed.unreadable or rejection("nothing_fits", len(parts), first=parts[0].reason)
    return WeixinError(ProblemKind.UNREADABLE, why, account=str(account))


# ------------------------------------------------------------------------------------------ lines


def compress(body: bytes) -> bytes:
    """Return an answer's bytes as `raw_response` keeps them: compressed with Zstandard."""
    return zstandard.compress(body, level=1)


def copy_lines(dataset: Dataset, article: Article) -> list[bytes]:
    """
    Return one CSV line per row of the article, in the order of `rows`, without a line break.

    A line has the columns of `row_columns` up to the metrics. The caller appends `row_end`. The
    column `extra` has the row's unknown metrics as JSON, and is null if there are none.

    msgspec's encoder writes the lines, because a JSON array of numbers, null, texts and an ISO date
    without its brackets is a CSV line. If no row holds a text, one call encodes all rows of the
    article.
    """
    head = csv_field(article.msgid) + b"," if dataset.item else b""
    if dataset.lists or article.row_extras:
        return [head + _encode(_row_values(article, day))[1:-1] for day in article.rows]
    if not article.rows:
        return []
    head += b"null,"
    lines = _encode([*map(astuple, article.rows.values())])[2:-2].split(b"],[")
    return [head + line for line in lines]


def _row_values(article: Article, day: date) -> tuple[object, ...]:
    """
    Return the values of the article's row of a day, in the order of its COPY line.

    The first is the JSON text of the row's unknown metrics, or None. The stat_date and the metrics
    follow; a metric that is a list becomes its JSON text.
    """
    values = [
        _encode(value).decode() if isinstance(value, list) else value
        for value in astuple(article.rows[day])
    ]
    extra = article.row_extras.get(day)
    return (None if extra is None else json_text.encode(extra), *values)


def row_end(dataset: Dataset, slice_: Slice, raw_response_id: int, fetched_at: datetime) -> bytes:
    """
    Return the end of a row's COPY line, from the comma after the metrics to the line break.

    Args:
        dataset: the dataset of the row. If its days are publication days, the end has the day too.
        slice_: the account and the requested day.
        raw_response_id: the id of the answer that last changed the row.
        fetched_at: when that answer was fetched.
    """
    appid, day = slice_
    place = [day] if dataset.place else []
    return b",%b,%b\n" % (csv_field(appid), _encode((*place, raw_response_id, fetched_at))[1:-1])


def articles_json(
    dataset: Dataset, slice_: Slice, articles: Iterable[tuple[Article, datetime]]
) -> bytes:
    """
    Return a slice's articles as JSON objects joined by commas, for `dim_article/load.sql`.

    The bytes are empty if the dataset's answers do not describe articles.

    Args:
        dataset: the dataset whose answers list the articles.
        slice_: the account and the publication day.
        articles: each article and when it was first listed.
    """
    if not dataset.describes_articles:
        return b""
    return _encode([_article_values(slice_, *listed) for listed in articles])[1:-1]


def _article_values(slice_: Slice, article: Article, first_seen_at: datetime) -> dict[str, object]:
    """Return an article's values by column of `dim_article`; `extra` is None if it is empty."""
    message_id, position = article.message
    return {
        "appid": slice_[0],
        "publication_date": slice_[1],
        "msgid": article.msgid,
        "message_id": message_id,
        "position": position,
        **{name: getattr(article, name) for name in ATTRIBUTES},
        "extra": article.extra or None,
        "first_seen_at": first_seen_at,
    }


def csv_field(text: str) -> bytes:
    """Return a text as a quoted CSV field in UTF-8, with backslash as the escape character."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


# ------------------------------------------------------------------------------------------- COPY


def row_columns(dataset: Dataset) -> str:
    """Return the column names of a row's COPY line, joined by commas."""
    appid, *item, stat_date = dataset.key
    metrics = [metric.name for metric in dataset.metrics]
    ends = (appid, *dataset.place, "raw_response_id", "fetched_at")
    return ", ".join((*item, "extra", stat_date, *metrics, *ends))


def copy(
    connection: Connection, target: str, lines: Iterable[bytes], copy_format: str = _CSV_FORMAT
) -> None:
    """
    Copy lines into a table by one COPY statement, in the transaction of the connection.

    All lines are held in memory at once.

    Args:
        connection: the connection of the caller's transaction.
        target: the table, then in brackets the columns of a line: `table (column, column)`.
        lines: the lines or, in another format, the pieces of the copied bytes.
        copy_format: the options of COPY; by default those of the lines of this module.

    Raises:
        psycopg2.Error: the statement failed, or the session ended during the COPY.
    """
    copy_sql = f"COPY {target} FROM STDIN ({copy_format})"
    cursor = connection.connection.cursor()
    text = BytesIO()
    text.writelines(lines)
    text.seek(0)
    try:
        cursor.copy_expert(copy_sql, text, _COPY_BUFFER_BYTES)
    except (SystemError, ValueError) as error:  # psycopg2 raises these if the session has ended
        raise psycopg2.OperationalError(f"the COPY broke off: {error}") from None


def keep_bytes(connection: Connection, dataset: Dataset, answers: Iterable[StagedAnswer]) -> None:
    """
    Insert answers into `raw_response`, by COPY in binary format, under their `raw_response_id`.

    As text they would take twice as long.

    Raises:
        psycopg2.Error: the statement failed, or the session ended during the COPY.
    """
    records = (_binary_record(dataset, answer) for answer in answers)
    content = (b"PGCOPY\n\xff\r\n\0", bytes(8), *records, b"\xff\xff")
    copy(connection, _RAW_RESPONSE, content, "FORMAT binary")


def _binary_record(dataset: Dataset, answer: StagedAnswer) -> bytes:
    """
    Return the answer's row of `raw_response` as a record of COPY's binary format.

    The record has the number of columns, then the length and the bytes of each. `last_seen_at`
    equals `fetched_at`.
    """
    day = pack("!i", (answer.day - _EPOCH.date()).days)
    at = pack("!q", (answer.evidence.at - _EPOCH) // timedelta(microseconds=1))
    key = pack("!q", answer.raw_response_id), dataset.name.encode(), answer.account.appid.encode()
    columns = *key, day, answer.body_zstd, answer.body_sha256, at, at
    return pack("!h", len(columns)) + b"".join(pack("!i", len(text)) + text for text in columns)
