"""docs/analysts.md keeps its word: each query gives the result that stands under it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from analysts.world import World, fill, stop_clock
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_local.postgres import Server

PAGE = Path(__file__).parents[2] / "docs/analysts.md"
ANSWERED = re.compile(r"```sql\n(?P<query>.*?)```\n\n```text\n(?P<result>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def analysts(server: Server) -> Iterator[tuple[Engine, World]]:
    """A warehouse that the engine filled, on the morning of `NOW`, and what WeChat said."""
    server.create_database("analysts")
    the_warehouse.migrate(server.url("analysts"))
    engine = the_warehouse.engine(server.url("analysts"))
    world = fill(engine)
    stop_clock(engine)
    yield engine, world
    engine.dispose()


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


def test_every_query_of_the_page_gives_the_result_under_it(analysts: tuple[Engine, World]) -> None:
    """What an analyst reads there is what Postgres answers; UPDATE_DOCS=1 writes it anew."""
    page = PAGE.read_text()

    def answered(match: re.Match[str]) -> str:
        result = as_text(ask(analysts[0], match["query"]))
        return f"```sql\n{match['query']}```\n\n```text\n{result}```"

    fresh = ANSWERED.sub(answered, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert len(ANSWERED.findall(page)) >= 10
    assert fresh == page
