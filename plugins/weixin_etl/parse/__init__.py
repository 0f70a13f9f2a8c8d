"""
Parsing: the bytes of one answer become typed articles and rows (pure).

`parse` is called for each answer of a run, of an import or of a replay, and by the probe. Its
result holds what fits, and a `RejectedPart` with a reason for each part that does not.

An answer that is exactly as documented is decoded by type in one call. Any other answer is read row
by row, and each row is converted by type. If a row can't be converted, it is read value by value:
values that do not fit are rejected, and the rest of the row is loaded.

Other datasets than articles have items too, which are read like articles. The `msgid` of a channel
is the channel's number; that of an account as a whole is empty. Such an item has one row, of the
day asked.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict, astuple, replace

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS, Dataset, ItemKey, Kind, Rows
from weixin_etl.sentences import Sentence, rejection, sentence
from weixin_etl.text import few_names

BIGINT_MAX, SMALLINT_MAX = 2**63 - 1, 2**15 - 1
_NUMBER_END = 10**15
"""The first number that is too large for a rate or another metric that is no count."""
_MOST_REJECTED = 100_000
_MOST_ARTICLES = 10_000
"""
The most items of a publication day's answer.

The time to find the articles that are no longer listed grows with the square of this number.
"""
_LONGEST_MSGID = 200
"""The most characters of a msgid. Real ones have a dozen; an index entry holds 2,704 bytes."""
_Msgid = Annotated[str, msgspec.Meta(max_length=_LONGEST_MSGID, pattern=r"^[^\0\ufffd]+\Z")]
_Text = Annotated[str, msgspec.Meta(pattern="^[^\0]*$")] | None
_Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
_SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
ATTRIBUTES = {"title": _Text, "url": _Text, "content_url": _Text, "publish_type": _SmallCount}
"""The attributes of an article, with their types. A value of another type goes into `extra`."""
UNDOCUMENTED = "user_source"
"""
An undocumented key of articles that many answers have.

