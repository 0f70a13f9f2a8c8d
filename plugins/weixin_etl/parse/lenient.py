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
    UnreadableAnswerError,
    as_int,
    is_storable,
    row_type,
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
        rows = item.get(rows_key)
        if rows is None:
            self.parsed.articles_without_list += 1
        elif isinstance(rows, list):
            for row in rows:
                self._row(article, row)
        else:  # it is listed, without a row
            self._reject(f"{rows_key} is not a list", item, item)
        self.parsed.add(article)

    def _why_not(self, item: Any, as_answered: Any) -> str | None:
        if not isinstance(item, dict):
            return "an article that is not an object"
        if item.get("ref_date") != self.publication_date.isoformat():
            return f"ref_date {item.get('ref_date')!r:.60} is not the day asked for"
        # cleaned, a number that takes a page to write is a text
        is_text = isinstance(as_answered.get("msgid", ""), str)
        if not is_text or not isinstance(item.get("msgid"), str) or not item["msgid"]:
            return f"msgid {item.get('msgid')!r:.60} is not a text"
        if len(item["msgid"]) > LONGEST_MSGID:
            return f"msgid {item['msgid']!r:.60} is longer than {LONGEST_MSGID} characters"
        return None

    def _row(self, article: Article, row: Any) -> None:
        item = {"msgid": article.msgid}
        if not isinstance(row, dict):
            self._reject("a row that is not an object", item, row)
            return
        if not row:
            self.parsed.empty_rows += 1
            return
        fields = _row_fields(self.dataset)
        known = {name: row[name] for name in row.keys() & fields}
        unknown = {name: row[name] for name in row.keys() - fields if row[name] is not None}
        reason = self._why_row_not(known)
        if reason:
            self._reject(reason, item, row)
            return
        counts = _count_fields(self.dataset)
        typed = msgspec.convert(
            {name: as_int(known[name]) if name in counts else known[name] for name in known},
            row_type(self.dataset),
        )
        twin = Article(article.msgid, rows={typed.stat_date: typed})
        if unknown:
            twin.row_extras[typed.stat_date] = unknown
        self.parsed.merged_rows += article.merge(twin)

    def _why_row_not(self, known: dict[str, Any]) -> str | None:
        """What keeps a row from being loaded, if anything; a whole number may be written as 3.0."""
        written = known.get("stat_date")
        try:
            stat_date = msgspec.convert(written, date)
        except msgspec.ValidationError:
            return f"stat_date {written!r:.60} is not a date"
        if stat_date < self.publication_date:
            return f"stat_date {stat_date} is before the publication day"
        if stat_date > self.last_day:
            return f"stat_date {stat_date} is later than {self.last_day}, the day before the answer"
        for metric in self.dataset.metrics:
            value = known.get(metric.name)
            fits, what = FITS[metric.kind]
            if not fits(value):
                shown = repr(value) if isinstance(value, str) else str(value)
                return f"{metric.name} {shown:.60} is not {what}"
        return None

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


@cache
def _count_fields(dataset: Dataset) -> frozenset[str]:
    return frozenset(metric.name for metric in dataset.metrics if metric.kind is Kind.COUNT)


def _fits_attribute(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return name not in _NUMBERS
    return name in _NUMBERS and type(value) is int and 0 <= value <= _NUMBERS[name]
