"""
Made answers of getarticletotal, the same ones every time.

    python benchmarks/shapes.py morning a_directory

Writes the three files of a shape: the `first` morning, the `next` one, on which 15 % as many rows
are new or changed, and that one's bytes again, fetched later (`unchanged`).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

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
FIRST_MESSAGE = 2_247_483_647
"""Where WeChat begins to count an account's messages: accounts share msgids."""

MESSAGE_SIZE = 8
"""Articles a WeChat message holds at most."""

SHARES = (1, 0.01, 0.03, 0.01, 0.45, 0.03, 0.25, 0.1, 0.1, 0.01, 0.005, 0.001, 0.05, 0.03)
"""Of an article's readers, for each pair of metrics behind target_user: people, times."""

CORRECTED = {
    "int_page_read_user",
    "int_page_read_count",
    "int_page_from_session_read_user",
    "int_page_from_session_read_count",
}
"""The figures that a changed row has others of."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many answers of what size a morning brings."""

    accounts: int
    ages: range
    """The days since publication of the publication days, on the first morning."""
    articles: int
    """Of a publication day."""

    @property
    def corrected(self) -> float:
        """Which part of the rows of whole days has other figures on the next morning."""
        first = sum(map(_row_count, self.ages))
        new = sum(_row_count(age + 1) for age in self.ages) - first
        whole = sum(_row_count(age) for age in self.ages if _row_count(age) == WINDOW)
        return (NEW_OR_CHANGED * first - new) / whole


def _row_count(age: int) -> int:
    return min(WINDOW, age)


A_WEEK = range(11, 4, -1)
SHAPES = {
    "small": Shape(accounts=1, ages=A_WEEK, articles=8),
    "morning": Shape(accounts=100, ages=A_WEEK, articles=8),
    "busy": Shape(accounts=1, ages=range(37, 6, -1), articles=170),
    "group": Shape(accounts=1450, ages=A_WEEK, articles=8),
}


def main() -> None:
    """Write the files, print their paths."""
    parser = argparse.ArgumentParser(description="Write made answers.")
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    print(*write(options.shape, options.directory).values(), sep="\n")


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
            row_count = _row_count(age + (fetched_at - FIRST_MORNING).days)
            random = Random(f"{appid}{day}")
            articles = []
            for place in range(shape.articles):
                message = FIRST_MESSAGE + day.timetuple().tm_yday * shape.articles
                msgid = f"{message + place // MESSAGE_SIZE}_{place % MESSAGE_SIZE + 1}"
                corrected = [
                    _row_count(age) == WINDOW and random.random() < share for _ in range(row_count)
                ]
                articles.append(_article(appid, msgid, day, corrected))
            body = msgspec.json.encode({"list": articles})
            yield f"{appid}\t{day}\t{fetched_at.isoformat()}\t".encode() + body + b"\n"


def _article(appid: str, msgid: str, day: date, corrected: list[bool]) -> dict[str, object]:
    """An article with a row for each day, the ones given as corrected with other figures."""
    random = Random(appid + msgid)
    headline = title(random)
    message, position = msgid.split("_")
    url = (
        f"http://mp.weixin.qq.com/s?__biz={appid[2:]}==&mid={message}&idx={position}"
        f"&sn={random.getrandbits(128):032x}&chksm={random.getrandbits(240):060x}#rd"
    )
    readers = 400 * 2 ** random.uniform(0, 5)
    target_user = int(readers * random.uniform(2, 20))
    totals = []
    for share in SHARES:
        people = readers * share * random.uniform(0.5, 1.5)
        totals += [people, people * random.uniform(1.05, 1.4)]
    rows = []
    for step, is_corrected in enumerate(corrected):
        # a corrected total lies between this day's and the next one's: totals only grow
        reached, other = _reached(step), _reached(step + is_corrected / 2)
        figures = {
            name: int(total * (other if name in CORRECTED else reached))
            for name, total in zip(METRICS[1:], totals, strict=True)
        }
        stat_date = str(day + timedelta(days=step))
        rows.append({"stat_date": stat_date, METRICS[0]: target_user, **figures})
    return {
        "ref_date": str(day),
        "msgid": msgid,
        "title": headline,
        "content_url": url,
        "details": rows,
    }


def _reached(step: float) -> float:
    """The part of its final total that a figure has after so many days."""
    return (step + 1) / (step + 2)


if __name__ == "__main__":
    main()
