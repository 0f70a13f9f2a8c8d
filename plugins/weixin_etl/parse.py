"""
Bytes to typed articles and rows (pure).

An answer that is exactly what the documentation shows is decoded by one typed decoder. Anything
else (unknown keys, odd values, repeated articles, control characters) is taken apart item by item,
so that what does not fit is set aside with a reason and its neighbours go on.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

import msgspec

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind

BIGINT_MAX = 2**63 - 1
SMALLINT_MAX = 2**15 - 1
_Whole = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
_Small = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
_LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
_Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_MSGID)]
# as a Decimal, msgspec would take texts too
_TYPES: dict[Kind, Any] = {
    Kind.COUNT: _Whole,
    Kind.RATE: Any,
    Kind.LIST: list[Any] | None,
}
_RATE_MAX = 10**15
_MOST_REJECTED = 100_000
_MOST_DIGITS = 100
_DEEPEST = 100
"""Objects and lists in one another."""
_DEPTH_OF_FIGURES = 5
_TOO_DEEP = "the answer is nested too deeply"
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


class UnreadableAnswerError(Exception):
    """The answer is neither an error nor what the documentation shows."""


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Totals of one article at the end of one day; `row_type` adds the dataset's metrics."""

    stat_date: date


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


ATTRIBUTES = ("title", "url", "content_url", "publish_type", "user_source")
_NUMBERS = {"publish_type": SMALLINT_MAX, "user_source": BIGINT_MAX}


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


