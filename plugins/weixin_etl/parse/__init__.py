"""
Bytes to typed articles and rows (pure).

An answer that is exactly as documented is decoded at once by type. Any other is read row by row: an
item of any dataset is first `normalised`, then each of its rows is converted by type. Only a row
that can't be is read value by value: what does not fit is rejected, the rest of the row is loaded.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS, Dataset, ItemKey, Kind, Rows
from weixin_etl.parse import values
from weixin_etl.parse.articles import (
    ATTRIBUTES,
    UNDOCUMENTED,
    Article,
    Parsed,
    Rejected,
    Row,
    row_type,
)

_MOST_REJECTED = 100_000


def day_before(fetched_at: datetime) -> date:
    """The last day an answer can have rows of: in Beijing, the one before it was fetched."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, day: date, fetched_at: datetime) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    A row has to be of a day that can have been counted when the answer was fetched: from the day
    asked to the day before the answer, in Beijing. A row beyond the window is a row.

    It is `unreadable` if it is not a JSON object with a `list`, is nested too deeply, or more than
    100 000 parts of it do not fit.
    """
    last_day = day_before(fetched_at)
    try:
        by_type = documented(dataset, body, day, last_day)
        return by_type or RowByRow(dataset, day, last_day).read(body)
    except RecursionError:
        return Parsed(unreadable="the answer is nested too deeply")
    except _UnreadableError as error:
        return Parsed(unreadable=str(error))


class _UnreadableError(Exception):
    """No items can be made out in the answer. `str()` says why."""


def _decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    rows: Any = list[row_type(dataset)]  # type: ignore[misc] # built at run time
    item: Any = msgspec.defstruct(
        "Item",
        [
            *(("ref_date", date), ("msgid", values.Msgid), ("rows", rows)),
            *((name, values.Text, None) for name in ("title", "url", "content_url")),
            *(("publish_type", values.SmallCount, None), (UNDOCUMENTED, values.Count, None)),
        ],
        rename={"rows": dataset.rows_key},
        kw_only=True,
        forbid_unknown_fields=True,
    )
    answer = msgspec.defstruct("Answer", [("list", list[item]), ("is_delay", bool, False)])
    return msgspec.json.Decoder(answer, float_hook=Decimal)


_DECODERS = {
    dataset: _decoder(dataset) for dataset in DATASETS.values() if dataset.rows_in is Rows.LIST
}
"""Made before there are threads: see `threads.convert`."""


def documented(dataset: Dataset, body: bytes, day: date, last_day: date) -> Parsed | None:
    """What the answer says, or None if it is not exactly as documented."""
    if dataset not in _DECODERS:
        return None
    try:
        answer = _DECODERS[dataset].decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation):
        return None
    parsed = Parsed(is_delayed=answer.is_delay)
    for item in answer.list:
        rows = {row.stat_date: row for row in item.rows if day <= row.stat_date <= last_day}
        if item.ref_date != day or len(rows) != len(item.rows):  # repeated, or out of range
            return None
        attributes = {name: getattr(item, name) for name in ATTRIBUTES}
        seen = getattr(item, UNDOCUMENTED)
        extra = {} if seen is None else {UNDOCUMENTED: seen}
        parsed.add(Article(item.msgid, **attributes, extra=extra, rows=rows))
    return parsed


class Item(NamedTuple):
    """An item of an answer's list, the same of every dataset; its values are as they came."""

    ref_date: Any
    key: Any
    attributes: dict[str, Any]
    """What else is said of an article."""
    rows: list[Any]
    why: str = ""
    """Why it has no rows, if something else stands in their place."""


def normalised(dataset: Dataset, item: dict[str, Any]) -> Item:
    """
    The item as one that has a list of rows: of a statistics day, the row of its `ref_date`.

    What an item of a statistics day has beside its row belongs to the row: the fact has no other
    place for it.
    """
    rest = {name: value for name, value in item.items() if name not in dataset.meaningless}
    ref_date = rest.pop("ref_date", None)
    key = rest.pop(dataset.item.name, None) if dataset.item else None
    rows = {} if dataset.rows_in is Rows.ITEM else rest.pop(dataset.rows_key, None)
    if dataset.rows_in is Rows.LIST and isinstance(rows, list | None):
        return Item(ref_date, key, rest, rows or [])
    if dataset.rows_in is not Rows.LIST and isinstance(rows, dict):
        row = rest | rows
        return Item(ref_date, key, {}, [row | {"stat_date": row.get("stat_date") or ref_date}])
    what = f"{values.what_it_is(rows)}, not {dataset.rows_in.value}"
    return Item(ref_date, key, rest, [], why=f"{dataset.rows_key} is {what}")


