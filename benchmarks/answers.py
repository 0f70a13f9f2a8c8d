"""
Write files of made-up answers of getarticletotal, which are the same every time.

    python benchmarks/answers.py morning a_directory

There are three files. `first` has the first morning. `next` has the next morning, on which 15 % of
the rows are new or changed. `unchanged` has the bytes of `next` again, with a later fetch time. A
line is an answer: appid, publication day, fetch time and JSON, separated by tabs.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox.titles import title

METRICS = tuple(metric.name for metric in ARTICLE_TOTAL.metrics)
KEY = ("appid", "msgid", "stat_date")
COLUMNS = (*KEY, "publication_date", *METRICS)

SHAPES = {"small": 1, "morning": 100}
"""The number of accounts of each shape."""
FIRST_MORNING = datetime.fromisoformat("2026-11-24T10:30:00+08:00")
FETCHED_AT = {
    "first": FIRST_MORNING,
    "next": FIRST_MORNING + timedelta(days=1),
    "unchanged": FIRST_MORNING + timedelta(days=1, hours=2),
}
AGES = range(11, 4, -1)
"""The ages in days of the seven publication days on the first morning."""
ARTICLES = range(1, 9)
"""The positions of a publication day's articles."""
CORRECTED_ROWS = 0.14
"""The share of corrected rows of complete days: with the new rows, 15 % of the first morning."""
CORRECTED_FIGURES = 4
"""The number of changed figures in a corrected row."""


class Place(NamedTuple):
    """The place of an answer in a file, with its account, day and fetch time."""

    appid: str
    day: date
    fetched_at: datetime
    offset: int
    size: int

    def read(self, file: int) -> bytes:
        """Return the answer's body from the open file with this descriptor."""
        return os.pread(file, self.size, self.offset)


def places(path: Path) -> Iterator[Place]:
    """Yield the places of all answers of a file, in their order."""
    end = 0
    with path.open("rb") as lines:
        for text in lines:
            end += len(text)
            if text.strip():
                appid, day, at, body = text.rstrip(b"\n").split(b"\t", 3)
                offset = end - len(text) + text.index(body)
                days = date.fromisoformat(day.decode()), datetime.fromisoformat(at.decode())
                yield Place(appid.decode(), *days, offset, len(body))


def rows(path: Path) -> Iterator[tuple[str | int | None, ...]]:
    """Yield the rows of a file as tuples of `COLUMNS`."""
    with path.open("rb") as file:
        for answer in places(path):
            for article in json.loads(answer.read(file.fileno()))["list"]:
                for row in article["details"]:
                    key = (answer.appid, article["msgid"], row["stat_date"])
                    yield (*key, article["ref_date"], *(row.get(name) for name in METRICS))


def write(shape: str, directory: Path) -> dict[str, Path]:
    """Write the shape's files, and return their paths by the name of the load."""
    paths = {load: directory / f"{shape}-{load}.tsv" for load in FETCHED_AT}
    for load, path in paths.items():
        with path.open("wb") as file:
            file.writelines(_lines(SHAPES[shape], load))
    return paths


def _lines(accounts: int, load: str) -> Iterator[bytes]:
    """Yield the lines of a file: one answer per account and publication day."""
    fetched_at = FETCHED_AT[load]
    for number in range(accounts):
        appid = f"wx{0x5A4D80C70B1E0000 + number:016x}"
        for age in AGES:
            day = FIRST_MORNING.date() - timedelta(days=age)
            row_count = min(ARTICLE_TOTAL.window, age + (fetched_at - FIRST_MORNING).days)
            share = CORRECTED_ROWS if load != "first" and age >= ARTICLE_TOTAL.window else 0
            random = Random(f"{appid}{day}")
            articles = [
                _article(appid, day, position, [random.random() < share for _ in range(row_count)])
                for position in ARTICLES
            ]
            body = msgspec.json.encode({"list": articles})
            yield f"{appid}\t{day}\t{fetched_at.isoformat()}\t".encode() + body + b"\n"


def _article(appid: str, day: date, position: int, corrected: list[bool]) -> dict[str, object]:
    """Return an article with one row per element of `corrected`, changed where that is true."""
    message = 2_247_483_647 + day.toordinal() * 100
    random = Random(f"{appid}{message}{position}")
    headline = title(random)
    url = (
        f"http://mp.weixin.qq.com/s?__biz={appid[2:]}==&mid={message}&idx={position}"
        f"&sn={random.getrandbits(128):032x}&chksm={random.getrandbits(240):060x}#rd"
    )
    totals = [random.uniform(0, 40_000) * random.random() ** 3 for _ in METRICS]
    details = []
    for step, is_corrected in enumerate(corrected):
        figures = [int(total * (step + 1) / (step + 2)) for total in totals]
        for at in range(CORRECTED_FIGURES if is_corrected else 0):
            figures[at] += 1
        row = dict(zip(METRICS, figures, strict=True))
        details.append({"stat_date": str(day + timedelta(days=step)), **row})
    about = {"ref_date": str(day), "msgid": f"{message}_{position}"}
    return {**about, "title": headline, "content_url": url, "details": details}


if __name__ == "__main__":
    print(*write(sys.argv[1], Path(sys.argv[2])).values(), sep="\n")
