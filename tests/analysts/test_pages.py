"""The analysts' pages keep their word, and every view is the truth of four accounts' mornings."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor, isclose
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine

from analysts import truth
from analysts.questions import ANSWERS, REPORTED_AT, Asked, Rows
from analysts.truth import Table
from analysts.world import BUSY, PAPER, World, at, filled_warehouse, november, set_clock
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.warehouse.views import View, views
from weixin_local.postgres import Server

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "analysts.md", DOCS / "cookbook.md"]
ANSWERED = re.compile(
    r"```sql(?P<wrong> wrong)?\n(?P<query>.*?)```\n\n```text\n(?P<result>.*?)```", re.DOTALL
)
SECTION = re.compile(r"^##+ (?:(?P<number>\d+)\. )?(?P<title>.+)\n(?P<text>(?:(?!##).*\n)*)", re.M)
QUERIES = {
    section["number"] or section["title"]: answered
    for page in PAGES
    for section in SECTION.finditer(page.read_text())
    if (answered := [*ANSWERED.finditer(section["text"])])
}
"""By the numbers of their questions, or by the titles of other parts."""
RIGHT = {
    name: [match["query"] for match in matches if not match["wrong"]]
    for name, matches in QUERIES.items()
}
NAMED = f"appid = '{BUSY.appid}'"
LISTED = f"account_name IN ('{BUSY.name}', '{PAPER.name}')"
OF_SEVERAL = [
    name for name, queries in RIGHT.items() if not any(NAMED in query for query in queries)
]
ONLY_THE_SUCCESSORS = "read_finish_rate"


@pytest.fixture(scope="module")
def loaded(server: Server) -> Iterator[tuple[Engine, World]]:
    """A warehouse that the engine filled, on the morning of `NOW`, and what WeChat said."""
    with filled_warehouse(server, "analysts") as filled:
        yield filled


@pytest.fixture
def world(loaded: tuple[Engine, World]) -> World:
    """What WeChat said."""
    return loaded[1]


@pytest.fixture
def connection(loaded: tuple[Engine, World]) -> Iterator[Connection]:
    """An analyst's, whose changes are undone."""
    with loaded[0].connect() as connection:
        yield connection
        connection.rollback()


# ------------------------------------------------------------------------------------ the pages


def as_text(result: sqlalchemy.CursorResult[tuple[object, ...]]) -> str:
    """A result as the page shows it."""
    lines = [[*result.keys()]]
    lines += [["" if value is None else str(value) for value in row] for row in result]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        for line in lines
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in padded)


def _width(text: str) -> int:
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


@pytest.mark.every_postgres
def test_every_query_of_the_page_gives_the_result_under_it(connection: Connection) -> None:
    """What an analyst reads there is what Postgres answers; UPDATE_DOCS=1 writes it anew."""
    connection.exec_driver_sql("SET LOCAL ROLE weixin_reader")

    def answered(match: re.Match[str]) -> str:
        result = as_text(connection.execute(sqlalchemy.text(match["query"])))
        return f"```sql{match['wrong'] or ''}\n{match['query']}```\n\n```text\n{result}```"

    for page in PAGES:
        fresh = ANSWERED.sub(answered, page.read_text())
        if os.environ.get("UPDATE_DOCS"):
            page.write_text(fresh)

        assert fresh == page.read_text()


def test_the_export_has_the_rows_that_the_page_counts(connection: Connection) -> None:
    """The line for psql is the question's query without its counts."""
    line = r"^\\copy \((.+)\) TO '.+' CSV HEADER$"
    (export,) = re.findall(line, PAGES[1].read_text(), re.MULTILINE)
    found = connection.execute(sqlalchemy.text(export))
    exported = Counter(
        row.publication_date
        for row in found
        if row.appid == BUSY.appid and row.publication_date >= november(17)
    )

    assert exported == {day: rows for day, rows, *_ in answer(connection, *RIGHT["25"])}


# ----------------------------------------------------------------------------------- the answers


def answer(connection: Connection, query: str) -> Rows:
    """What a query gives."""
    return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]


def as_shown(true: Any, shown: Any) -> Any:
    """A true figure as the query that showed another rounds; what is shown, where they agree."""
    if isinstance(shown, list):
        return json.loads(json.dumps(true, default=float))
    if isinstance(shown, Decimal) and true is not None:
        digits = -int(shown.as_tuple().exponent)
        return Decimal(floor(Fraction(true) * 10**digits + Fraction(1, 2))).scaleb(-digits)
    is_close = isinstance(shown, float) and true is not None and isclose(true, shown, rel_tol=1e-12)
    return shown if is_close else true


def differences(true: Rows, shown: Rows) -> list[Any]:
    """Rows that are not alike, but for how they round; or how many there are."""
    if len(true) != len(shown):
        return [(len(true), len(shown))]
    return [
        (right, row)
        for right, row in zip(true, shown, strict=True)
        if tuple(map(as_shown, right, row)) != row
    ]


def moved(query: str) -> str:
    """The query as it is asked of the older endpoint, by its suffix alone."""
    return query.replace("_30d", "_7d").replace("'article_total_detail'", "'article_total'")


@pytest.mark.parametrize("question", RIGHT)
def test_a_question_is_answered_with_the_truth(
    connection: Connection, world: World, question: str
) -> None:
    """
    What a query works out follows from WeChat's answers themselves, and nothing else.

    Also of an account that is silent, or retired, or has a long history; and of the other endpoint.
    """
    for place, query in enumerate(RIGHT[question]):
        of_both = re.search(r"analytics\.\w+_30d", query) and ONLY_THE_SUCCESSORS not in query
        for appid in world.names if NAMED in query else [BUSY.appid]:
            for suffix in ("_30d", "_7d") if of_both else ("_30d",):
                account_query = query.replace(NAMED, f"appid = '{appid}'")
                moved_query = account_query if suffix == "_30d" else moved(account_query)
                shown = answer(connection, moved_query)

                assert shown or (appid, suffix) != (BUSY.appid, "_30d")
                if true := ANSWERS.get((question, place)):
                    assert differences(true(Asked(world, appid, suffix)), shown) == [], appid