It goes into `extra`, and an answer that has it still counts as documented.
"""
_NUMBER_TEXT = re.compile("[0-9]{1,19}([.][0-9]{1,30})?")
"""A number that is written as a text, at most as long as a figure can be."""
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]{0,39}")
"""A key of an answer that a sentence may quote. Others are not quoted: anybody may write them."""
_MOST_KEYS_NAMED = 3
_NOT_STORABLE = re.compile("[\0\ud800-\udfff\ufffd]")
"""Characters that `json_text.clean` would change, and the one that replaces invalid UTF-8."""
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")
_MISFIT_CODES = {bool: "boolean", str: "text", list: "list", dict: "object"}
_TYPE_NAMES = {bool: "a boolean", str: "a text", list: "a list", dict: "an object"}


class FigureRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The figures of one article on one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[FigureRow]:
    """
    Return the Struct of the dataset's rows: `stat_date`, then its metrics, None where absent.

    The Struct refuses unknown keys. Decoding or conversion fails if a value is not valid for its
    metric: see `is_valid_value`.
    """
    checked = [metric for metric in dataset.metrics if metric.kind is not Kind.COUNT]

    def check(row: FigureRow) -> None:
        """Raise ValueError if the value of a metric that is no count is not valid."""
        if not all(is_valid_value(metric.kind, getattr(row, metric.name)) for metric in checked):
            raise ValueError

    fields = [
        (metric.name, Any if metric in checked else _Count, None) for metric in dataset.metrics
    ]
    namespace = {"__post_init__": check} if checked else {}
    return msgspec.defstruct("Row", fields, bases=(FigureRow,), namespace=namespace)  # type: ignore[return-value] # typed as any Struct


def is_valid_value(kind: Kind, value: Any) -> bool:
    """
    Return whether a decoded value can be stored as a metric of the kind; null always can.

    A count is a whole number from 0 to 2**63 - 1. A rate is a number of at least 0 and below 10**15
    with at most 100 digits. A list may hold anything that `json_text.clean` leaves unchanged.

    Raises:
        RecursionError: a list has more than 100 levels.
    """
    if value is None:
        return True
    if kind is Kind.COUNT:
        return type(value) is int and 0 <= value <= BIGINT_MAX
    is_number = type(value) in (int, Decimal) and 0 <= value < _NUMBER_END
    is_of_kind = isinstance(value, list) if kind is Kind.LIST else is_number
    return is_of_kind and bool(json_text.clean(value) == value)


def _as_number(kind: Kind, value: Any) -> Any:
    """
    Return a decoded value as the number that it stands for; other values unchanged.

    A text of plain digits, with a fraction or without, becomes its number, unless the metric is a
    list. A whole decimal number becomes an int if the metric is a count: 3.0 becomes 3.
    """
    if isinstance(value, str) and kind is not Kind.LIST and _NUMBER_TEXT.fullmatch(value):
        value = Decimal(value)
    is_count = kind is Kind.COUNT and isinstance(value, Decimal) and abs(value) <= BIGINT_MAX
    return int(value) if is_count and value == int(value) else value


def _misfit_code(kind: Kind, value: Any) -> str:
    """
    Return the code, in `rejections.csv`, of why a metric's value is not valid.

    Args:
        kind: the kind of the metric.
        value: a value that `_as_number` returned and `is_valid_value` refused. It is not None.
    """
    if kind is Kind.LIST:
        return "not_a_list"
    if code := _MISFIT_CODES.get(type(value)):
        return code
    if value < 0:
        return "negative"
    is_fraction = kind is Kind.COUNT and value <= BIGINT_MAX
    return "fraction" if is_fraction else "too_large"


def type_name(value: Any) -> str:
    """
    Return the type of a decoded JSON value in words, without quoting the value.

    The words are `a text`, `a list`, `an object`, `a boolean`, `a number`, `a negative number`, and
    `missing` for None.
    """
    if value is None:
        return "missing"
    name = _TYPE_NAMES.get(type(value), "a number")
    return "a negative number" if name == "a number" and value < 0 else name


@dataclass(slots=True)
class Article:
    """One article of the day asked, or another dataset's item, with its rows by stat_date."""

    msgid: str
    title: str | None = None
    url: str | None = None
    content_url: str | None = None
    publish_type: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[date, FigureRow] = field(default_factory=dict)
    row_extras: dict[date, dict[str, Any]] = field(default_factory=dict)
    """Unknown metrics by stat_date, for the rows that have any."""

    def has_figures_of(self, day: date, headline: Sequence[str] = ()) -> bool:
        """
        Return whether the article has a row of the day, and the row has figures.

        Args:
            day: the stat_date of the row.
            headline: the metrics of which the row must have at least one. If the row also has
                unknown metrics, it must have all of them, because WeChat may have renamed some.
                If empty, any metric counts.
        """
        row = self.rows.get(day)
        if row is None:
            return False
        if headline:
            enough = all if day in self.row_extras else any
            return enough(getattr(row, name) is not None for name in headline)
        values = astuple(row)
        return values.count(None) < len(values) - 1  # The stat_date is never None.

    def newest_date(self, headline: Sequence[str]) -> date | None:
        """
        Return the last stat_date whose row has figures; None if no row has any.

        `has_figures_of` says what an empty `headline` means, and how many of its metrics count.
        """
        days = sorted(self.rows, reverse=True)
        return next((day for day in days if self.has_figures_of(day, headline)), None)

    @property
    def message(self) -> tuple[str, int] | tuple[None, None]:
        """
        The id of the message and the article's position in it, both read from the msgid.

        The msgid is `<message>_<position>` with a position from 1 to 9999. Both values are None if
        the msgid has another form.
        """
        match = _MSGID.fullmatch(self.msgid)
        return (match["message"], int(match["position"])) if match else (None, None)

    def merge(self, newer: "Article") -> list[date]:
        """
        Add a newer mention's attributes, unknown keys and rows to this article.

        A value of the newer mention replaces the older one; None replaces nothing.

        Returns:
            The stat_dates of the rows that are new or changed.
        """
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        extras = newer.row_extras
        return [day for day, row in newer.rows.items() if self.merge_row(row, extras.get(day, {}))]

    def merge_row(self, row: FigureRow, extra: dict[str, Any]) -> bool:
        """
        Add a newer row's values and its unknown metrics to the article's row of the same day.

        A value of the newer row replaces the older one; None replaces nothing. Unknown metrics are
        replaced by name.

        Returns:
            Whether the row is new, or a value or an unknown metric changed.
        """
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
class RejectedPart:
    """A part of an answer that does not fit: a value of a row, a whole row, or an article."""

    code: str
    """The code of the reason, in `rejections.csv`."""
    reason: str
    """
    The reason as a sentence.

    The sentence quotes no value other than a msgid, because more people may read the sentence than
    the payload.
    """
    payload: str
    """The rejected part as JSON text."""
    msgid: str | None = None
    """The article's msgid; None if the part names no article."""
    stat_date: date | None = None
    """The row's day; None if the part belongs to no row, or the row has no date."""
    field: str | None = None
    """The key whose value does not fit; None if a whole row or item does not fit."""


