"""
Files of answers of getarticletotal, made up and the same ones every time.

    python benchmarks/answers.py morning a_directory

Writes three files: the `first` morning, the `next` one, on which 15 % as many rows are new or
changed, and that one's bytes again, fetched later (`unchanged`). A line is an answer: appid,
publication day, fetch time, JSON; tab-separated.
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
"""How many accounts a morning has."""
FIRST_MORNING = datetime.fromisoformat("2026-11-24T10:30:00+08:00")
FETCHED_AT = {
    "first": FIRST_MORNING,
    "next": FIRST_MORNING + timedelta(days=1),
    "unchanged": FIRST_MORNING + timedelta(days=1, hours=2),
}
AGES = range(11, 4, -1)
"""The days since publication of the seven publication days, on the first morning."""
ARTICLES = range(1, 9)
"""Of a publication day, by position."""
CORRECTED_ROWS = 0.14
"""Of the rows of whole days; with the new rows 15 % of those of the first morning."""
CORRECTED_FIGURES = 4


class Place(NamedTuple):
    """Where a file has an answer."""

    appid: str
    day: date
    fetched_at: datetime
    offset: int
    size: int

    def read(self, file: int) -> bytes:
        """The answer's body."""
        return os.pread(file, self.size, self.offset)


def places(path: Path) -> Iterator[Place]:
    """Those of all answers of a file, in its order."""
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
    """The rows of a file as plainly as can be: `COLUMNS`."""
    with path.open("rb") as file:
        for answer in places(path):
            for article in json.loads(answer.read(file.fileno()))["list"]:
                for row in article["details"]:
                    key = (answer.appid, article["msgid"], row["stat_date"])
                    yield (*key, article["ref_date"], *(row.get(name) for name in METRICS))


def write(shape: str, directory: Path) -> dict[str, Path]:
    """The shape's files, by load."""
    paths = {load: directory / f"{shape}-{load}.tsv" for load in FETCHED_AT}
    for load, path in paths.items():
        with path.open("wb") as file:
            file.writelines(_lines(SHAPES[shape], load))
    return paths


def _lines(accounts: int, load: str) -> Iterator[bytes]:
    fetched_at = FETCHED_AT[load]
    for number in range(accounts):
        appid = f"wx{0x5A4D80C70B1E0000 + number:016x}"
        for age in AGES:
            day = FIRST_MORNING.date() - timedelta(days=age)
            row_count = min(ARTICLE_TOTAL.window, age + (fetched_at - FIRST_MORNING).days)
            share = CORRECTED_ROWS if load != "first" and age >= ARTICLE_TOTAL.window else 0
            random = Random(f"{appid}{day}")
            articles = [
                _article(appid, day, it, [random.random() < share for _ in range(row_count)])
                for it in ARTICLES
            ]
            body = msgspec.json.encode({"list": articles})
            yield f"{appid}\t{day}\t{fetched_at.isoformat()}\t".encode() + body + b"\n"


def _article(appid: str, day: date, position: int, corrected: list[bool]) -> dict[str, object]:
    """An article with a row for each day, the ones given as corrected with other figures."""
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
