"""
Bytes to typed articles and rows (pure).

An answer that is exactly what the documentation shows is decoded by one typed decoder. Anything
else (unknown keys, odd values, repeated articles, control characters) is taken apart item by item,
so that what does not fit is set aside with a reason and its neighbours go on.
"""

from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

import msgspec

from weixin_etl.datasets import Dataset, Kind
from weixin_etl.parse.articles import Article, Parsed, row_type
from weixin_etl.parse.figures import FITS, Count, SmallCount
from weixin_etl.parse.lenient import LONGEST_MSGID, take_apart

_Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MSGID)]


def parse(dataset: Dataset, body: bytes, publication_date: date) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    Raises:
        UnreadableAnswerError: it is not a JSON object with a `list`, is nested too deeply, or
            more than 100 000 parts of it do not fit.

    """
    parsed = _parse_documented(dataset, body, publication_date)
    return parsed if parsed is not None else take_apart(dataset, body, publication_date)


@cache
def _documented_decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    item = msgspec.defstruct(
        "Item",
        [
            ("ref_date", date),
            ("msgid", _Msgid),
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
