"""
A file of answers, and what loading it took: what the load and its limit share.

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

Load = Callable[[], int]
"""Loads the rows of a file of answers; how many there were."""


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


def rows(path: Path) -> Iterator[tuple[str | int | None, ...]]:
    """The rows of a file as plainly as can be: `COLUMNS`."""
    for answer in read(path):
        for article in json.loads(answer.body)["list"]:
            for row in article["details"]:
                key = (answer.appid, article["msgid"], row["stat_date"])
                yield (*key, article["ref_date"], *(row.get(name) for name in METRICS))


def options(description: str = "") -> argparse.ArgumentParser:
    """Which file is loaded into which database."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--answers", type=Path, help="load this file")
    parser.add_argument("--url", help="into this database")
    return parser


def tell(load: Load) -> None:
    """Load and print a line: seconds, rows, and the memory of the whole process."""
    began_at = time.perf_counter()
    row_count = load()
    seconds = time.perf_counter() - began_at
    # ru_maxrss would count the process this one was forked from
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1000
    print(f"seconds={seconds:.3f} rows={row_count} peak_mb={peak_mb:.0f}")
