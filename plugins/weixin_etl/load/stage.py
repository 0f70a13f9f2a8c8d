"""What came of asking for a pair, as the bytes that COPY takes; and the COPY itself."""

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
_AS_CSV = "FORMAT csv, NULL 'null', ESCAPE '\\'"
_PART_BYTES = 1 << 20
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Postgres counts instants and days from it."""
_compressor = zstandard.ZstdCompressor(level=1)
_one_at_a_time = Lock()
"""Answers are parsed one at a time: parsing takes several times an answer's bytes."""

_RAW_RESPONSE_COLUMNS = (
    "raw_response_id, dataset, appid, day, body, body_sha256, fetched_at, last_seen_at"
)


@dataclass(frozen=True, slots=True)
class StagedAnswer:
    """What came of asking for a pair: a refusal, or an answer as the bytes that COPY takes."""

    account: Account
    day: date
    evidence: rules.Evidence
    """What the rules look at."""
    calls: int = 0
    error: WeixinError | None = None
    """Why it brought no figures."""
    is_answer: bool = False
    """Whether there are bytes to keep, if nothing fits of them."""
    size: int = 0
    """Bytes of the answer, and characters of what is rejected of it."""
    body_sha256: bytes = b""
    body_zstd: bytes = b""
    """The answer, as it is kept."""
    raw_response_id: int = 0
    """Where it is kept, once it is."""
    msgids: Collection[str] = ()
    """Of the articles it lists; of other answers, their items."""
    articles: bytes = b""
    """JSON objects, as `articles_json` makes them."""
    rows: Sequence[bytes] = ()
    """The beginnings of lines; of a fold the whole."""
    is_history: bool = False
    """Whether all kept answers of the pair are in it: then it replaces what the tables hold."""
    row_end: bytes = b""
    """How each of them ends."""
    row_count: int = 0
    through_date: date | None = None
    newest_date: date | None = None
    falls: Sequence[Fall] = ()
    """Its totals that are lower than in the row before."""
    rejected: Sequence[RejectedPart] = ()
    unknown_metrics: frozenset[str] = frozenset()

    @property
    def slice(self) -> Slice:
        """The account and its day."""
        return self.account.appid, self.day

    @property
    def is_readable(self) -> bool:
        """Whether articles, or parts that do not fit, can be made out in it."""
        return self.is_answer and (self.error is None or bool(self.rejected))

    @property
    def lists_articles(self) -> bool:
        """Whether it could be read, and lists any."""
        return bool(self.evidence.article_count) and self.error is None


def stage_response(
    dataset: Dataset, account: Account, day: date, came: Response | FailedCall
) -> StagedAnswer:
    """What came of a call; any number of threads may ask."""
    if isinstance(came, FailedCall):
        error, at = came.error, came.refused_at
        said = rules.Evidence(at, error_kind=error.kind.value, error_code=error.problem.errcode)
        return StagedAnswer(account, day, said, came.calls, error)
    at, body_sha256 = came.fetched_at, sha256(came.body).digest()
    with _one_at_a_time:
        parsed = parse(dataset, came.body, day, at)
        articles = parsed.articles.values()
        return replace(
            evidence_of(dataset, account, day, at, parsed),
            calls=came.calls,
            size=len(came.body) + sum(len(part.payload) for part in parsed.rejected),
            body_sha256=body_sha256,
            body_zstd=compress(came.body),
            msgids=[*parsed.articles],
            articles=articles_json(dataset, (account.appid, day), ((it, at) for it in articles)),
            rows=[line for article in articles for line in copy_lines(dataset, article)],
            falls=falls_between_rows(dataset, articles),
            rejected=parsed.rejected,
            unknown_metrics=frozenset(parsed.unknown_metrics),
        )


def evidence_of(
    dataset: Dataset, account: Account, day: date, at: datetime, parsed: ParsedAnswer
) -> StagedAnswer:
    """What is judged of an answer."""
    is_readable = not (parsed.unreadable or parsed.nothing_fits)
    newest_date = parsed.newest_date
    said = rules.Evidence(
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
        said,
        error=None if is_readable else _unreadable(parsed, account),
        is_answer=True,
        row_count=parsed.row_count,
        through_date=parsed.through_date,
        newest_date=newest_date,
    )


def _unreadable(parsed: ParsedAnswer, account: Account) -> WeixinError:
    """Why nothing of an answer could be loaded."""
    parts = parsed.rejected
    why = parsed.unreadable or rejection("nothing_fits", len(parts), first=parts[0].reason)
    return WeixinError(ProblemKind.UNREADABLE, why, account=str(account))


