"""The analysts' pages as a program reads them: questions, their queries, what these give."""

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from math import floor, isclose
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from analysts.truth import Rows

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "analysts.md", DOCS / "cookbook.md"]
ANSWERED = re.compile(
    r"```sql(?P<wrong> wrong)?\n(?P<query>.*?)```\n\n```text\n(?P<result>.*?)```", re.DOTALL
)
SECTION = re.compile(r"^##+ (?:(?P<number>\d+)\. )?(?P<title>.+)\n(?P<text>(?:(?!##).*\n)*)", re.M)
IN_WORDS = {"reason": "what happened, in a sentence of the engine: compared with the page alone"}
"""Columns without truth."""


def sections() -> Iterator[tuple[str, list[re.Match[str]]]]:
    """Their questions by number, and their other parts by title, with their queries."""
    for section in (it for page in PAGES for it in SECTION.finditer(page.read_text())):
        if answered := [*ANSWERED.finditer(section["text"])]:
            yield section["number"] or section["title"], answered


def queries(question: str, *, wrong: bool = False) -> list[str]:
    """Those of a question."""
    answered = dict(sections())[question]
    return [match["query"] for match in answered if bool(match["wrong"]) is wrong]


def answer(connection: Connection, query: str) -> Rows:
    """What a query gives an analyst, but for what is told in words."""
    with connection.begin_nested() as nested:
        connection.exec_driver_sql("SET LOCAL ROLE weixin_reader")
        found = connection.execute(sqlalchemy.text(query))
        told = [place for place, name in enumerate(found.keys()) if name not in IN_WORDS]
        rows = [tuple(row[place] for place in told) for row in found]
        nested.rollback()
    return rows


def as_shown(true: Any, shown: Any) -> Any:
    """A true figure as the query that showed another rounds; what is shown, where they agree."""
    if isinstance(shown, Decimal) and true is not None:
        digits = -int(shown.as_tuple().exponent)
        true = Decimal(floor(Fraction(true) * 10**digits + Fraction(1, 2))).scaleb(-digits)
    elif isinstance(shown, float) and true is not None and isclose(true, shown, rel_tol=1e-12):
        true = shown
    return true


def rounded(truth: Rows, shown: Rows) -> Rows:
    """True rows as the query rounds that gave others."""
    return [
        tuple(as_shown(value, given) for value, given in zip_longest(row, its))
        for row, its in zip_longest(truth, shown, fillvalue=())
    ][: len(truth)]
