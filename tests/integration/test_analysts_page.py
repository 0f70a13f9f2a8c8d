"""docs/analysts.md keeps its word: each query gives the result that stands under it."""

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine
from support import HASTE, empty

from weixin_etl import clock, load
from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Account
from weixin_etl.parse import parse
from weixin_etl.warehouse import statement
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

PAGE = Path(__file__).parents[2] / "docs/analysts.md"
ANSWERED = re.compile(r"```sql\n(?P<query>.*?)```\n\n```text\n(?P<result>.*?)```", re.DOTALL)
YESTERDAY = date(2026, 11, 23)
DAYS = [YESTERDAY - timedelta(days=age) for age in range(40)]
FELL = date(2026, 11, 19)
"""WeChat corrects this publication day downwards between two runs."""


@pytest.fixture(scope="module")
def loaded(migrated: Engine) -> Iterator[Engine]:
    """Forty publication days of the sandbox in the warehouse, one of them corrected afterwards."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WEIXIN_NOW", "2026-11-24T10:30:00+08:00")
    empty(migrated)
    sandbox = Sandbox()
    with sandbox.serve() as url:
        account = Account("weixin_default", DEFAULT_ACCOUNT.appid, "", DEFAULT_ACCOUNT.name, url)
        account = Account(
            account.conn_id, account.appid, DEFAULT_ACCOUNT.secret, account.name, account.base_url
        )
        ingest(migrated, account, DAYS)
        sandbox.scenarios.append(Scenario("falling-total", day=FELL))
        patch.setenv("WEIXIN_NOW", "2026-11-24T11:30:00+08:00")
        ingest(migrated, account, [FELL])
    yield migrated
    patch.undo()
    empty(migrated)


def ingest(warehouse: Engine, account: Account, days: list[date]) -> None:
    """Bring the days of every dataset in, as a run would."""
    with warehouse.begin() as connection:
        connection.execute(
            statement("dim_account/save.sql"),
            {
                "accounts": f'[{{"appid": "{account.appid}", "name": "{account.name}", '
                f'"conn_id": "{account.conn_id}"}}]',
                "scheduled_date": None,
                "seen_at": clock.now(),
            },
        )
    client = WeixinClient(account, HASTE)
    for dataset in DATASETS.values():
        for start in range(0, len(days), load.PAIRS_A_COMMIT):
            answers = [
                (day, client.datacube(dataset.path, day))
                for day in days[start : start + load.PAIRS_A_COMMIT]
            ]
            load.load(
                warehouse,
                dataset,
                account,
                "analysts-page",
                [
                    load.Pair(day, 1, answer, parse(dataset, answer.body, day))
                    for day, answer in answers
                ],
            )


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


def test_every_query_of_the_page_gives_the_result_under_it(loaded: Engine) -> None:
    """What an analyst reads there is what Postgres answers; UPDATE_DOCS=1 writes it anew."""
    page = PAGE.read_text()

    def answered(match: re.Match[str]) -> str:
        with loaded.connect() as connection:
            result = as_text(connection.execute(sqlalchemy.text(match["query"])))
        return f"```sql\n{match['query']}```\n\n```text\n{result}```"

    fresh = ANSWERED.sub(answered, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert len(ANSWERED.findall(page)) >= 10
    assert fresh == page
