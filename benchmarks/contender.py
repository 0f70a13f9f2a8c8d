"""
What every contender is: a program that loads a file of answers and prints what that took.

A line of a file is an answer of getarticletotal: appid, publication day, fetch time, JSON;
tab-separated.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
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
        yield from filter(None, map(line_of, lines))


def line_of(text: bytes) -> Line | None:
    """A line as it is written; None if it is empty."""
    if not text.strip():
        return None
    appid, day, fetched_at, body = text.rstrip(b"\n").split(b"\t", 3)
    at = datetime.fromisoformat(fetched_at.decode())
    return Line(appid.decode(), day.decode(), at, body)


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


Load = Callable[[], int]
"""Loads the rows of a file of answers; how many there were."""
Prepare = Callable[[Path, str], Load]
"""Connects to the database of the URL and creates what is missing there: not counted."""


def main(prepare: Prepare) -> None:
    """A contender's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    contend(prepare, options.answers, options.url)


def contend(prepare: Prepare, answers: Path, url: str) -> None:
    """Load the file and print a line: seconds, rows, and the memory of the whole process."""
    load = prepare(answers, url)
    began_at = time.perf_counter()
    rows = load()
    seconds = time.perf_counter() - began_at
    print(f"seconds={seconds:.3f} rows={rows} peak_mb={peak_mb():.0f}")


def peak_mb() -> float:
    """The most memory this process has had."""
    # ru_maxrss would count the process this one was forked from
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000