def compress(body: bytes) -> bytes:
    """An answer's bytes as they are kept; for one thread at a time."""
    return _compressor.compress(body)


# ------------------------------------------------------------------------------------------ lines


def copy_lines(dataset: Dataset, article: Article) -> list[bytes]:
    """
    The beginnings of an article's rows' CSV lines: `row_columns` up to the metrics.

    A JSON array of numbers, null, texts and an ISO date is a CSV line but for its brackets, so
    msgspec's encoder writes it: all rows of an article at once, if none holds a text.
    """
    head = csv_field(article.msgid) + b"," if dataset.item else b""
    if dataset.lists or article.row_extras:
        return [head + _encode(_with_texts(article, day))[1:-1] for day in article.rows]
    if not article.rows:
        return []
    head += b"null,"
    texts = _encode([*map(astuple, article.rows.values())])[2:-2].split(b"],[")
    return [head + text for text in texts]


def _with_texts(article: Article, day: date) -> tuple[object, ...]:
    """What is unknown, and a row's values; it and lists as JSON texts."""
    values = [
        _encode(value).decode() if isinstance(value, list) else value
        for value in astuple(article.rows[day])
    ]
    extra = article.row_extras.get(day)
    return (None if extra is None else json_text.encode(extra), *values)


def row_end(dataset: Dataset, pair: Slice, raw_response_id: int, fetched_at: datetime) -> bytes:
    """The end of a row's line: its place, and the answer that changed it last."""
    appid, day = pair
    place = [day] if dataset.place else []
    return b",%b,%b\n" % (csv_field(appid), _encode((*place, raw_response_id, fetched_at))[1:-1])


def articles_json(
    dataset: Dataset, pair: Slice, articles: Iterable[tuple[Article, datetime]]
) -> bytes:
    """A pair's articles as JSON objects behind each other, each with when it was first listed."""
    if not dataset.describes_articles:
        return b""
    return _encode([_described(pair, it, at) for it, at in articles])[1:-1]


def _described(pair: Slice, article: Article, first_seen_at: datetime) -> dict[str, object]:
    message_id, position = article.message
    return {
        "appid": pair[0],
        "publication_date": pair[1],
        "msgid": article.msgid,
        "message_id": message_id,
        "position": position,
        **{name: getattr(article, name) for name in ATTRIBUTES},
        "extra": article.extra or None,
        "first_seen_at": first_seen_at,
    }


def csv_field(text: str) -> bytes:
    """A text for a CSV line."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


# ------------------------------------------------------------------------------------------- COPY


def row_columns(dataset: Dataset) -> str:
    """The columns of a row's line."""
    appid, *item, stat_date = dataset.key
    metrics = [metric.name for metric in dataset.metrics]
    ends = (appid, *dataset.place, "raw_response_id", "fetched_at")
    return ", ".join((*item, "extra", stat_date, *metrics, *ends))


def copy(
    connection: Connection, table: str, columns: str, lines: Iterable[bytes], form: str = _AS_CSV
) -> None:
    """Ended lines into a table; or records, in another form."""
    cursor = connection.connection.cursor()
    text = BytesIO()
    text.writelines(lines)
    text.seek(0)
    try:
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN ({form})", text, _PART_BYTES)
    except (SystemError, ValueError) as error:  # what psycopg2 stumbles over if the session ends
        raise psycopg2.OperationalError(f"the COPY broke off: {error}") from None


def keep_bytes(connection: Connection, dataset: Dataset, answers: Iterable[StagedAnswer]) -> None:
    """Answers into `raw_response`, in binary: as text their bytes take twice as long."""
    records = (_record(dataset, it) for it in answers)
    content = (b"PGCOPY\n\xff\r\n\0", bytes(8), *records, b"\xff\xff")
    copy(connection, "weixin.raw_response", _RAW_RESPONSE_COLUMNS, content, "FORMAT binary")


def _record(dataset: Dataset, it: StagedAnswer) -> bytes:
    """A row in COPY's binary format: each column's bytes behind their number."""
    day = pack("!i", (it.day - _EPOCH.date()).days)
    at = pack("!q", (it.evidence.at - _EPOCH) // timedelta(microseconds=1))
    key = pack("!q", it.raw_response_id), dataset.name.encode(), it.account.appid.encode(), day
    columns = *key, it.body_zstd, it.body_sha256, at, at
    return pack("!h", len(columns)) + b"".join(pack("!i", len(of)) + of for of in columns)
