"""docs/analysts.md keeps its word: each query gives the result under it, which is the truth."""

import os
import re
from collections.abc import Iterator

import pytest
import sqlalchemy
from analysts.page import ANSWERED, PAGE, answer, queries, rounded, sections
from analysts.truth import NATURAL, TRUTHS, Rows
from analysts.world import World, filled_warehouse
from sqlalchemy import Engine

from weixin_etl.warehouse.views import View, views
from weixin_local.postgres import Server

WITHOUT_TRUTH = {"The dictionary": "its words are those of datasets.py, which WeChat does not say"}


@pytest.fixture(scope="module")
def loaded(server: Server) -> Iterator[tuple[Engine, World]]:
    """A warehouse that the engine filled, on the morning of `NOW`, and what WeChat said."""
    with filled_warehouse(server, "analysts") as filled:
        yield filled


def as_text(result: sqlalchemy.CursorResult[tuple[object, ...]]) -> str:
    """A result as the page shows it."""
    lines = [list(result.keys()), *([_cell(value) for value in row] for row in result)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _width(text: str) -> int:
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


def ask(warehouse: Engine, query: str) -> sqlalchemy.CursorResult[tuple[object, ...]]:
    """What a query gives an analyst."""
    with warehouse.connect() as connection:
        connection.exec_driver_sql("SET ROLE weixin_reader")
        return connection.execute(sqlalchemy.text(query)).freeze()()


def shown_by(warehouse: Engine, query: str) -> Rows:
    """What a query gives an analyst, but for what is told in words."""
    with warehouse.connect() as connection:
        return answer(connection, query)


def test_every_query_of_the_page_gives_the_result_under_it(loaded: tuple[Engine, World]) -> None:
    """What an analyst reads there is what Postgres answers; UPDATE_DOCS=1 writes it anew."""
    page = PAGE.read_text()

    def answered(match: re.Match[str]) -> str:
        result = as_text(ask(loaded[0], match["query"]))
        return f"```sql{match['wrong'] or ''}\n{match['query']}```\n\n```text\n{result}```"

    fresh = ANSWERED.sub(answered, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert fresh == page


def test_every_question_has_a_truth():
    """Each of its queries; what has none says why, and so do the natural queries that are wrong."""
    right = {name: [it for it in found if not it["wrong"]] for name, found in sections()}
    wrong = {name for name, found in sections() if any(it["wrong"] for it in found)}

    assert {name: len(found) for name, found in right.items() if name not in WITHOUT_TRUTH} == {
        str(number): len(truths) for number, truths in TRUTHS.items()
    }
    assert wrong == {str(number) for number in NATURAL}
    assert PAGE.read_text().count("```sql") == sum(len(found) for _, found in sections())


@pytest.mark.parametrize("question", TRUTHS)
def test_a_question_is_answered_with_the_truth(loaded: tuple[Engine, World], question: int) -> None:
    """Each query gives what follows from WeChat's answers themselves, and nothing else."""
    warehouse, world = loaded
    for query, truth in zip(queries(question), TRUTHS[question], strict=True):
        shown = shown_by(warehouse, query)

        assert shown == rounded(truth(world), shown)
        assert shown


@pytest.mark.parametrize("question", NATURAL)
def test_the_natural_query_is_wrong(loaded: tuple[Engine, World], question: int) -> None:
    """What the page warns of is worth the warning: it says something else than the truth."""
    warehouse, world = loaded
    (query,) = queries(question, wrong=True)
    shown, true = NATURAL[question](shown_by(warehouse, query), TRUTHS[question][0](world))

    assert shown
    assert true
    assert shown != true


AS_A_NUMBER = {1082: "{0} - date '2000-01-01'", 1184: "extract(epoch FROM {0})"}
"""Dates and instants by the OIDs of their types: psycopg2 reads ISO dates only."""
SESSIONS = (
    "SET datestyle = 'ISO, YMD'; SET timezone = 'Asia/Shanghai'",
    "SET datestyle = 'SQL, DMY'; SET timezone = 'America/Anchorage'; SET lc_time = 'C'",
    "SET datestyle = 'German'; SET timezone = 'Pacific/Kiritimati'; SET intervalstyle = 'iso_8601'",
)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_says_the_same_in_every_session(loaded: tuple[Engine, World], view: View) -> None:
    """Whatever its time zone and its way to write dates; only how instants are shown differs."""
    with loaded[0].connect() as connection:
        listed = connection.execute(sqlalchemy.text(f"SELECT * FROM {view.full_name} LIMIT 0"))  # noqa: S608 # ours
        types = [(column.name, column.type_code) for column in listed.cursor.description]
    columns = ", ".join(AS_A_NUMBER.get(oid, "{0}").format(f'"{name}"') for name, oid in types)
    said = set()
    for session in SESSIONS:
        with loaded[0].connect() as connection:
            connection.exec_driver_sql(session)
            found = connection.exec_driver_sql(f"SELECT {columns} FROM {view.full_name}")  # noqa: S608 # ours
            said.add(tuple(sorted(map(str, found))))

    (rows,) = said
    assert rows