class RowByRow:
    """Reads one answer, whatever it holds; its rows end with `last_day`."""

    def __init__(self, dataset: Dataset, day: date, last_day: date) -> None:
        self._dataset, self._day, self._last_day = dataset, day, last_day
        self._row_type = row_type(dataset)
        self._row_keys = frozenset(self._row_type.__struct_fields__)
        self._parsed = Parsed()

    def read(self, body: bytes) -> Parsed:
        """What the answer says."""
        try:
            answer = json_text.decode(body)
        except ValueError:
            raise _UnreadableError("the answer is not JSON") from None
        items = answer.get("list") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise _UnreadableError(
                "the answer has no list of articles"
                if self._dataset.describes_articles
                else "the answer has no list of items"
            )
        self._parsed.is_delayed = str(answer.get("is_delay")).lower() in ("true", "1")
        for item in items:
            self._item(item)
        return self._parsed

    def _item(self, written: Any) -> None:
        if not isinstance(written, dict):
            self._reject(
                "an article that is not an object"
                if self._dataset.describes_articles
                else "an item that is not an object",
                written,
            )
            return
        item = normalised(self._dataset, written)
        msgid, why_unnamed = _named(self._dataset.item, item.key)
        if reason := self._why_another_day(item.ref_date) or why_unnamed:
            self._reject(reason, written, None if why_unnamed else msgid)
            return
        if item.why:  # it is listed, without a row
            self._reject(item.why, written, msgid)
        article = _described(msgid, json_text.clean(item.attributes, values.ITEM_DEPTH))
        for row in item.rows:
            self._row(article, row)
        self._parsed.add(article)

    def _row(self, article: Article, row: Any) -> None:
        if not isinstance(row, dict):
            self._reject("a row that is not an object", row, article.msgid)
            return
        if not row:
            return
        stat_date = _as_date(row.get("stat_date"))
        if reason := self._why_no_row(row, stat_date):
            self._reject(reason, row, article.msgid, stat_date)
            return
        names = row.keys() - self._row_keys
        unknown = {name: value for name in names if (value := row.pop(name)) is not None}
        typed = self._by_type(row) or self._value_by_value(article.msgid, row, stat_date)
        article.merge_row(typed, json_text.clean(unknown, values.ROW_DEPTH))

    def _by_type(self, row: dict[str, Any]) -> Row | None:
        try:
            return msgspec.convert(row, self._row_type)
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: a lone surrogate
            return None

    def _value_by_value(self, msgid: str, row: dict[str, Any], stat_date: date | None) -> Row:
        known: dict[str, Any] = {"stat_date": stat_date}
        for metric in self._dataset.metrics:
            written = json_text.clean(row.get(metric.name), values.ROW_DEPTH + 1)
            value = values.as_number(metric.kind, written)
            fits, what = values.FITS[metric.kind]
            if value is None or fits(value):
                known[metric.name] = value
            else:
                reason = f"{metric.name} is {values.what_it_is(written)}, not {what}"
                self._reject(reason, written, msgid, stat_date)
        return msgspec.convert(known, self._row_type)

    def _why_another_day(self, ref_date: Any) -> str:
        if ref_date == self._day.isoformat():
            return ""
        if _as_date(ref_date):
            return "ref_date is another day than the one asked for"
        return f"ref_date is {values.what_it_is(ref_date)}, not the day asked for"

    def _why_no_row(self, row: dict[str, Any], stat_date: date | None) -> str:
        """What keeps a whole row from being loaded, if anything."""
        if stat_date is None:
            return f"stat_date is {values.what_it_is(row.get('stat_date'))}, not a date"
        is_of_day = not self._dataset.describes_articles
        if is_of_day and stat_date != self._day:
            return "stat_date is another day than the one asked for"
        if stat_date < self._day:
            return "stat_date is before the publication day"
        if stat_date > self._last_day:
            return "stat_date is later than the day before the answer"
        if is_of_day and all(row.get(metric.name) is None for metric in self._dataset.metrics):
            return "a row without a figure"
        return ""

    def _reject(
        self, reason: str, payload: Any, msgid: str | None = None, stat_date: date | None = None
    ) -> None:
        rejected = self._parsed.rejected
        if len(rejected) == _MOST_REJECTED:
            raise _UnreadableError(
                f"more than {_MOST_REJECTED} parts of the answer do not fit, the first because of "
                f"{rejected[0].reason}"
            )
        rejected.append(
            Rejected(reason, json_text.encode(json_text.clean(payload)), msgid, stat_date)
        )


def _as_date(written: Any) -> date | None:
    """The day a text names as WeChat writes it; None when it names none."""
    try:
        return msgspec.convert(written, date)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: a lone surrogate
        return None


def _named(key: ItemKey | None, written: Any) -> tuple[str, str]:
    """What tells an item from the others of its day, as a text; and why it can't be told, if so."""
    if key is None:
        return "", ""
    if key.is_number:
        number = values.as_number(Kind.COUNT, written)
        fits, what = values.FITS[Kind.COUNT]
        if not fits(number):
            return "", f"{key.name} is {values.what_it_is(written)}, not {what}"
        return str(number), ""
    if not isinstance(written, str):
        return "", f"{key.name} is {values.what_it_is(written)}, not a text"
    name = json_text.clean(written)
    if not 0 < len(name) <= values.LONGEST_MSGID:
        return "", f"{key.name} is a text of none or more than {values.LONGEST_MSGID} characters"
    return name, ""


def _described(msgid: str, attributes: dict[str, Any]) -> Article:
    """An article without its rows; an attribute of another type is unknown."""
    article = Article(msgid)
    for name, value in attributes.items():
        is_small = type(value) is int and 0 <= value <= values.SMALLINT_MAX
        fits = is_small if name == "publish_type" else isinstance(value, str)
        if name in ATTRIBUTES and fits:
            setattr(article, name, value)
        elif value is not None:
            article.extra[name] = value
    return article
