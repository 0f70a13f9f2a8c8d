"""An answer that is not exactly the documented one, item by item and value by value (pure)."""

from datetime import date
from functools import cache
from typing import Any

import msgspec

from weixin_etl import json_text
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.articles import (
    ATTRIBUTES,
    BIGINT_MAX,
    DEEPEST,
    FITS,
    LONGEST_MSGID,
    SMALLINT_MAX,
    Article,
    Parsed,
    Rejected,
    Row,
    UnreadableAnswerError,
    as_int,
    as_number,
    is_storable,
    row_type,
    what_it_is,
)

_NUMBERS = {"publish_type": SMALLINT_MAX, "user_source": BIGINT_MAX}
_MOST_REJECTED = 100_000
_TOO_DEEP = "the answer is nested too deeply"


def take_apart(dataset: Dataset, body: bytes, publication_date: date, last_day: date) -> Parsed:
    """
    Reject what does not fit with a reason, and keep the rest; rows end with `last_day`.

    Raises:
        UnreadableAnswerError: it is not a JSON object with a `list`, is nested too deeply, or
            more than 100 000 parts of it do not fit.

    """
    try:
        answer = decoded(body)
        if not isinstance(answer, dict) or not isinstance(answer.get("list"), list):
            raise UnreadableAnswerError("the answer has no list of articles")
        lenient = TakeApart(dataset, publication_date, last_day)
        lenient.is_delay(answer.get("is_delay"))
        for item in answer["list"]:
            lenient.item(item)
    except RecursionError:
        raise UnreadableAnswerError(_TOO_DEEP) from None
    return lenient.parsed


def decoded(text: bytes | msgspec.Raw) -> Any:
    """
    An answer or a part of one.

    Raises:
        UnreadableAnswerError: it is not JSON.
        RecursionError: it is nested too deeply.

    """
    try:
        return json_text.decode(text)
    except ValueError:
        raise UnreadableAnswerError("the answer is not JSON") from None