@pytest.mark.parametrize(
    "question", [question for question in OF_SEVERAL if (question, 0) in ANSWERS]
)
def test_accounts_of_one_name_are_not_added_together(
    connection: Connection, world: World, question: str
) -> None:
    """However many are named, each has its own rows, in the order of the AppIDs."""
    connection.exec_driver_sql("UPDATE weixin.dim_account SET name = '春'")
    asked = Asked(world, appids=(*world.names,), name="春")
    shown = answer(connection, RIGHT[question][0].replace(LISTED, "account_name = '春'"))

    assert differences(ANSWERS[question, 0](asked), shown) == []


def test_no_query_divides_by_zero(connection: Connection) -> None:
    """An account whose every figure is 0 has rows, or none, but no error."""
    for dataset in ARTICLE_DATASETS.values():
        figures = ", ".join(f"{metric.name} = 0" for metric in dataset.figures)
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {figures}")

    for answered in QUERIES.values():
        for match in answered:
            answer(connection, match["query"])


# ------------------------------------------------------------------------------------ the views

KEYS = {view.name: view.comment.partition("\nkey: ")[2].splitlines()[0] for view in views()}
OTHER_KEYS = {
    "follower_change": "appid, stat_date, channel",
    "restatement": "dataset, appid, msgid, stat_date, metric, old_value",
}
"""Where a column of the key does not follow from the answers."""
PICKED = {
    **dict.fromkeys(("article_source_7d", "article_source_30d"), "stat_date >= '2026-11-20'"),
    "day_source": "stat_date >= '2026-11-20'",
    "coverage": "dataset LIKE 'article_total%%'",
    "restatement": "dataset LIKE 'article_total%%' AND cause = 'wechat'",
}
NOT_OF_ANSWERS = ("metric", "article_listed")
"""Views of declarations, and of attributes alone."""


@pytest.mark.every_postgres
@pytest.mark.parametrize("name", [view for view in KEYS if view not in NOT_OF_ANSWERS])
def test_a_view_is_the_truth(connection: Connection, world: World, name: str) -> None:
    """Every row of every account, in every column that follows from the answers."""
    picked, true = PICKED.get(name, "TRUE"), truth.view(world, name)
    if "stat_date" in picked:  # of a week: there are very many
        true = true.between("stat_date", november(20))
    assert_shows(connection, f"{name} WHERE {picked}", true, OTHER_KEYS.get(name, KEYS[name]))


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
@pytest.mark.parametrize("instant", [at(november(17), 12), at(november(20), 0), REPORTED_AT])
def test_as_of_an_instant_is_what_was_told_by_then(
    connection: Connection, world: World, dataset: Dataset, instant: datetime
) -> None:
    """Every row and figure, by the title that an article has now."""
    then, name = truth.until(world, instant), f"article_day{dataset.suffix}"
    titles = {key: article["title"] for key, article in truth.tables(world).articles.items()}
    told = truth.article_day(then, dataset)
    told = told.with_(title=lambda row: titles[row["appid"], row["msgid"]])
    assert_shows(connection, f"{name}_as_of('{instant}')", told, KEYS[name])


def assert_shows(connection: Connection, source: str, true: Table, key: str) -> None:
    """The rows of a view or function, in the columns that the true ones have."""
    there = connection.exec_driver_sql(f"SELECT * FROM analytics.{source} LIMIT 0").keys()
    columns = [column for column in there if column in true[0]]
    found = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM analytics.{source}")
    shown = Table(dict(row) for row in found.mappings()).ordered(key)

    assert shown
    right = true.ordered(key)
    assert differences(*(rows.show(" ".join(columns)) for rows in (right, shown))) == []


OF_THE_HOUR = {("coverage", name) for name in ("state", "next_date", "final_date")}
AS_A_NUMBER = {1082: "{0} - date '2000-01-01'", 1184: "extract(epoch FROM {0})"}
"""Dates and instants by the OIDs of their types: only how they are shown differs."""
SESSIONS = (
    "SET datestyle = 'ISO, YMD'; SET timezone = 'Asia/Shanghai'",
    "SET datestyle = 'SQL, DMY'; SET timezone = 'America/Anchorage'; SET lc_time = 'C'",
    "SET datestyle = 'German'; SET timezone = 'Pacific/Kiritimati'; SET intervalstyle = 'iso_8601'",
)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_says_the_same_all_day_and_in_every_session(
    connection: Connection, view: View
) -> None:
    """But for a day's state and what is next: what is known does not depend on the hour."""
    hashes = set()
    for hour, session in zip((0, 13, 23), SESSIONS, strict=True):
        set_clock(connection, at(november(24), hour))
        connection.exec_driver_sql(session.replace("SET ", "SET LOCAL "))
        listed = connection.exec_driver_sql(f"SELECT * FROM {view.full_name} LIMIT 0")
        columns = [
            AS_A_NUMBER.get(column.type_code, "{0}").format(f'"{column.name}"')
            for column in listed.cursor.description
            if (view.name, column.name) not in OF_THE_HOUR
        ]
        texts = f'SELECT ROW({", ".join(columns)})::text COLLATE "C" AS line FROM {view.full_name}'
        sql = f"SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM ({texts}) AS listed"
        hashes.add(connection.exec_driver_sql(sql).scalar_one())

    assert len(hashes) == 1
    assert None not in hashes
