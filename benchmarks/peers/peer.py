"""What the peers share: the rows of a file by the quickest plain means."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from contender import METRICS, read

_Row = msgspec.defstruct(
    "_Row", [("stat_date", date), *((name, int | None, None) for name in METRICS)], gc=False
)


class _Article(msgspec.Struct):
    ref_date: date
    msgid: str
    details: list[_Row]  # type: ignore[valid-type] # built at run time


class _Answer(msgspec.Struct):
    articles: list[_Article] = msgspec.field(name="list")


def flat(answers: Path) -> Iterator[tuple[Any, ...]]:
    """The file's rows, as `COLUMNS`."""
    decode = msgspec.json.Decoder(_Answer).decode
    for answer in read(answers):
        for article in decode(answer.body).articles:
            for row in article.details:
                stat_date, *figures = msgspec.structs.astuple(row)
                yield answer.appid, article.msgid, stat_date, article.ref_date, *figures
