"""
Check the queries of the analysts' pages, and every view, on a warehouse filled by real runs.

Four sandbox accounts are collected on several mornings (`world.py`). Each query of docs/analysts.md
and docs/cookbook.md must give the result printed under it, and the rows computed without SQL
(`questions.py`). Each view must show the expected rows (`expected_views.py`).
"""

import json
import os
import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor, isclose
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection

from analysts import expected_views
from analysts.expected_views import Table
from analysts.questions import ANSWERS, REPORTED_AT, Asked, Rows
from analysts.world import BUSY, PAPER, CollectedAnswers, at, november, set_clock
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.warehouse.views import View, views

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
"""The queries with a printed result, by the question's number or the section's title."""
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


# ------------------------------------------------------------------------------------ the pages


def as_text(result: sqlalchemy.CursorResult[tuple[object, ...]]) -> str:
    """Return a query's result as the page prints it."""
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
    """UPDATE_DOCS=1 writes the results into the pages."""
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
    """The line for psql exports the rows that the question's query counts."""
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
    """Return the rows of a query."""
    return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]


def as_shown(expected: Any, shown: Any) -> Any:
    """
    Return the expected figure, rounded to the digits of the shown figure.

    A float within the tolerance of the expected figure is returned as it is shown.
    """
    if isinstance(shown, list):
        return json.loads(json.dumps(expected, default=float))
    if isinstance(shown, Decimal) and expected is not None:
        digits = -int(shown.as_tuple().exponent)
        return Decimal(floor(Fraction(expected) * 10**digits + Fraction(1, 2))).scaleb(-digits)
    is_close = (
        isinstance(shown, float)
        and expected is not None
        and isclose(expected, shown, rel_tol=1e-12)
    )
    return shown if is_close else expected


def differences(expected: Rows, shown: Rows) -> list[Any]:
    """Return the pairs of rows that differ after rounding, or the two counts if those differ."""
    if len(expected) != len(shown):
        return [(len(expected), len(shown))]
    return [
        (right, row)
        for right, row in zip(expected, shown, strict=True)
        if tuple(map(as_shown, right, row)) != row
    ]


def query_of_older_endpoint(query: str) -> str:
    """Return the query with the suffix and the name of the older endpoint."""
    return query.replace("_30d", "_7d").replace("'article_total_detail'", "'article_total'")


@pytest.mark.parametrize("question", RIGHT)
def test_a_query_gives_the_rows_computed_from_wechats_answers(
    connection: Connection, collected: CollectedAnswers, question: str
) -> None:
    """
    Each query is also asked about accounts that are silent, retired or long collected.

    Where both endpoints have the view, it is asked of both.
    """
    for place, query in enumerate(RIGHT[question]):
        of_both = re.search(r"analytics\.\w+_30d", query) and ONLY_THE_SUCCESSORS not in query
        for appid in collected.names if NAMED in query else [BUSY.appid]:
            for suffix in ("_30d", "_7d") if of_both else ("_30d",):
                account_query = query.replace(NAMED, f"appid = '{appid}'")
                moved_query = (
                    account_query if suffix == "_30d" else query_of_older_endpoint(account_query)
                )
                shown = answer(connection, moved_query)

                assert shown or (appid, suffix) != (BUSY.appid, "_30d")
                if compute := ANSWERS.get((question, place)):
                    assert differences(compute(Asked(collected, appid, suffix)), shown) == [], appid


@pytest.mark.parametrize(
    "question", [question for question in OF_SEVERAL if (question, 0) in ANSWERS]
)
def test_accounts_of_one_name_are_not_added_together(
    connection: Connection, collected: CollectedAnswers, question: str
) -> None:
    """Accounts of one name have their AppID behind it, and rows of their own."""
    connection.exec_driver_sql("UPDATE weixin.dim_account SET name = '春'")
    asked = Asked(collected, appids=(*collected.names,), name="春")
    named_alike = "starts_with(account_name, '春 (')"
    shown = answer(connection, RIGHT[question][0].replace(LISTED, named_alike))

    assert differences(ANSWERS[question, 0](asked), shown) == []


