"""One article as the documentation shows it, unknown keys aside (pure)."""

from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.articles import (
    FITS,
    Article,
    Count,
    Msgid,
    Parsed,
    SmallCount,
    is_storable,
    row_type,
)

_ODD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation)
"""What decoding raises where something is not as documented."""
_ITEM_LISTS, _ROW_LISTS = 1, 3
"""How deep in an answer its list of articles and their lists of rows are."""
_plain_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class DocumentedReader:
    """Reads by type, which is quick; what is odd is left to the lenient way."""

    def __init__(self, dataset: Dataset, publication_date: date, last_day: date) -> None:
        self._types = _types(dataset)
        self._publication_date = publication_date
        self._last_day = last_day
        self._has_drifted = False
        """Whether the last article had unknown keys: the next one is expected to."""

    def answer(self, body: bytes) -> Parsed | None:
        """What the answer says, or None if it is not exactly as documented."""
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

    def article(self, item: msgspec.Raw) -> Article | None:
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
        ):
            return None
        for name, fits in self._types.unchecked:
            if not all(fits(getattr(row, name)) for row in item.rows):
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


def _take_unknown(holders: list[dict[str, Any]], known: frozenset[str]) -> list[dict[str, Any]]:
    """
    Take each one's unknown keys out, and return those that are not null.

    A name with U+0000 stays where it is: only the lenient way can clean it.
    """
    names = {name for name in set().union(*holders) - known if "\0" not in name}
    return [
        {name: value for name in holder.keys() & names if (value := holder.pop(name)) is not None}
        for holder in holders
    ]


class _Types:
    """The dataset's documented types, and their decoders."""

    def __init__(self, dataset: Dataset) -> None:
        row = row_type(dataset)
        self.rows_key = dataset.rows_key
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
        self.row_keys = frozenset(row.__struct_encode_fields__)
        self.unchecked = [
            (metric.name, FITS[metric.kind][0])
            for metric in dataset.metrics
            if metric.kind is not Kind.COUNT
        ]
        """Metrics that decoding does not check."""


_types = cache(_Types)
