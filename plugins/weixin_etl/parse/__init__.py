"""
Bytes to typed articles and rows (pure).

An answer that is exactly what the documentation shows is decoded by one typed decoder. Any other
(unknown keys, odd values, repeated articles, control characters) is taken apart item by item: what
does not fit is rejected with a reason, and the remaining rows are loaded.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from weixin_etl import clock
from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.articles import FITS, Article, Count, Msgid, Parsed, SmallCount, row_type
from weixin_etl.parse.lenient import take_apart


def parse(dataset: Dataset, body: bytes, publication_date: date, fetched_at: datetime) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    A row has to be of a day that can have been counted when the answer was fetched: from the
    publication day to the day before the answer, in Beijing. How many days an article's totals
    grow is not asked here: a row beyond the window is a row.

    Raises:
        UnreadableAnswerError: it is not a JSON object with a `list`, is nested too deeply, or
            more than 100 000 parts of it do not fit.

    """
    last_day = clock.beijing_date(fetched_at) - timedelta(days=1)
    parsed = _parse_documented(dataset, body, publication_date, last_day)
    if parsed is not None:
        return parsed
    return take_apart(dataset, body, publication_date, last_day)


@cache
def _documented_decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    item = msgspec.defstruct(
        "Item",
        [
            ("ref_date", date),
            ("msgid", Msgid),
            *((name, str | None, None) for name in ("title", "url", "content_url")),
            ("publish_type", SmallCount, None),
            ("user_source", Count, None),
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


def _parse_documented(
    dataset: Dataset, body: bytes, publication_date: date, last_day: date
) -> Parsed | None:
    try:
        answer = _documented_decoder(dataset).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation):
        return None
    parsed = Parsed(is_delayed=answer.is_delay)
    unchecked = [metric for metric in dataset.metrics if metric.kind is not Kind.COUNT]
    for item in answer.list:
        rows = {row.stat_date: row for row in item.rows}
        is_plain = item.ref_date == publication_date and len(rows) == len(item.rows)
        is_plain &= not rows or (min(rows) >= publication_date and max(rows) <= last_day)
        is_plain &= "\0" not in f"{item.msgid}{item.title}{item.url}{item.content_url}"
        is_plain &= all(
            FITS[metric.kind][0](getattr(row, metric.name))
            for metric in unchecked
            for row in item.rows
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
