"""The analysts' pages keep their word: each query gives the result under it, which is the truth."""

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy
from analysts.knowledge import OLD, SUCCESSOR
from analysts.page import ANSWERED, PAGES, answer, queries, rounded, sections
from analysts.truth import TRUTHS, Asked
from analysts.world import BUSY, PAPER, World, at, filled_warehouse, november, set_clock
from sqlalchemy import Connection, Engine

from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.warehouse.views import View, views
from weixin_local.postgres import Server

NAMED = f"appid = '{BUSY.appid}'"
LISTED = f"account_name IN ('{BUSY.name}', '{PAPER.name}')"
OF_AN_ACCOUNT = [it for it in TRUTHS if all(NAMED in query for query in queries(it))]
OF_A_LIST = [it for it in TRUTHS if all(LISTED in query for query in queries(it))]
OF_ALL = [
    it for it in TRUTHS if not any(NAMED in query or LISTED in query for query in queries(it))
]
ONLY_THE_SUCCESSOR = ("read_finish_rate",)
"""What the other endpoint does not give."""


def moved(query: str, endpoint: str) -> str:
    """The query as it is asked of the other endpoint."""
    if endpoint == SUCCESSOR:
        return query
    return query.replace("_30d", "_7d").replace("'article_total_detail'", "'article_total'")


def endpoints(query: str) -> list[str]:
    """Which a query can be asked of: both, if it is of one and nothing in it is only that one's."""
    is_of_one = re.search(r"analytics\.\w+_30d", query)
    return (
        [SUCCESSOR, OLD] if is_of_one and not any(it in query for it in ONLY_THE_SUCCESSOR) else []
    )


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
    """A connection whose changes are undone."""
    with loaded[0].connect() as connection:
        yield connection
        connection.rollback()


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


def test_every_question_has_a_truth():
    """Each of its queries but those that it warns of."""
    right = {name: [it for it in found if not it["wrong"]] for name, found in sections()}

    assert {name: len(found) for name, found in right.items()} == {
        number: len(truths) for number, truths in TRUTHS.items()
    }
    asked = sum(page.read_text().count("```sql") for page in PAGES)
    assert asked == sum(len(found) for _, found in sections())
    assert len([it for it in TRUTHS if it.isdigit()]) <= 25


def test_each_question_names_an_account_a_list_or_none():
    """So that each is asked of every account below."""
    assert OF_A_LIST == ["12", "15"]
    assert OF_ALL == ["Which endpoint does the account have?", "16", "17"]


@pytest.mark.parametrize("question", TRUTHS)
def test_a_question_is_answered_with_the_truth(
    connection: Connection, world: World, question: str
) -> None:
    """
    Each query gives what follows from WeChat's answers themselves, and nothing else.

    Also of an account that is silent, or retired, or has a long history; and of the other endpoint,
    by its suffix alone.
    """
    for query, truth in zip(queries(question), TRUTHS[question], strict=True):
        for appid in [*world.names] if NAMED in query else [BUSY.appid]:
            its_query = query.replace(NAMED, f"appid = '{appid}'")
            for endpoint in endpoints(query) or [SUCCESSOR]:
                shown = answer(connection, moved(its_query, endpoint))

                true = truth(Asked(world, appid, endpoint))
                assert shown == rounded(true, shown), (world.names[appid], endpoint)
                assert shown or (appid, endpoint) != (BUSY.appid, SUCCESSOR)


def test_most_questions_are_of_either_endpoint() -> None:
    """A query is moved by its suffix alone."""
    assert len([it for it in TRUTHS if any(map(endpoints, queries(it)))]) >= 13


@pytest.mark.parametrize("question", OF_A_LIST)
def test_it_is_the_truth_of_all_accounts_together(
    connection: Connection, world: World, question: str
) -> None:
    """However many accounts are named."""
    (query,), (truth,) = queries(question), TRUTHS[question]
    shown = answer(connection, query.replace(LISTED, f"account_name IN {(*world.names.values(),)}"))

    assert shown == rounded(truth(Asked(world, appids=(*world.names,))), shown)
    assert {name for name, *_ in shown} == {*world.names.values()}