@dataclass(slots=True)
class ParsedAnswer:
    """The articles and rows of one answer, and the parts of it that do not fit."""

    headline: Sequence[str] = ()
    """The metrics that WeChat always gives. A row without any of them has no figures."""
    articles: dict[str, Article] = field(default_factory=dict)
    """The articles by msgid."""
    unreadable: Sentence | None = None
    """The reason why no articles can be read from the answer; None if they can."""
    rejected: list[RejectedPart] = field(default_factory=list)
    is_delayed: bool = False
    """Whether the answer says that its figures are late (`is_delay`)."""
    unknown_metrics: set[str] = field(default_factory=set)
    """The names of metrics that the dataset does not declare."""

    @property
    def list_sha256(self) -> bytes:
        """The hash of the sorted msgids, and a `?` per rejected part without a listed article."""
        unknown = sum(part.msgid not in self.articles for part in self.rejected)
        listed = "\0".join([*sorted(self.articles), *["?"] * unknown])
        return hashlib.sha256(listed.encode()).digest()

    @property
    def row_count(self) -> int:
        """The number of rows that fit. A repeated row counts once."""
        return sum(len(article.rows) for article in self.articles.values())

    @property
    def through_date(self) -> date | None:
        """
        The last stat_date that every article reaches: the earliest of the articles' last rows.

        None if an article has no row, or there is no article.
        """
        if not all(article.rows for article in self.articles.values()):
            return None
        return min((max(article.rows) for article in self.articles.values()), default=None)

    @property
    def newest_date(self) -> date | None:
        """The last stat_date for which any article has figures of the headline; else None."""
        newest = (article.newest_date(self.headline) for article in self.articles.values())
        return max((day for day in newest if day), default=None)

    @property
    def has_figures(self) -> bool:
        """Whether any row has a value of any declared metric, in the headline or not."""
        rows = (row for article in self.articles.values() for row in article.rows.values())
        return any(value is not None for row in rows for value in astuple(row)[1:])

    @property
    def nothing_fits(self) -> bool:
        """Whether parts are rejected, and no row has a value of a declared or unknown metric."""
        return bool(self.rejected) and not self.has_figures and not self.unknown_metrics

    def is_whole(self, publication_date: date, window: int) -> bool:
        """
        Return whether the answer is readable, nothing is rejected, and no article lacks a row.

        The row of the last day must also have figures, because WeChat may list a row before it
        has computed the figures. An answer without articles is whole.

        Args:
            publication_date: the day asked.
            window: the number of rows that an article has in the end, from that day on; at least 1.
        """
        if self.rejected or self.unreadable:
            return False
        days = {publication_date + timedelta(days=age) for age in range(window)}
        articles = self.articles.values()
        return all(days <= item.rows.keys() and item.has_figures_of(max(days)) for item in articles)

    def has_row_of(self, day: date) -> bool:
        """Return whether any article has a row of that stat_date, with figures or without."""
        return any(day in article.rows for article in self.articles.values())

    def add(self, article: Article) -> None:
        """Add an article and its unknown metrics. Merge it into an earlier mention, if any."""
        self.unknown_metrics.update(*article.row_extras.values())
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            known.merge(article)