class TakeApart:
    """One pass over an answer's parts, as decoded; `parsed` is what they say."""

    def __init__(self, dataset: Dataset, publication_date: date, last_day: date) -> None:
        self.dataset = dataset
        self.publication_date = publication_date
        self.last_day = last_day
        self.parsed = Parsed()

    def is_delay(self, written: Any) -> None:
        """Take the key beside the list, a boolean or a text."""
        self.parsed.is_delayed = str(written).lower() in ("true", "1")

    def item(self, as_answered: Any) -> None:
        """Take an item of the list, which should be an article."""
        item = self._clean(as_answered, 2)
        if not isinstance(item, dict):
            self._reject("an article that is not an object", item)
            return
        # cleaned, a number that takes a page to write is a text
        is_text = isinstance(as_answered.get("msgid", ""), str)
        why_unnamed = _why_no_msgid(item.get("msgid") if is_text else as_answered["msgid"])
        if reason := self._why_another_day(item.get("ref_date")) or why_unnamed:
            self._reject(reason, item, None if why_unnamed else item["msgid"])
            return
        article = Article(item["msgid"])
        rows_key = self.dataset.rows_key
        for name, value in item.items():
            if name in ATTRIBUTES and _fits_attribute(name, value):
                setattr(article, name, value)
            elif name not in ("ref_date", "msgid", rows_key) and value is not None:
                article.extra[name] = value
        rows = item.get(rows_key)
        if rows is None:
            self.parsed.articles_without_list += 1
        elif isinstance(rows, list):
            for row in rows:
                self._row(article, row)
        else:  # it is listed, without a row
            self._reject(f"{rows_key} is {what_it_is(rows)}, not a list", item, article.msgid)
        self.parsed.add(article)

    def _why_another_day(self, ref_date: Any) -> str | None:
        if ref_date == self.publication_date.isoformat():
            return None
        if _as_date(ref_date):
            return "ref_date is another day than the one asked for"
        return f"ref_date is {what_it_is(ref_date)}, not the day asked for"

    def _row(self, article: Article, row: Any) -> None:
        if not isinstance(row, dict):
            self._reject("a row that is not an object", row, article.msgid)
            return
        if not row:
            self.parsed.empty_rows += 1
            return
        stat_date = _as_date(row.get("stat_date"))
        if reason := self._why_no_day(row.get("stat_date"), stat_date):
            self._reject(reason, row, article.msgid, stat_date)
            return
        typed = self._documented(row) or self._value_by_value(article, row, stat_date)
        twin = Article(article.msgid, rows={typed.stat_date: typed})
        fields = _row_fields(self.dataset)
        unknown = {name: row[name] for name in row.keys() - fields if row[name] is not None}
        if unknown:
            twin.row_extras[typed.stat_date] = unknown
        self.parsed.merged_rows += article.merge(twin)

    def _documented(self, row: dict[str, Any]) -> Row | None:
        """The row by type, which is quick, if nothing of it is odd."""
        try:
            typed = msgspec.convert(row, row_type(self.dataset))
        except msgspec.ValidationError:
            return None
        odd = [
            metric.name
            for metric in self.dataset.metrics
            if metric.kind is not Kind.COUNT and not FITS[metric.kind][0](row.get(metric.name))
        ]
        return None if odd else typed

    def _value_by_value(self, article: Article, row: dict[str, Any], stat_date: date | None) -> Row:
        values: dict[str, Any] = {"stat_date": stat_date}
        for metric in self.dataset.metrics:
            written = row.get(metric.name)
            value = as_number(metric.kind, written)
            fits, what = FITS[metric.kind]
            if fits(value):
                values[metric.name] = as_int(value) if metric.kind is Kind.COUNT else value
                self.parsed.numbers_in_texts += value is not written
            else:
                reason = f"{metric.name} is {what_it_is(written)}, not {what}"
                self._reject(reason, written, article.msgid, stat_date, metric.name)
        return msgspec.convert(values, row_type(self.dataset))

    def _why_no_day(self, written: Any, stat_date: date | None) -> str | None:
        """What keeps a whole row from being loaded, if anything."""
        if stat_date is None:
            return f"stat_date is {what_it_is(written)}, not a date"
        if stat_date < self.publication_date:
            return "stat_date is before the publication day"
        if stat_date > self.last_day:
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
        if len(self.parsed.rejected) == _MOST_REJECTED:
            raise UnreadableAnswerError(
                f"more than {_MOST_REJECTED} parts of the answer do not fit, the first because of "
                f"{self.parsed.rejected[0].reason}"
            )
        self.parsed.rejected.append(
            Rejected(reason, json_text.encode(payload), msgid, stat_date, metric)
        )

    def _clean(self, value: Any, depth: int) -> Any:
        """The same value without what Postgres cannot hold: U+0000, lone surrogates, infinity."""
        if value is None or type(value) is int:
            return value
        if isinstance(value, str):
            if value.isascii() and "\0" not in value:
                return value
            self.parsed.stripped_nuls += value.count("\0")
            return json_text.storable(value)
        if isinstance(value, list | dict) and depth == DEEPEST:
            raise UnreadableAnswerError(_TOO_DEEP)
        depth += 1
        if isinstance(value, list):
            return [self._clean(element, depth) for element in value]
        if isinstance(value, dict):
            # a cleaned name never replaces a key that has this name already
            return {
                cleaned: self._clean(element, depth)
                for name, element in value.items()
                if (cleaned := self._clean(name, depth)) == name or cleaned not in value
            }
        if isinstance(value, float) or not is_storable(value):
            return str(value)  # NaN, Infinity, or a number that takes a page to write
        return value


@cache
def _row_fields(dataset: Dataset) -> frozenset[str]:
    return frozenset(row_type(dataset).__struct_fields__)


def _as_date(written: Any) -> date | None:
    """The day a text names as WeChat writes it; None when it names none."""
    try:
        return msgspec.convert(written, date)
    except msgspec.ValidationError:
        return None


def _why_no_msgid(written: Any) -> str | None:
    if not isinstance(written, str):
        return f"msgid is {what_it_is(written)}, not a text"
    if not 0 < len(written) <= LONGEST_MSGID:
        return f"msgid is a text of none or more than {LONGEST_MSGID} characters"
    return None


def _fits_attribute(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return name not in _NUMBERS
    return name in _NUMBERS and type(value) is int and 0 <= value <= _NUMBERS[name]