@pytest.mark.parametrize("question", OF_A_LIST + OF_ALL)
def test_accounts_of_one_name_are_not_added_together(
    connection: Connection, world: World, question: str
) -> None:
    """Each has its own rows, in the order of the AppIDs."""
    connection.execute(
        sqlalchemy.text("UPDATE weixin.dim_account SET name = :name"), {"name": "春"}
    )
    namesakes = World(dict.fromkeys(world.names, "春"), world.given)
    for query, truth in zip(queries(question), TRUTHS[question], strict=True):
        shown = answer(connection, query.replace(LISTED, "account_name = '春'"))

        assert shown == rounded(truth(Asked(namesakes, appids=(*world.names,))), shown)


def test_no_query_divides_by_zero(connection: Connection) -> None:
    """An account whose every figure is 0 has rows, or none, but no error."""
    for dataset in ARTICLE_DATASETS.values():
        figures = ", ".join(f"{it.name} = 0" for it in dataset.figures)
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {figures}")
    failed = []
    for question in TRUTHS:
        try:
            for query in [*queries(question), *queries(question, wrong=True)]:
                answer(connection, query)
        except sqlalchemy.exc.DataError:
            failed.append(question)

    assert failed == []


def test_the_export_has_the_rows_that_the_page_counts(connection: Connection) -> None:
    """The line for psql is the question's query without its counts."""
    line = r"^\\copy \((.+)\) TO '.+' CSV HEADER$"
    (export,) = re.findall(line, PAGES[1].read_text(), re.MULTILINE)
    exported = Counter(
        row.publication_date
        for row in connection.execute(sqlalchemy.text(export))
        if row.appid == BUSY.appid and row.publication_date >= november(17)
    )

    assert exported == {day: rows for day, rows, *_ in answer(connection, *queries("25"))}


def test_only_a_days_state_and_what_is_next_depend_on_the_hour(connection: Connection) -> None:
    """What is known, complete, newest or lagging is the same all day."""
    said = []
    for hour in (0, 9, 13, 23):
        set_clock(connection, at(november(24), hour))
        views_say = {}
        for view in views():
            columns = ", ".join(it for it in view.columns if (view.name, it) not in OF_THE_HOUR)
            rows = connection.exec_driver_sql(f"SELECT {columns} FROM {view.full_name}")
            views_say[view.name] = sorted(map(str, rows))
        said.append(views_say)

    first, *others = said
    assert [name for name in first for other in others if other[name] != first[name]] == []


OF_THE_HOUR = {("coverage", name) for name in ("state", "next_date", "final_date")}
AS_A_NUMBER = {1082: "{0} - date '2000-01-01'", 1184: "extract(epoch FROM {0})"}
"""Dates and instants by the OIDs of their types: psycopg2 reads ISO dates only."""
SESSIONS = (
    "SET datestyle = 'ISO, YMD'; SET timezone = 'Asia/Shanghai'",
    "SET datestyle = 'SQL, DMY'; SET timezone = 'America/Anchorage'; SET lc_time = 'C'",
    "SET datestyle = 'German'; SET timezone = 'Pacific/Kiritimati'; SET intervalstyle = 'iso_8601'",
)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_says_the_same_in_every_session(connection: Connection, view: View) -> None:
    """Whatever its time zone and its way to write dates; only how instants are shown differs."""
    listed = connection.exec_driver_sql(f"SELECT * FROM {view.full_name} LIMIT 0")
    types = [(column.name, column.type_code) for column in listed.cursor.description]
    columns = ", ".join(AS_A_NUMBER.get(oid, "{0}").format(f'"{name}"') for name, oid in types)
    said = set()
    for session in SESSIONS:
        connection.exec_driver_sql(session.replace("SET ", "SET LOCAL "))
        found = connection.exec_driver_sql(f"SELECT {columns} FROM {view.full_name}")
        said.add(tuple(sorted(map(str, found))))

    (rows,) = said
    assert rows
