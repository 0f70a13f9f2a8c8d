"""
Made answers of getarticletotal, the same ones every time.

    python benchmarks/shapes.py morning a_directory

Writes the three files of a shape: the `first` morning, the `next` one, on which 15 % as many rows
are new or changed, and that one's bytes again, fetched later (`unchanged`).
"""

import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
from answers import METRICS

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_sandbox.titles import title

FIRST_MORNING = datetime.fromisoformat("2026-11-24T10:30:00+08:00")
NEXT_MORNING = FIRST_MORNING + timedelta(days=1)
FETCHED_AT = {
    "first": FIRST_MORNING,
    "next": NEXT_MORNING,
    "unchanged": NEXT_MORNING + timedelta(hours=2),
}
"""The loads of a shape, in their order."""

NEW_OR_CHANGED = 0.15
WINDOW = ARTICLE_TOTAL.window
CORRECTED = 4
"""So many figures of a changed row are others."""


class Shape(NamedTuple):
    """How many answers of what size a morning brings."""

    accounts: int
    ages: range
    """The days since publication of the publication days, on the first morning."""
    articles: int
    """Of a publication day."""

    @property
    def corrected(self) -> float:
        """Which part of the rows of whole days has other figures on the next morning."""
        first = sum(min(WINDOW, age) for age in self.ages)
        new = sum(min(WINDOW, age + 1) for age in self.ages) - first
        whole = sum(WINDOW for age in self.ages if age >= WINDOW)
        return (NEW_OR_CHANGED * first - new) / whole


A_WEEK = range(11, 4, -1)
SHAPES = {
    "small": Shape(accounts=1, ages=A_WEEK, articles=8),
    "morning": Shape(accounts=100, ages=A_WEEK, articles=8),
    "busy": Shape(accounts=1, ages=range(37, 6, -1), articles=170),
}


def write(name: str, directory: Path) -> dict[str, Path]:
    """The shape's files, by load."""
    paths = {load: directory / f"{name}-{load}.tsv" for load in FETCHED_AT}
    for load, path in paths.items():
        with path.open("wb") as file:
            file.writelines(_lines(SHAPES[name], load))
    return paths


def _lines(shape: Shape, load: str) -> Iterator[bytes]:
    fetched_at = FETCHED_AT[load]
    share = shape.corrected if load != "first" else 0
    for number in range(shape.accounts):
        appid = f"wx{0x5A4D80C70B1E0000 + number:016x}"
        for age in shape.ages:
            day = FIRST_MORNING.date() - timedelta(days=age)
            row_count = min(WINDOW, age + (fetched_at - FIRST_MORNING).days)
            random = Random(f"{appid}{day}")
            articles = []
            for place in range(shape.articles):
                rolls = [random.random() < share for _ in range(row_count)]
                corrected = [age >= WINDOW and it for it in rolls]
                articles.append(_article(appid, day, place, corrected))
            body = msgspec.json.encode({"list": articles})
            yield f"{appid}\t{day}\t{fetched_at.isoformat()}\t".encode() + body + b"\n"


def _article(appid: str, day: date, place: int, corrected: list[bool]) -> dict[str, object]:
    """An article with a row for each day, the ones given as corrected with other figures."""
    message, position = 2_247_483_647 + day.toordinal() * 100 + place // 8, place % 8 + 1
    random = Random(f"{appid}{message}{position}")
    headline = title(random)
    url = (
        f"http://mp.weixin.qq.com/s?__biz={appid[2:]}==&mid={message}&idx={position}"
        f"&sn={random.getrandbits(128):032x}&chksm={random.getrandbits(240):060x}#rd"
    )
    totals = [random.uniform(0, 40_000) * random.random() ** 3 for _ in METRICS]
    rows = []
    for step, is_corrected in enumerate(corrected):
        figures = [int(total * (step + 1) / (step + 2)) for total in totals]
        for at in range(CORRECTED if is_corrected else 0):
            figures[at] += 1
        row = dict(zip(METRICS, figures, strict=True))
        rows.append({"stat_date": str(day + timedelta(days=step)), **row})
    return {
        "ref_date": str(day),
        "msgid": f"{message}_{position}",
        "title": headline,
        "content_url": url,
        "details": rows,
    }


if __name__ == "__main__":
    print(*write(sys.argv[1], Path(sys.argv[2])).values(), sep="\n")
