"""
Bytes to typed articles and rows (pure).

An answer that is exactly as documented is decoded at once by type. Any other is read row by row:
each row is converted by type. Only a row that can't be is read value by value: what does not fit is
rejected, the rest of the row is loaded.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS, Dataset, ItemKey, Kind, Rows
from weixin_etl.parse import values
from weixin_etl.parse.articles import Article, Parsed, Rejected

_MOST_REJECTED = 100_000


def day_before(fetched_at: datetime) -> date:
    """The last day an answer can have rows of: in Beijing, the one before it was fetched."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, day: date, fetched_at: datetime) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    A row is of a day that can have been counted when the answer was fetched: from the day asked to
    the day before the answer, in Beijing; of a statistics day, of the day asked.

    It is `unreadable` if it is not a JSON object with a `list`, is nested too deeply, or more than
    100 000 parts of it do not fit.
    """
    last_day = day_before(fetched_at)
    if not dataset.describes_articles:
        last_day = min(day, last_day)
    try:
        by_type = documented(dataset, body, day, last_day)
        return by_type or RowByRow(dataset, day, last_day).read(body)
    except RecursionError:
        return Parsed(unreadable="the answer is nested too deeply")


def _decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    rows: Any = list[values.row_type(dataset)]  # type: ignore[misc] # built at run time
    item: Any = msgspec.defstruct(
        "Item",
        [
            *(("ref_date", date), ("msgid", values.Msgid), (dataset.rows_key, rows)),
            *((name, form, None) for name, form in values.ATTRIBUTES.items()),
            (values.UNDOCUMENTED, values.Count, None),
        ],
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
        written = getattr(item, dataset.rows_key)
        rows = {row.stat_date: row for row in written if day <= row.stat_date <= last_day}
        if item.ref_date != day or len(rows) != len(written):  # repeated, or out of range
            return None
        attributes = {name: getattr(item, name) for name in values.ATTRIBUTES}
        seen = getattr(item, values.UNDOCUMENTED)
        extra = {} if seen is None else {values.UNDOCUMENTED: seen}
        parsed.add(Article(item.msgid, **attributes, extra=extra, rows=rows))
    return parsed


class RowByRow:
    """Reads one answer, whatever it holds; its rows end with `last_day`."""

    def __init__(self, dataset: Dataset, day: date, last_day: date) -> None:
        self._dataset, self._day, self._last_day = dataset, day, last_day
        key = [dataset.item.name] if dataset.item else []
        self._item_keys = {"ref_date", *key, *dataset.meaningless}
        self._row_type = values.row_type(dataset)
        self._parsed = Parsed()

    def read(self, body: bytes) -> Parsed:
        """What the answer says."""
        try:
            answer = json_text.decode(body)
        except ValueError:
            return Parsed(unreadable="the answer is not JSON")
        items = answer.get("list") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            return Parsed(unreadable="the answer has no list")
        self._parsed.is_delayed = str(answer.get("is_delay")).lower() in ("true", "1")
        for item in items:
            self._item(item)
            if len(rejected := self._parsed.rejected) > _MOST_REJECTED:
                return Parsed(
                    unreadable=f"more than {_MOST_REJECTED} parts of the answer do not fit, "
                    f"the first because of {rejected[0].reason}"
                )
        return self._parsed

    def _item(self, item: Any) -> None:
        if not isinstance(item, dict):
            self._reject("an item that is not an object", item)
            return
        msgid, why_unnamed = _named(self._dataset.item, item)
        if why_unnamed:
            self._reject(why_unnamed, item)
        elif item.get("ref_date") != self._day.isoformat():
            self._reject("ref_date is not the day asked for", item, msgid)
        else:
            self._parsed.add(self._article(msgid, item))

    def _article(self, msgid: str, item: dict[str, Any]) -> Article:
        """The item's article; what a statistics day's has beside its row belongs to the row."""
        key, is_list = self._dataset.rows_key, self._dataset.rows_in is Rows.LIST
        rest = {name: value for name, value in item.items() if name not in self._item_keys}
        rows = rest.pop(key, None)
        article = _described(msgid, rest if is_list else {})
        if not is_list and isinstance(rows, dict | None):
            row = rest | (rows or {})
            rows = [row | {"stat_date": row.get("stat_date") or item["ref_date"]}]
        elif not is_list or not isinstance(rows, list | None):
            self._reject(values.misfit(key, rows, self._dataset.rows_in.value), item, msgid)
            rows = []  # it is listed, without a row
        for row in rows or []:
            self._row(article, row)
        return article

    def _row(self, article: Article, row: Any) -> None:
        if row == {}:
            return
        reason, stat_date = self._day_of(row)
        if reason:
            self._reject(reason, row, article.msgid, stat_date)
            return
        names = row.keys() - self._row_type.__struct_fields__
        unknown = {name: value for name in names if (value := row.pop(name)) is not None}
        try:
            typed = msgspec.convert(row, self._row_type)
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: a lone surrogate
            typed = self._value_by_value(article.msgid, row, stat_date)
        article.merge_row(typed, json_text.clean(unknown))

    def _day_of(self, row: Any) -> tuple[str, date | None]:
        """What keeps the whole of a row from being loaded, if anything, and its day."""
        if not isinstance(row, dict):
            return "a row that is not an object", None
        try:
            stat_date = msgspec.convert(row.get("stat_date"), date)
        except (msgspec.ValidationError, UnicodeEncodeError):
            return values.misfit("stat_date", row.get("stat_date"), "a date"), None
        if not self._day <= stat_date <= self._last_day:
            return "stat_date is no day that the answer can have a row of", stat_date
        figures = (row.get(metric.name) for metric in self._dataset.metrics)
        may_be_empty = self._dataset.describes_articles or any(it is not None for it in figures)
        return "" if may_be_empty else "a row without a figure", stat_date

    def _value_by_value(
        self, msgid: str, row: dict[str, Any], stat_date: date | None
    ) -> values.Row:
        known: dict[str, Any] = {"stat_date": stat_date}
        for metric in self._dataset.metrics:
            written = json_text.clean(row.get(metric.name))
            value = values.as_number(metric.kind, written)
            if values.fits(metric.kind, value):
                known[metric.name] = value
            else:
                reason = values.misfit(metric.name, written, values.WHAT[metric.kind])
                self._reject(reason, written, msgid, stat_date)
        return self._row_type(**known)

    def _reject(
        self, reason: str, payload: Any, msgid: str | None = None, stat_date: date | None = None
    ) -> None:
        text = json_text.encode(json_text.clean(payload))
        self._parsed.rejected.append(Rejected(reason, text, msgid, stat_date))


def _named(key: ItemKey | None, item: dict[str, Any]) -> tuple[str, str]:
    """What tells an item from the others of its day, as a text; and why it can't be told, if so."""
    if key is None:
        return "", ""
    written = item.get(key.name)
    if key.is_number:
        number, what = values.as_number(Kind.COUNT, written), values.WHAT[Kind.COUNT]
        name = str(number) if number is not None and values.fits(Kind.COUNT, number) else ""
    else:
        name, what = json_text.clean(written) if isinstance(written, str) else "", values.A_MSGID
    is_name = 0 < len(name) <= values.LONGEST_MSGID
    return (name, "") if is_name else ("", values.misfit(key.name, written, what))


def _described(msgid: str, attributes: dict[str, Any]) -> Article:
    """An article without its rows; an attribute of another type is unknown."""
    article = Article(msgid)
    for name, value in json_text.clean(attributes).items():
        is_small = type(value) is int and 0 <= value <= values.SMALLINT_MAX
        fits = is_small if name == "publish_type" else isinstance(value, str)
        if name in values.ATTRIBUTES and fits:
            setattr(article, name, value)
        elif value is not None:
            article.extra[name] = value
    return article
