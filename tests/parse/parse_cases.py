"""Answers of `getarticletotal` in bytes, and what was read of them in plain values."""

import json
from datetime import date, datetime
from typing import Any

import msgspec

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse import Article, Parsed, parse

DAY = date(2026, 11, 17)
"""The publication day asked for."""
NEXT_DAY = date(2026, 11, 18)
FETCHED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=SHANGHAI)
"""When the answers came: rows may be of 17 to 23 November."""


def row(stat_date: Any = "2026-11-17", **metrics: Any) -> dict[str, Any]:
    """A row as WeChat writes it."""
    return {"stat_date": stat_date, **metrics}


def item(*rows: Any, **keys: Any) -> dict[str, Any]:
    """An article of the day asked for; `keys` add to it or replace its own."""
    return {"ref_date": "2026-11-17", "msgid": "100_1", "details": list(rows)} | keys


def body(*items: Any, **keys: Any) -> bytes:
    """An answer with these articles."""
    return json.dumps({"list": list(items), **keys}, ensure_ascii=False).encode()


def read(answer: bytes, fetched_at: datetime = FETCHED_AT) -> Parsed:
    """The answer, taken apart."""
    return parse(ARTICLE_TOTAL, answer, DAY, fetched_at)


def metrics(article: Article) -> dict[date, dict[str, int]]:
    """An article's metrics by stat_date, without those that are None."""
    return {
        stat_date: {
            metric: value
            for metric, value in msgspec.structs.asdict(known).items()
            if metric != "stat_date" and value is not None
        }
        for stat_date, known in article.rows.items()
    }
