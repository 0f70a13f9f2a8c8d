"""docs/analysts.md keeps its word: each query gives the result that stands under it."""

import json
import os
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, MetaData
from support import HASTE, empty

from weixin_etl.api.client import WeixinClient
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import Account
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

PAGE = Path(__file__).parents[2] / "docs/analysts.md"
ANSWERED = re.compile(r"```sql\n(?P<query>.*?)```\n\n```text\n(?P<result>.*?)```", re.DOTALL)
MORNING = datetime(2026, 11, 24, 10, 30, tzinfo=SHANGHAI)
DAYS = [date(2026, 11, 23) - timedelta(days=age) for age in range(40)]
KEY = {"appid": DEFAULT_ACCOUNT.appid}
TIMES = {"raw_response_id": 1, "fetched_at": MORNING, "loaded_at": MORNING, "changed_at": MORNING}
FELL = date(2026, 11, 19)
"""WeChat corrects this publication day downwards between two runs."""


@pytest.fixture(scope="module")
def loaded(migrated: Engine) -> Iterator[Engine]:
    """Forty publication days of the sandbox in the warehouse, one of them corrected afterwards."""
    empty(migrated)
    patch = pytest.MonkeyPatch()
    patch.setenv("WEIXIN_NOW", MORNING.isoformat())
    sandbox = Sandbox()
    with sandbox.serve() as url:
        account = Account(
            "weixin_default", DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, "春风", url
        )
        client = WeixinClient(account, HASTE)
        first = [Answered(dataset, day, client) for dataset in DATASETS.values() for day in DAYS]
        sandbox.scenarios.append(Scenario("falling-total", day=FELL))
        corrected = [Answered(dataset, FELL, client) for dataset in DATASETS.values()]
    patch.undo()
    with migrated.begin() as connection:
        tables = MetaData()
        tables.reflect(connection, schema="weixin")
        for name, rows in warehouse_rows(first, corrected).items():
            connection.execute(tables.tables[f"weixin.{name}"].insert(), rows)
    yield migrated
    empty(migrated)


class Answered:
    """What the sandbox says of a publication day."""

    def __init__(self, dataset: Dataset, day: date, client: WeixinClient) -> None:
        self.dataset, self.day = dataset, day
        self.articles = json.loads(client.datacube(dataset, day).body)["list"]

    @property
    def rows(self) -> dict[tuple[str, str, date], dict[str, Any]]:
        """The fact's rows by dataset, article and day."""
        key = self.dataset.rows_key
        names = ("stat_date", *[metric.name for metric in self.dataset.metrics])
        return {
            (self.dataset.name, article["msgid"], date.fromisoformat(row["stat_date"])): KEY
            | {"msgid": article["msgid"], "publication_date": self.day, **TIMES}
            | {name: row.get(name) for name in names}
            for article in self.articles
            for row in article[key]
        }

    @property
    def coverage(self) -> dict[str, Any]:
        """As the engine judges it on that morning: every answer is ready."""
        ends_date = self.day + timedelta(days=self.dataset.window - 1)
        return KEY | {
            "dataset": self.dataset.name,
            "publication_date": self.day,
            "data_state": "loaded" if self.articles else "empty",
            "fetched_at": MORNING,
            "ready_at": MORNING,
            "is_final": ends_date < MORNING.date(),
            "attempt_state": "ok",
            "attempted_at": MORNING,
        }


def warehouse_rows(
    first: list[Answered], corrected: list[Answered]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table; what a corrected answer replaced is in the history."""
    before = {key: row for answered in first for key, row in answered.rows.items()}
    after = {key: row for answered in corrected for key, row in answered.rows.items()}
    articles = [(one.dataset, one.day, item) for one in first for item in one.articles]
    return {
        "dim_account": [
            KEY | {"name": "春风", "conn_id": "weixin_default", "first_seen_at": MORNING}
        ],
        "dim_article": list(
            {
                item["msgid"]: KEY
                | {"msgid": item["msgid"], "publication_date": day, "title": item["title"]}
                | {"message_id": item["msgid"].split("_")[0]}
                | {"position": int(item["msgid"].split("_")[1])}
                | {"first_seen_at": MORNING, "last_seen_at": MORNING}
                for _, day, item in articles
            }.values()
        ),
        "raw_response": [
            KEY
            | {"dataset": first[0].dataset.name, "publication_date": first[0].day}
            | {"body_zstd": b"", "body_sha256": b""}
            | {"fetched_at": MORNING, "last_seen_at": MORNING, "loaded_at": MORNING}
        ],
        "article_sighting": [
            KEY | {"dataset": dataset.name, "msgid": item["msgid"], "raw_response_id": 1}
            for dataset, _, item in articles
        ],
        "coverage": [answered.coverage for answered in first],
        **{
            dataset.fact: [row for key, row in (before | after).items() if key[0] == dataset.name]
            for dataset in DATASETS.values()
        },
        **{
            f"{dataset.fact}_history": [
                before[key] | {"replaced_at": MORNING, "cause": "wechat"}
                for key, row in after.items()
                if key[0] == dataset.name and before[key] != row
            ]
            for dataset in DATASETS.values()
        },
    }


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