def parse(dataset: Dataset, body: bytes, publication_date: date) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    Raises:
        UnreadableAnswerError: it is not a JSON object with a `list`, is nested too deeply, or
            more than 100 000 parts of it do not fit.

    """
    parsed = _parse_documented(dataset, body, publication_date)
    if parsed is not None:
        return parsed
    try:
        return _TakeApart(dataset, publication_date).answer(json_text.decode(body))
    except ValueError:
        raise UnreadableAnswerError("the answer is not JSON") from None
    except RecursionError:
        raise UnreadableAnswerError(_TOO_DEEP) from None


def merge(parsed_answers: Iterable[Parsed]) -> Parsed:
    """Answers of one pair, oldest first, as one: the last non-null value of each field."""
    merged = Parsed()
    for parsed in parsed_answers:
        for article in parsed.articles.values():
            _merge_article(merged, article)
    return merged


@cache
def row_type(dataset: Dataset) -> type[Row]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    row: type[Row] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(metric.name, _TYPES[metric.kind], None) for metric in dataset.metrics],
        bases=(Row,),
        kw_only=True,
    )
    return row


@cache
def _documented_decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    item = msgspec.defstruct(
        "Item",
        [
            ("ref_date", date),
            ("msgid", _Msgid),
            *((name, str | None, None) for name in ("title", "url", "content_url")),
            ("publish_type", _Small, None),
            ("user_source", _Whole, None),
            ("rows", list[row_type(dataset)]),  # type: ignore[misc] # built at run time
        ],
        rename={"rows": dataset.rows_key},
        kw_only=True,
        forbid_unknown_fields=True,
    )
    answer = msgspec.defstruct(
        "Answer",
        [
            ("list", list[item]),  # type: ignore[valid-type] # as above
            ("is_delay", bool, False),
            ("errcode", Any, None),
            ("errmsg", Any, None),
        ],
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(answer, float_hook=Decimal)


def _parse_documented(dataset: Dataset, body: bytes, publication_date: date) -> Parsed | None:
    try:
        answer = _documented_decoder(dataset).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation):
        return None
    parsed = Parsed(is_delayed=answer.is_delay)
    unchecked = [metric for metric in dataset.metrics if metric.kind is not Kind.COUNT]
    for item in answer.list:
        rows = {row.stat_date: row for row in item.rows}
        is_plain = item.ref_date == publication_date and len(rows) == len(item.rows)
        is_plain &= "\0" not in f"{item.msgid}{item.title}{item.url}{item.content_url}"
        is_plain &= all(
            _FITS[metric.kind][0](getattr(row, metric.name))
            for row in item.rows
            for metric in unchecked
        )
        if not is_plain or item.msgid in parsed.articles:
            return None
        parsed.articles[item.msgid] = Article(
            item.msgid,
            title=item.title,
            url=item.url,
            content_url=item.content_url,
            publish_type=item.publish_type,
            user_source=item.user_source,
            rows=rows,
        )
    return parsed


class _TakeApart:
    """One pass over an answer that is not exactly the documented one."""

    def __init__(self, dataset: Dataset, publication_date: date) -> None:
        self.dataset = dataset
        self.publication_date = publication_date
        self.parsed = Parsed()

    def answer(self, answer: Any) -> Parsed:
        if not isinstance(answer, dict) or not isinstance(answer.get("list"), list):
            raise UnreadableAnswerError("the answer has no list of articles")
        self.parsed.is_delayed = str(answer.get("is_delay")).lower() in ("true", "1")
        for item in answer["list"]:
            self._item(self._clean(item, 2), item)
        return self.parsed

    def _item(self, item: Any, as_answered: Any) -> None:
        reason = self._why_not(item, as_answered)
        if reason:
            self._reject(reason, item, item)
            return
        article = Article(item["msgid"])
        rows_key = self.dataset.rows_key
        for name, value in item.items():
            if name in ATTRIBUTES and _fits_attribute(name, value):
                setattr(article, name, value)
            elif name not in ("ref_date", "msgid", rows_key) and value is not None:
                article.extra[name] = value
        for row in item[rows_key]:
            self._row(article, row)
        self.parsed.merged_rows += _merge_article(self.parsed, article)

    def _why_not(self, item: Any, as_answered: Any) -> str | None:
        if not isinstance(item, dict):
            return "an article that is not an object"
        if item.get("ref_date") != self.publication_date.isoformat():
            return f"ref_date {item.get('ref_date')!r:.60} is not the day asked for"
        # cleaned, a number that takes a page to write is a text
        is_text = isinstance(as_answered.get("msgid", ""), str)
        if not is_text or not isinstance(item.get("msgid"), str) or not item["msgid"]:
            return f"msgid {item.get('msgid')!r:.60} is not a text"
        if len(item["msgid"]) > _LONGEST_MSGID:
            return f"msgid {item['msgid']!r:.60} is longer than {_LONGEST_MSGID} characters"
        if not isinstance(item.get(self.dataset.rows_key), list):
            return f"{self.dataset.rows_key} is not a list"
        return None

    def _row(self, article: Article, row: Any) -> None:
        item = {"msgid": article.msgid}
        if not isinstance(row, dict):
            self._reject("a row that is not an object", item, row)
            return
        fields = _row_fields(self.dataset)
        known = {name: row[name] for name in row.keys() & fields}
        unknown = {name: row[name] for name in row.keys() - fields if row[name] is not None}
        reason = _why_row_not(self.dataset, known)
        if reason:
            self._reject(reason, item, row)
            return
        counts = _count_fields(self.dataset)
        typed = msgspec.convert(
            {name: _as_int(known[name]) if name in counts else known[name] for name in known},
            row_type(self.dataset),
        )
        twin = Article(article.msgid, rows={typed.stat_date: typed})
        if unknown:
            self.parsed.unknown_metrics |= unknown.keys()
            twin.row_extras[typed.stat_date] = unknown
        self.parsed.merged_rows += _merge_rows(article, twin)

    def _reject(self, reason: str, item: Any, payload: Any) -> None:
        if len(self.parsed.rejected) == _MOST_REJECTED:
            raise UnreadableAnswerError(
                f"more than {_MOST_REJECTED} parts of the answer do not fit, the first because of "
                f"{self.parsed.rejected[0].reason}"
            )

        def text(holder: Any, key: str) -> str | None:
            value = holder.get(key) if isinstance(holder, dict) else None
            return None if value is None else str(value)

        self.parsed.rejected.append(
            Rejected(
                reason,
                json_text.encode(payload),
                msgid=text(item, "msgid"),
                stat_date=text(payload, "stat_date"),
            )
        )

    def _clean(self, value: Any, depth: int) -> Any:
        """The same value without what Postgres cannot hold: U+0000, lone surrogates, infinity."""
        if isinstance(value, str):
            self.parsed.stripped_nuls += value.count("\0")
            return json_text.storable(value)
        if isinstance(value, list | dict) and depth == _DEEPEST:
            raise UnreadableAnswerError(_TOO_DEEP)
        depth += 1
        if isinstance(value, list):
            return [self._clean(element, depth) for element in value]
        if isinstance(value, dict):
            # a name that had to be cleaned never takes the place of one that is its own
            return {
                cleaned: self._clean(element, depth)
                for name, element in value.items()
                if (cleaned := self._clean(name, depth)) == name or cleaned not in value
            }
        if isinstance(value, float) or not _is_storable(value):
            return str(value)  # NaN, Infinity, or a number that takes a page to write
        return value


@cache
def _row_fields(dataset: Dataset) -> frozenset[str]:
    return frozenset(row_type(dataset).__struct_fields__)


@cache
def _count_fields(dataset: Dataset) -> frozenset[str]:
    return frozenset(metric.name for metric in dataset.metrics if metric.kind is Kind.COUNT)


def _fits_attribute(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return name not in _NUMBERS
    return name in _NUMBERS and type(value) is int and 0 <= value <= _NUMBERS[name]


def _why_row_not(dataset: Dataset, known: dict[str, Any]) -> str | None:
    """What keeps a row from being loaded, if anything; a whole number may be written as 3.0."""
    try:
        msgspec.convert(known.get("stat_date"), date)
    except msgspec.ValidationError:
        return f"stat_date {known.get('stat_date')!r:.60} is not a date"
    for metric in dataset.metrics:
        value = known.get(metric.name)
        fits, what = _FITS[metric.kind]
        if not fits(value):
            shown = repr(value) if isinstance(value, str) else str(value)
            return f"{metric.name} {shown:.60} is not {what}"
    return None


def _is_count(value: Any) -> bool:
    whole = _as_int(value)
    return value is None or (type(whole) is int and 0 <= whole <= BIGINT_MAX)


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return _is_storable(Decimal(value)) and 0 <= value < _RATE_MAX


def _is_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and _is_storable(value, _DEPTH_OF_FIGURES))


def _is_storable(value: Any, depth: int = 0) -> bool:
    """Whether Postgres holds it as it is: no U+0000, no number that takes a page to write."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, list | dict):
        elements = value if isinstance(value, list) else (*value, *value.values())
        return depth < _DEEPEST and all(_is_storable(element, depth + 1) for element in elements)
    if not isinstance(value, Decimal):
        return True
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and max(-exponent, value.adjusted()) < _MOST_DIGITS