def test_no_query_divides_by_zero(connection: Connection) -> None:
    """An account whose figures are all 0 causes no error."""
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
"""The columns that order a view's rows, where its own key is not computed here."""
PICKED = {
    **dict.fromkeys(("article_source_7d", "article_source_30d"), "stat_date >= '2026-11-20'"),
    "day_source": "stat_date >= '2026-11-20'",
    "coverage": "dataset LIKE 'article_total%%'",
    "restatement": "dataset LIKE 'article_total%%' AND cause = 'wechat'",
}
NOT_OF_ANSWERS = ("metric", "article_listed")
"""Views that show declarations or attributes, not figures."""


@pytest.mark.every_postgres
@pytest.mark.parametrize("name", [view for view in KEYS if view not in NOT_OF_ANSWERS])
def test_a_view_shows_the_expected_rows(
    connection: Connection, collected: CollectedAnswers, name: str
) -> None:
    """All rows of all accounts are compared, in every column that follows from the answers."""
    picked, expected = PICKED.get(name, "TRUE"), expected_views.view(collected, name)
    if "stat_date" in picked:  # of a week: there are very many
        expected = expected.between("stat_date", november(20))
    assert_shows(connection, f"{name} WHERE {picked}", expected, OTHER_KEYS.get(name, KEYS[name]))


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
@pytest.mark.parametrize("instant", [at(november(17), 12), at(november(20), 0), REPORTED_AT])
def test_as_of_an_instant_shows_the_answers_fetched_by_then(
    connection: Connection, collected: CollectedAnswers, dataset: Dataset, instant: datetime
) -> None:
    """Rows and figures are those of the instant; titles are the newest."""
    then, name = expected_views.until(collected, instant), f"article_day{dataset.suffix}"
    titles = {
        key: article["title"] for key, article in expected_views.tables(collected).articles.items()
    }
    expected = expected_views.article_day(then, dataset)
    expected = expected.with_(title=lambda row: titles[row["appid"], row["msgid"]])
    assert_shows(connection, f"{name}_as_of('{instant}')", expected, KEYS[name])


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_yesterday_is_beijings_in_any_session(connection: Connection, zone: str) -> None:
    """Half an hour after midnight in Beijing it is still the day before in UTC."""
    connection.exec_driver_sql(f"SET LOCAL timezone = '{zone}'")
    set_clock(connection, at(november(24), 0) + timedelta(minutes=30))
    found = answer(
        connection,
        "SELECT analytics.yesterday(), analytics.yesterday('2026-11-24 23:59+08'), "
        "analytics.yesterday('2026-11-23 23:59+08')",
    )

    assert found == [(november(23), november(23), november(22))]


def assert_shows(connection: Connection, source: str, expected: Table, key: str) -> None:
    """Compare a view's or function's rows with the expected rows, in the columns of the latter."""
    shown_columns = connection.exec_driver_sql(f"SELECT * FROM analytics.{source} LIMIT 0").keys()
    columns = [column for column in shown_columns if column in expected[0]]
    found = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM analytics.{source}")
    shown = Table(dict(row) for row in found.mappings()).ordered(key)

    assert shown
    right = expected.ordered(key)
    assert differences(*(rows.show(" ".join(columns)) for rows in (right, shown))) == []


OF_THE_HOUR = {("coverage", name) for name in ("state", "next_date", "final_date")}
AS_A_NUMBER = {1082: "{0} - date '2000-01-01'", 1184: "extract(epoch FROM {0})"}
"""Dates and instants as numbers, by the OID of their type: sessions format them differently."""
SESSIONS = (
    "SET datestyle = 'ISO, YMD'; SET timezone = 'Asia/Shanghai'",
    "SET datestyle = 'SQL, DMY'; SET timezone = 'America/Anchorage'; SET lc_time = 'C'",
    "SET datestyle = 'German'; SET timezone = 'Pacific/Kiritimati'; SET intervalstyle = 'iso_8601'",
)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_is_the_same_at_any_hour_and_in_any_session(
    connection: Connection, view: View
) -> None:
    """Only a day's state and its next dates depend on the hour."""
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