def previous_day(fetched_at: datetime) -> date:
    """Return the last stat_date an answer can have: in Beijing, the day before the fetch."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, day: date, fetched_at: datetime) -> ParsedAnswer:
    """
    Return the articles and rows of an answer of the dataset's endpoint.

    For a publication day, rows from the day asked to the day before the fetch are accepted. For a
    statistics day, only a row of the day asked is accepted.

    Args:
        dataset: the dataset whose endpoint answered.
        body: the exact bytes of the answer.
        day: the day asked.
        fetched_at: when the answer was fetched.

    Returns:
        The parsed answer. It has the reason as `unreadable`, and no articles, if the answer is no
        JSON object with a `list`, is nested too deeply, has more than 100 000 parts that do not
        fit, or lists more than 10 000 articles of a publication day.
    """
    last_day = previous_day(fetched_at) if dataset.describes_articles else day
    try:
        by_type = _parse_by_type(dataset, body, day, last_day)
        return by_type or _TolerantParser(dataset, day, last_day).read(body)
    except RecursionError:
        return ParsedAnswer(unreadable=sentence("the answer is nested too deeply"))


def _decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    """
    Return a decoder of the dataset's answers that raises an error unless they are as declared.

    The decoded answer has `list`, and `is_delay`, which is False if the answer has none; other keys
    beside them are ignored. An item must have `ref_date`, `msgid` and the list of rows. It may have
    the attributes of an article and the one key that WeChat sends without documenting it
    (`UNDOCUMENTED`); what it lacks is None. Any other key or type, and a list of more than
    `_MOST_ARTICLES` items, is an error. Numbers with a fraction become `Decimal`.
    """
    rows: Any = list[row_type(dataset)]  # type: ignore[misc] # built at run time
    keys = [("ref_date", date), ("msgid", _Msgid), (dataset.rows_key, rows)]
    attributes = ATTRIBUTES | {UNDOCUMENTED: _Count}
    optional = [(name, value_type, None) for name, value_type in attributes.items()]
    item: Any = msgspec.defstruct("Item", [*keys, *optional], forbid_unknown_fields=True)
    items: Any = Annotated[list[item], msgspec.Meta(max_length=_MOST_ARTICLES)]
    answer = msgspec.defstruct("Answer", [("list", items), ("is_delay", bool, False)])
    return msgspec.json.Decoder(answer, float_hook=Decimal)


_DECODERS = {
    dataset: _decoder(dataset) for dataset in DATASETS.values() if dataset.rows_in is Rows.LIST
}
"""The decoders, made at import, before there are threads. `threads.convert` says why."""


def _parse_by_type(dataset: Dataset, body: bytes, day: date, last_day: date) -> ParsedAnswer | None:
    """
    Return the parsed answer, or None if the tolerant parser must read it.

    None means that the answer is not exactly what the dataset's decoder accepts, that an item's
    `ref_date` is not the day asked, that a row is before `day` or after `last_day`, that two rows
    of an item have the same day, or that the dataset has no list of rows in its items.

    Args:
        dataset: the dataset whose endpoint answered.
        body: the exact bytes of the answer.
        day: the day asked, which is also the first day of rows.
        last_day: the last day of rows.

    Raises:
        RecursionError: the answer is nested too deeply.
    """
    if dataset not in _DECODERS:
        return None
    try:
        answer = _DECODERS[dataset].decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
        return None
    parsed = ParsedAnswer(headline=dataset.headline, is_delayed=answer.is_delay)
    for item in answer.list:
        given = asdict(item)
        listed_rows, undocumented = given.pop(dataset.rows_key), given.pop(UNDOCUMENTED)
        rows = {row.stat_date: row for row in listed_rows if day <= row.stat_date <= last_day}
        if given.pop("ref_date") != day or len(rows) != len(listed_rows):
            return None
        extra = {} if undocumented is None else {UNDOCUMENTED: undocumented}
        parsed.add(Article(**given, extra=extra, rows=rows))
    return parsed


@dataclass(slots=True)
class _TolerantParser:
    """A reader of one answer, whatever it holds. It collects what it reads in `parsed`."""

    dataset: Dataset
    day: date
    """The day asked, which is also the first day of rows."""
    last_day: date
    """The last day of rows."""
    parsed: ParsedAnswer = field(default_factory=ParsedAnswer)

    def read(self, body: bytes) -> ParsedAnswer:
        """
        Return the parsed answer: the parts that fit, and the others as `rejected`.

        If the answer as a whole can't be used, only `unreadable` is set: it is no JSON object with
        a list, lists too many articles, or has too many parts that do not fit.

        Raises:
            RecursionError: the answer is nested too deeply.
        """
        try:
            answer = json_text.decode(body)
        except ValueError:
            return ParsedAnswer(unreadable=sentence("the answer is not JSON"))
        items = answer.get("list") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            return ParsedAnswer(unreadable=sentence("the answer has no list"))
        if self.dataset.describes_articles and len(items) > _MOST_ARTICLES:
            why = sentence("the answer lists more than {most} articles", most=_MOST_ARTICLES)
            return ParsedAnswer(unreadable=why)
        self.parsed.headline = self.dataset.headline
        self.parsed.is_delayed = _says_delay(answer.get("is_delay"))
        for item in items:
            self._read_item(item)
            if len(rejected := self.parsed.rejected) > _MOST_REJECTED:
                first = rejected[0].reason
                return ParsedAnswer(unreadable=rejection("too_many", _MOST_REJECTED, first=first))
        return self.parsed

    def _read_item(self, item: Any) -> None:
        """
        Add an item's article with its rows to `parsed`.

        The item is rejected instead if it is no object, has no valid id, or is of another day.
        """
        if not isinstance(item, dict):
            self._reject("entry_not_an_object", item)
            return
        key = self.dataset.item
        raw_id = item.get(key.name) if key else None
        msgid, code = _item_id(key, raw_id) if key else ("", "")
        if key and code:
            self._reject(code, item, _bad_id_reason(key, raw_id, code), field=key.name)
        elif item.get("ref_date") != self.day.isoformat():
            self._reject("entry_of_another_day", item, msgid=msgid, field="ref_date")
        else:
            self.parsed.add(self._read_article(msgid, item))

    def _read_article(self, msgid: str, item: dict[str, Any]) -> Article:
        """
        Return an item's article with its attributes and the rows that fit.

        The item's key `rows_key` holds the rows: a list, or, for a statistics day, one object or
        nothing. Further keys of a statistics item belong to its row. If that key has another type,
        or an article lacks its rows, the item is rejected and the article has no rows.
        """
        dataset, is_list = self.dataset, self.dataset.rows_in is Rows.LIST
        named = {"ref_date", dataset.item and dataset.item.name, *dataset.meaningless}
        rest = {name: value for name, value in item.items() if name not in named}
        rows: Any = rest.pop(dataset.rows_key, None)
        article = _without_rows(msgid, rest if is_list else {})
        if type(rows) not in ((list,) if is_list else (dict, type(None))):
            code = "rows_missing" if rows is None else "rows_misfit"
            reason = rejection(code, field=dataset.rows_key)
            if names := _unknown_containers(article):
                reason = rejection("unknown_keys", first=reason, names=names)
            self._reject(code, item, reason, msgid=msgid, field=dataset.rows_key)
            return article
        if not is_list:
            rows = [{"stat_date": item["ref_date"], **rest, **(rows or {})}]
        for row in rows:
            self._read_row(article, row)
        return article

    def _read_row(self, article: Article, row: Any) -> None:
        """
        Merge a row into the article, or reject the row if it does not fit. Skip an empty object.

        If a value does not fit, only the value is rejected. Unknown keys that are not null become
        unknown metrics, cleaned for Postgres. They are removed from the given row.
        """
        if row == {}:
            return
        code, stat_date = self._row_misfit(row)
        if code:
            field = "stat_date" if code in ("row_without_date", "row_of_another_day") else None
            self._reject(code, row, msgid=article.msgid, stat_date=stat_date, field=field)
            return
        struct = row_type(self.dataset)
        known = struct.__struct_fields__
        names = row.keys() - known
        unknown = {name: value for name in names if (value := row.pop(name)) is not None}
        try:
            typed = msgspec.convert(row, struct)  # noqa: TID251 - by one thread
        except (msgspec.ValidationError, UnicodeEncodeError):  # The latter is a lone surrogate.
            typed = self._read_values(article.msgid, row, stat_date)
        cleaned = json_text.clean(unknown)
        article.merge_row(typed, {name: cleaned[name] for name in cleaned if name not in known})

    def _row_misfit(self, row: Any) -> tuple[str, date | None]:
        """
        Return the code of why a whole row is rejected, and the row's stat_date.

        The code is empty if the row fits: it is an object of an accepted day and, for a statistics
        day, has a figure. The stat_date is None if the row has no valid date.
        """
        if not isinstance(row, dict):
            return "row_not_an_object", None
        try:
            stat_date = msgspec.convert(row.get("stat_date"), date)  # noqa: TID251 - the same
        except (msgspec.ValidationError, UnicodeEncodeError):
            return "row_without_date", None
        if not self.day <= stat_date <= self.last_day:
            return "row_of_another_day", stat_date
        has_figures = any(row.get(metric.name) is not None for metric in self.dataset.metrics)
        fits = has_figures or self.dataset.describes_articles
        return "" if fits else "row_without_figures", stat_date

    def _read_values(self, msgid: str, row: dict[str, Any], stat_date: date | None) -> FigureRow:
        """Return a row of the day with the metrics that fit. Reject the other values one by one."""
        known: dict[str, Any] = {"stat_date": stat_date}
        for metric in self.dataset.metrics:
            raw_value = json_text.clean(row.get(metric.name))
            value = _as_number(metric.kind, raw_value)
            if is_valid_value(metric.kind, value):
                known[metric.name] = value
            else:
                code = _misfit_code(metric.kind, value)
                self._reject(code, raw_value, msgid=msgid, stat_date=stat_date, field=metric.name)
        return row_type(self.dataset)(**known)

    def _reject(
        self,
        code: str,
        payload: Any,
        reason: str = "",
        *,
        msgid: str | None = None,
        stat_date: date | None = None,
        field: str | None = None,
    ) -> None:
        """
        Add a rejected part to `parsed`.

        Args:
            code: the code of the reason, in `rejections.csv`.
            payload: the part as decoded.
            reason: the reason as a sentence; by default the code's sentence with the field.
            msgid: the article of the part, if it is known.
            stat_date: the day of the part, if it is known.
            field: the key of the part, if it has one.
        """
        reason = reason or rejection(code, field=field or "")
        text = json_text.encode(json_text.clean(payload))
        self.parsed.rejected.append(RejectedPart(code, reason, text, msgid, stat_date, field))


def _item_id(key: ItemKey, raw_id: Any) -> tuple[str, str]:
    """
    Return the id of an item as text, and the code of why the id can't be used.

    One of both is empty. The id of a dataset whose ids are numbers may be given as a text.

    Args:
        key: the declaration of the id.
        raw_id: the id as decoded; None if the item has none.
    """
    if raw_id is None:
        return "", "id_missing"
    if key.is_number:
        number = _as_number(Kind.COUNT, json_text.clean(raw_id))
        return (str(number), "") if is_valid_value(Kind.COUNT, number) else ("", "id_misfit")
    if not isinstance(raw_id, str):
        return "", "id_misfit"
    if not 0 < len(raw_id) <= _LONGEST_MSGID:
        return "", "id_length"
    # Two msgids that differ only in characters that can't be stored would become one article.
    return ("", "id_not_storable") if _NOT_STORABLE.search(raw_id) else (raw_id, "")


def _bad_id_reason(key: ItemKey, raw_id: Any, code: str) -> str:
    """
    Return the sentence of why an id can't be used, for the code that `_item_id` returned.

    The sentence quotes the id, and names its characters, only if the id can't be stored unchanged.
    """
    if code != "id_not_storable":
        return rejection(code, field=key.name)
    found = sorted({*_NOT_STORABLE.findall(raw_id)})
    characters = few_names([f"U+{ord(character):04X}" for character in found], _MOST_KEYS_NAMED)
    # json.dumps writes the id in ASCII, so the sentence can be stored.
    return rejection(code, field=key.name, value=json.dumps(raw_id), characters=characters)


def _unknown_containers(article: Article) -> str:
    """
    Return the names of the article's unknown keys that hold a list or an object.

    One of them may hold the rows under a new name. The result is a text for a sentence with at most
    three names and the number of the others. Names with unusual characters are left out.
    """
    named = [
        name
        for name, value in article.extra.items()
        if isinstance(value, list | dict) and _PLAIN_KEY.fullmatch(name) and name not in ATTRIBUTES
    ]
    return few_names(named, _MOST_KEYS_NAMED)


def _says_delay(is_delay: Any) -> bool:
    """Return whether `is_delay` says that figures are late. Any value but a plain no says so."""
    if isinstance(is_delay, str):
        return is_delay.lower() != "false"
    return is_delay not in (None, False)  # 0 counts as a no too, because 0 == False.


def _without_rows(msgid: str, attributes: dict[str, Any]) -> Article:
    """
    Return an article without rows, with its attributes cleaned for Postgres.

    Unknown keys, and attributes whose value has another type, go to `extra`. Null is dropped.
    """
    article = Article(msgid)
    for name, value in json_text.clean(attributes).items():
        is_small = type(value) is int and 0 <= value <= SMALLINT_MAX
        fits = is_small if name == "publish_type" else isinstance(value, str)
        if name in ATTRIBUTES and fits:
            setattr(article, name, value)
        elif value is not None:
            article.extra[name] = value
    return article
