"""
Bytes to typed articles and rows (pure).

An answer that is exactly what the documentation shows is decoded at once by type. Any other is read
article by article: unknown keys are put aside and the rest is decoded by type. Only an odd article
(a value of another type, a row of another day, a text with U+0000) is taken apart value by value:
what does not fit is rejected with a reason, and the rest of its row is loaded.

An answer of a statistics day is read item by item, as one whose items have a list of one row.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS, Dataset, ItemKey, Kind, Rows
from weixin_etl.parse.articles import ATTRIBUTES, Article, Parsed, Rejected, Row, row_type
from weixin_etl.parse.values import (
    BIGINT_MAX,
    DEEPEST,
    FITS,
    LONGEST_MSGID,
    SMALLINT_MAX,
    Count,
    Msgid,
    SmallCount,
    as_number,
    is_storable,
    what_it_is,
)
from weixin_etl.text import storable

_ODD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation)
"""What decoding raises where something is not as documented."""
_ITEM_LISTS, _ROW_LISTS = 1, 3
"""How deep in an answer its list of articles and their lists of rows are."""
_NUMBERS = {"publish_type": SMALLINT_MAX, "user_source": BIGINT_MAX}
_MOST_REJECTED = 100_000
_TOO_DEEP = "the answer is nested too deeply"
_plain_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def day_before(fetched_at: datetime) -> date:
    """The last day an answer can have rows of: in Beijing, the one before it was fetched."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, publication_date: date, fetched_at: datetime) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    A row has to be of a day that can have been counted when the answer was fetched: from the day
    asked, `publication_date`, to the day before the answer, in Beijing. How many days an article's
    totals grow is not asked here: a row beyond the window is a row.

    It is `unreadable` if it is not a JSON object with a `list`, is nested too deeply, or more than
    100 000 parts of it do not fit.
    """
    reader = AnswerReader(dataset, publication_date, day_before(fetched_at))
    try:
        return reader.documented(body) or reader.by_items(body)
    except RecursionError:
        return Parsed(unreadable=_TOO_DEEP)
    except _UnreadableError as error:
        return Parsed(unreadable=str(error))


class _UnreadableError(Exception):
    """No items can be made out in the answer. `str()` says why."""


class _Answer(msgspec.Struct):
    items: list[msgspec.Raw] = msgspec.field(name="list")
    is_delay: msgspec.Raw = msgspec.Raw(b"null")


_answer_decoder = msgspec.json.Decoder(_Answer)


class AnswerReader:
    """Reads one answer."""

    def __init__(self, dataset: Dataset, publication_date: date, last_day: date) -> None:
        """Read nothing yet; rows end with `last_day`."""
        self._dataset = dataset
        self._types = _TYPES[dataset]
        self._publication_date = publication_date
        self._last_day = last_day
        self._has_drifted = False
        """Whether the last article had unknown keys: the next one is expected to."""
        self._parsed = Parsed()

    def documented(self, body: bytes) -> Parsed | None:
        """What the answer says, or None if it is not exactly as documented."""
        if self._types.answer is None:
            return None
        try:
            answer: Any = self._types.answer.decode(body)
        except _ODD:
            return None
        parsed = Parsed(is_delayed=answer.is_delay)
        for item in answer.list:
            article = self._article(item)
            if article is None:
                return None
            parsed.add(article)
        return parsed

    def by_items(self, body: bytes) -> Parsed:
        """What any answer says."""
        items: Sequence[Any]
        try:
            answer = _answer_decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            plain = _decoded(body)
            if not isinstance(plain, dict) or not isinstance(plain.get("list"), list):
                raise _UnreadableError(
                    "the answer has no list of articles"
                    if self._dataset.describes_articles
                    else "the answer has no list of items"
                ) from None
            items, is_delay = plain["list"], plain.get("is_delay")
        else:
            items, is_delay = answer.items, _decoded(answer.is_delay)
        self._parsed.is_delayed = str(is_delay).lower() in ("true", "1")
        for item in items:
            is_raw = isinstance(item, msgspec.Raw)
            if is_raw and self._types.answer and (article := self.by_type(item)):
                self._parsed.add(article)
            else:
                self.take_apart(_decoded(item) if is_raw else item)
        return self._parsed

    # --------------------------------------------------------------------------------- by type

    def by_type(self, item: msgspec.Raw) -> Article | None:
        """The article in an item of the answer's list, or None if more than its keys is odd."""
        if not self._has_drifted:
            try:
                return self._article(self._types.item.decode(item))
            except _ODD:
                pass
        try:
            return self._drifted(_plain_decoder.decode(item))
        except _ODD:
            return None

    def _article(self, item: Any) -> Article | None:
        first, last = self._publication_date, self._last_day
        rows = {row.stat_date: row for row in item.rows if first <= row.stat_date <= last}
        if (
            item.ref_date != first
            or len(rows) != len(item.rows)  # repeated, or out of range
            or "\0" in f"{item.msgid}{item.title}{item.url}{item.content_url}"
            or not self._types.fit(item.rows)
        ):
            return None
        return Article(
            item.msgid,
            title=item.title,
            url=item.url,
            content_url=item.content_url,
            publish_type=item.publish_type,
            user_source=item.user_source,
            rows=rows,
        )

    def _drifted(self, item: dict[str, Any]) -> Article | None:
        """The article of an item that is as documented once its unknown keys are taken out."""
        rows = item.get(self._types.rows_key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return None
        extra = _take_unknown([item], self._types.item_keys)
        row_extras = _take_unknown(rows, self._types.row_keys)
        article = self._article(msgspec.convert(item, self._types.item_type))
        if not (is_storable(extra, _ITEM_LISTS) and is_storable(row_extras, _ROW_LISTS)):
            return None
        if article:
            (article.extra,) = extra
            by_date = zip(article.rows, row_extras, strict=True)
            article.row_extras = {stat_date: unknown for stat_date, unknown in by_date if unknown}
            self._has_drifted = bool(article.extra or article.row_extras)
        return article

    # --------------------------------------------------------------------------- value by value

    def take_apart(self, as_answered: Any) -> None:
        """Take an item of the list, which should be an article, value by value."""
        rows_key, key = self._types.rows_key, self._dataset.item
        is_one_row = self._dataset.rows_in is not Rows.LIST
        if is_one_row and isinstance(as_answered, dict):
            with_list = self._with_list(as_answered)
            is_one_row, as_answered = with_list is as_answered, with_list
        rows: Any = as_answered.get(rows_key) if isinstance(as_answered, dict) else None
        # most of them are as documented: clean as they are
        has_rows = isinstance(rows, list) and not is_one_row
        if has_rows:
            as_answered = {name: it for name, it in as_answered.items() if name != rows_key}
        item = self._clean(as_answered, 2)
        if not isinstance(item, dict):
            self._reject(
                "an article that is not an object"
                if self._dataset.describes_articles
                else "an item that is not an object",
                item,
            )
            return
        name, why_unnamed = _named(key, item, as_answered)
        if reason := self._why_another_day(item.get("ref_date")) or why_unnamed:
            whole = {**item, rows_key: self._clean(rows, 3)} if has_rows else item
            self._reject(reason, whole, None if why_unnamed else name)
            return
        article = Article(name)
        for attribute, value in item.items():
            if attribute in ATTRIBUTES and _fits_attribute(attribute, value):
                setattr(article, attribute, value)
            elif attribute not in ("ref_date", key and key.name, rows_key) and value is not None:
                article.extra[attribute] = value
        if has_rows:
            for row in rows:
                self._row(article, row)
        elif rows is None and not is_one_row:
            self._parsed.articles_without_list += 1
        else:  # it is listed, without a row
            what = self._dataset.rows_in.value
            self._reject(f"{rows_key} is {what_it_is(rows)}, not {what}", item, article.msgid)
        self._parsed.add(article)

    def _with_list(self, item: dict[str, Any]) -> dict[str, Any]:
        """
        The item of a statistics day as one with a list of rows: the row of its `ref_date`.

        What the item has beside its row belongs to the row: the fact has no other place for it. An
        item whose row is not where it should be stays as it is.
        """
        key, rows_key = self._dataset.item, self._types.rows_key
        named = {"ref_date", *([key.name] if key else [])}
        head = {name: it for name, it in item.items() if name in named}
        row = {
            name: it
            for name, it in item.items()
            if name not in {*named, rows_key, *self._dataset.meaningless}
        }
        if self._dataset.rows_in is Rows.OBJECT:
            inner = item.get(rows_key)
            if not isinstance(inner, dict):
                return item
            row |= inner
        row["stat_date"] = row.get("stat_date") or item.get("ref_date")
        return {**head, rows_key: [row]}

    def _why_another_day(self, ref_date: Any) -> str | None:
        if ref_date == self._publication_date.isoformat():
            return None
        if _as_date(ref_date):
            return "ref_date is another day than the one asked for"
        return f"ref_date is {what_it_is(ref_date)}, not the day asked for"

    def _row(self, article: Article, as_answered: Any) -> None:
        typed = self._documented(as_answered)
        row = self._clean(as_answered, 4) if typed is None else as_answered
        if not isinstance(row, dict):
            self._reject("a row that is not an object", row, article.msgid)
            return
        if not row:
            self._parsed.empty_rows += 1
            return
        stat_date = _as_date(row.get("stat_date"))
        if reason := self._why_no_day(row.get("stat_date"), stat_date):
            self._reject(reason, row, article.msgid, stat_date)
            return
        is_of_day = not self._dataset.describes_articles
        if is_of_day and all(row.get(name) is None for name in self._types.checks):
            self._reject("a row without a figure", row, article.msgid, stat_date)
            return
        typed = typed or self._value_by_value(article, row, stat_date)
        names = row.keys() - self._types.row_keys
        unknown = {name: row[name] for name in names if row[name] is not None}
        self._parsed.merged_rows += typed.stat_date in article.rows
        article.merge_row(typed, unknown)

    def _documented(self, row: Any) -> Row | None:
        """The row by type, which is quick, if nothing of it is odd or unknown."""
        if not isinstance(row, dict) or not row.keys() <= self._types.row_keys:
            return None
        try:
            typed = msgspec.convert(row, row_type(self._dataset))
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: a lone surrogate
            return None
        return typed if self._types.fit([typed]) else None

    def _value_by_value(self, article: Article, row: dict[str, Any], stat_date: date | None) -> Row:
        values: dict[str, Any] = {"stat_date": stat_date}
        for metric in self._dataset.metrics:
            written = row.get(metric.name)
            if written is None:
                continue
            value = written if type(written) is int else as_number(metric.kind, written)
            fits, what = self._types.checks[metric.name]
            if fits(value):
                values[metric.name] = value
                self._parsed.numbers_in_texts += isinstance(written, str)
            else:
                reason = f"{metric.name} is {what_it_is(written)}, not {what}"
                self._reject(reason, written, article.msgid, stat_date, metric.name)
        return msgspec.convert(values, row_type(self._dataset))

    def _why_no_day(self, written: Any, stat_date: date | None) -> str | None:
        """What keeps a whole row from being loaded, if anything."""
        if stat_date is None:
            return f"stat_date is {what_it_is(written)}, not a date"
        if stat_date != self._publication_date and not self._dataset.describes_articles:
            return "stat_date is another day than the one asked for"
        if stat_date < self._publication_date:
            return "stat_date is before the publication day"
        if stat_date > self._last_day:
            return "stat_date is later than the day before the answer"
        return None

    def _reject(
        self,
        reason: str,
        payload: Any,
        msgid: str | None = None,
        stat_date: date | None = None,
        metric: str | None = None,
    ) -> None:
        if len(self._parsed.rejected) == _MOST_REJECTED:
            raise _UnreadableError(
                f"more than {_MOST_REJECTED} parts of the answer do not fit, the first because of "
                f"{self._parsed.rejected[0].reason}"
            )
        self._parsed.rejected.append(
            Rejected(reason, json_text.encode(payload), msgid, stat_date, metric)
        )

    def _clean(self, value: Any, depth: int) -> Any:
        """The same value without what Postgres cannot hold: U+0000, lone surrogates, infinity."""
        if value is None or type(value) is int:
            return value
        if isinstance(value, str):
            if value.isascii() and "\0" not in value:
                return value
            self._parsed.stripped_nuls += value.count("\0")
            return storable(value)
        if isinstance(value, list | dict) and depth == DEEPEST:
            raise _UnreadableError(_TOO_DEEP)
        depth += 1
        if isinstance(value, list):
            return [self._clean(element, depth) for element in value]
        if isinstance(value, dict):
            known = self._types.row_keys
            # a cleaned name never replaces a key that has this name already
            return {
                cleaned: element if type(element) is int else self._clean(element, depth)
                for name, element in value.items()
                if (cleaned := name if name in known else self._clean(name, depth)) == name
                or cleaned not in value
            }
        if not is_storable(value):
            return str(value)  # NaN, Infinity, or a number that takes a page to write
        return value


def _decoded(text: bytes | msgspec.Raw) -> Any:
    """
    An answer or a part of one.

    Raises:
        _UnreadableError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return json_text.decode(text)
    except ValueError:
        raise _UnreadableError("the answer is not JSON") from None


def _take_unknown(holders: list[dict[str, Any]], known: frozenset[str]) -> list[dict[str, Any]]:
    """
    Take each one's unknown keys out, and return those that are not null.

    A name with U+0000 stays where it is: only value by value it can be cleaned.
    """
    names = {name for name in set().union(*holders) - known if "\0" not in name}
    return [
        {name: value for name in holder.keys() & names if (value := holder.pop(name)) is not None}
        for holder in holders
    ]


def _as_date(written: Any) -> date | None:
    """The day a text names as WeChat writes it; None when it names none."""
    try:
        return msgspec.convert(written, date)
    except msgspec.ValidationError:
        return None


def _named(
    key: ItemKey | None, item: dict[str, Any], as_answered: dict[str, Any]
) -> tuple[str, str | None]:
    """What tells an item from the others of its day, as a text; and why it can't be told, if so."""
    if key is None:
        return "", None
    written = item.get(key.name)
    if key.is_number:
        number = as_number(Kind.COUNT, written)
        fits, what = FITS[Kind.COUNT]
        if not fits(number):
            return "", f"{key.name} is {what_it_is(written)}, not {what}"
        return str(number), None
    # cleaned, a number that takes a page to write is a text
    if not isinstance(as_answered.get(key.name, ""), str):
        written = as_answered[key.name]
    if not isinstance(written, str):
        return "", f"{key.name} is {what_it_is(written)}, not a text"
    if not 0 < len(written) <= LONGEST_MSGID:
        return "", f"{key.name} is a text of none or more than {LONGEST_MSGID} characters"
    return written, None


def _fits_attribute(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return name not in _NUMBERS
    return name in _NUMBERS and type(value) is int and 0 <= value <= _NUMBERS[name]


class _Types:
    """The dataset's documented types, and their decoders."""

    def __init__(self, dataset: Dataset) -> None:
        row = row_type(dataset)
        self.rows_key = dataset.rows_key or "rows"
        self.row_keys = frozenset(row.__struct_encode_fields__)
        self.checks = {metric.name: FITS[metric.kind] for metric in dataset.metrics}
        self.unchecked = [
            (metric.name, self.checks[metric.name][0])
            for metric in dataset.metrics
            if metric.kind is not Kind.COUNT
        ]
        """Metrics that decoding does not check."""
        self.answer: msgspec.json.Decoder[Any] | None = None
        """None where no item is decoded by type."""
        if dataset.rows_in is not Rows.LIST:
            return
        self.item_type = msgspec.defstruct(
            "Item",
            [
                ("ref_date", date),
                ("msgid", Msgid),
                *((name, str | None, None) for name in ("title", "url", "content_url")),
                ("publish_type", SmallCount, None),
                ("user_source", Count, None),
                ("rows", list[row]),  # type: ignore[valid-type] # built at run time
            ],
            rename={"rows": dataset.rows_key},
            kw_only=True,
            forbid_unknown_fields=True,
        )
        answer = msgspec.defstruct(
            "Answer",
            [("list", list[self.item_type]), ("is_delay", bool, False)],  # type: ignore[name-defined] # as above
        )
        self.answer = msgspec.json.Decoder(answer, float_hook=Decimal)
        self.item = msgspec.json.Decoder(self.item_type, float_hook=Decimal)
        self.item_keys = frozenset(self.item_type.__struct_encode_fields__)

    def fit(self, rows: Iterable[Row]) -> bool:
        """Whether what decoding does not check is as documented."""
        return all(fits(getattr(row, name)) for name, fits in self.unchecked for row in rows)


_TYPES = {dataset: _Types(dataset) for dataset in DATASETS.values()}
"""Made before there are threads: see `threads.convert`."""
