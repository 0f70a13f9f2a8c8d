"""
Files of answers, which every contender loads, and what their rows are.

A line is an answer of getarticletotal: appid, publication day, fetch time, JSON; tab-separated.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from weixin_etl.datasets import ARTICLE_TOTAL

METRICS = tuple(metric.name for metric in ARTICLE_TOTAL.metrics)
KEY = ("appid", "msgid", "stat_date")
COLUMNS = (*KEY, "publication_date", *METRICS)
TABLE = "benchmark.article_total"
"""Where every contender but ours puts the rows."""

Value = str | int | None


class Line(NamedTuple):
    """A line of a file."""

    appid: str
    publication_date: str
    fetched_at: datetime
    body: bytes


def read(path: Path) -> Iterator[Line]:
    """The answers of a file, in its order."""
    with path.open("rb") as lines:
        for line in filter(bytes.strip, lines):
            appid, day, fetched_at, body = line.rstrip(b"\n").split(b"\t", 3)
            yield Line(
                appid.decode(), day.decode(), datetime.fromisoformat(fetched_at.decode()), body
            )


def rows(path: Path) -> Iterator[tuple[Value, ...]]:
    """The rows of a file as plainly as can be: `COLUMNS`."""
    for answer in read(path):
        for article in json.loads(answer.body)["list"]:
            for row in article["details"]:
                figures = [row.get(name) for name in METRICS]
                key = (answer.appid, article["msgid"], row["stat_date"])
                yield (*key, article["ref_date"], *figures)


def create_table(*more_columns: str) -> str:
    """The statements that create `TABLE` where it is missing."""
    columns = ", ".join(
        [
            "appid text, msgid text, stat_date date, publication_date date NOT NULL",
            *(f"{name} bigint" for name in METRICS),
            *more_columns,
            f"PRIMARY KEY ({', '.join(KEY)})",
        ]
    )
    schema = TABLE.split(".")[0]
    return f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE IF NOT EXISTS {TABLE} ({columns})"