_FITS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    Kind.COUNT: (_is_count, f"a whole number from 0 to {BIGINT_MAX}"),
    Kind.RATE: (_is_rate, f"a number from 0 to {_RATE_MAX}"),
    Kind.LIST: (_is_list, "a list"),
}


def _as_int(value: Any) -> Any:
    is_whole = isinstance(value, Decimal) and abs(value) <= BIGINT_MAX and value == int(value)
    return int(value) if is_whole else value


def _merge_article(parsed: Parsed, newer: Article) -> int:
    """Add an article to an answer; how many of its rows were there already."""
    article = parsed.articles.setdefault(newer.msgid, newer)
    if article is newer:
        return 0
    for name in ATTRIBUTES:
        if getattr(newer, name) is not None:
            setattr(article, name, getattr(newer, name))
    article.extra |= newer.extra
    return _merge_rows(article, newer)


def _merge_rows(article: Article, newer: Article) -> int:
    repeated = 0
    for stat_date, row in newer.rows.items():
        known = article.rows.get(stat_date)
        if known is not None:
            repeated += 1
            row = msgspec.structs.replace(
                known, **{k: v for k, v in msgspec.structs.asdict(row).items() if v is not None}
            )
        article.rows[stat_date] = row
        if stat_date in newer.row_extras:
            article.row_extras.setdefault(stat_date, {}).update(newer.row_extras[stat_date])
    return repeated
