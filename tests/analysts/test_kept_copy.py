"""A copy of `analytics.article_day` that is kept as question 25 of docs/analysts.md says."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from support import HASTE, empty, migrated_warehouse

from analysts.page import PAGE
from analysts.world import BUSY, PAPER, SEED, at, collect, november
from weixin_etl.api.client import Answer, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay
from weixin_etl.model import Account, Run
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox, Scenario

(EXPORT,) = re.findall(r"^\\copy \((.+)\) TO '.+' CSV HEADER$", PAGE.read_text(), re.MULTILINE)
PAGES_INSTANT = "2026-11-23 11:00+08"
NATURAL = f"SELECT * FROM analytics.article_day WHERE changed_at > '{PAGES_INSTANT}'"  # noqa: S608
KEY = ("appid", "msgid", "stat_date")
OF_THE_ARTICLE = ("title", "account_name")
"""Columns that are not exported row by row."""
Rows = dict[tuple[str, ...], dict[str, str]]


@dataclass
class Copy:
    """An analyst's table, and the query it is kept with."""

    query: str
    exported_at: datetime
    rows: Rows = field(default_factory=dict)

    def bring_up_to_date(self, warehouse: Engine, now: datetime) -> None:
        """Export what came since an hour before the last export, and overwrite by the key."""
        since = f"{self.exported_at - timedelta(hours=1)}"
        self.rows |= read(warehouse, self.query.replace(PAGES_INSTANT, since))
        self.exported_at = now


def read(warehouse: Engine, query: str = "SELECT * FROM analytics.article_day") -> Rows:
    """What COPY gives of a query, by the key."""
    file = io.StringIO()
    connection = warehouse.raw_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE weixin_reader")
        cursor.copy_expert(f"COPY ({query}) TO STDOUT CSV HEADER", file)
    connection.rollback()
    connection.close()
    file.seek(0)
    return {
        tuple(row[name] for name in KEY): {
            name: value for name, value in row.items() if name not in OF_THE_ARTICLE
        }
        for row in csv.DictReader(file)
    }


@dataclass
class Life:
    """Two accounts, the sandbox they are asked of, and the time it is."""

    warehouse: Engine
    sandbox: Sandbox
    accounts: list[Account]
    patch: pytest.MonkeyPatch
    copies: list[Copy] = field(
        default_factory=lambda: [Copy(query, at(november(1))) for query in (EXPORT, NATURAL)]
    )
    numbers: Iterator[int] = field(default_factory=count)

    def is_now(self, now: datetime) -> None:
        """Let the clock say so."""
        self.patch.setenv("WEIXIN_NOW", now.isoformat())

    def runs(self, now: datetime, *accounts: str) -> None:
        """A daily run of these accounts, of all if none is named."""
        self.is_now(now)
        number = f"run {next(self.numbers)}"
        run = Run(number, ARTICLE_TOTAL, now.date(), is_scheduled=True, accounts=accounts)
        collect(run, self.warehouse, self.accounts)

    def exports(self, now: datetime) -> None:
        """The analyst brings both copies up to date."""
        self.is_now(now)
        for copy in self.copies:
            copy.bring_up_to_date(self.warehouse, now)

    def answer(self, now: datetime, day: date) -> str:
        """A line for an import: what 春风 was answered then."""
        self.is_now(now)
        answer = WeixinClient(self.accounts[0], HASTE).datacube(ARTICLE_TOTAL, day)
        assert isinstance(answer, Answer)
        line = {"appid": BUSY.appid, "dataset": ARTICLE_TOTAL.name, "publication_date": f"{day}"}
        return json.dumps(line | {"fetched_at": now.isoformat(), "body": answer.body.decode()})

    def sql(self, statement: str) -> None:
        """Change the facts of 春风 by hand."""
        with self.warehouse.begin() as connection:
            connection.execute(text(statement), {"appid": BUSY.appid})


@pytest.fixture
def life(embedded_server: Server) -> Iterator[Life]:
    """An empty warehouse, whose first daily runs will be of 18 November."""
    sandbox = Sandbox((BUSY, PAPER), SEED)
    with (
        migrated_warehouse(embedded_server, "kept_copy") as warehouse,
        sandbox.serve() as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        empty(warehouse)
        accounts = [
            Account(f"weixin_{it.name}", it.appid, it.secret, it.name, url) for it in (BUSY, PAPER)
        ]
        yield Life(warehouse, sandbox, accounts, patch)


def test_a_copy_that_is_kept_by_the_page_is_the_view(life: Life, tmp_path: Path) -> None:
    """Whatever comes: late accounts, rows that heal, corrections, replays, imports, final days."""
    never_healed = Scenario("missing-row", PAPER.appid, november(13))
    healed = Scenario("missing-row", BUSY.appid, november(14))
    corrected = Scenario("falling-total", BUSY.appid, november(19))

    life.sandbox.scenarios[:] = [never_healed, healed]
    life.runs(at(november(18)))
    life.sql(
        "DELETE FROM weixin.fact_article_total "
        "WHERE appid = :appid AND publication_date = '2026-11-11' AND stat_date = '2026-11-13'"
    )
    life.exports(at(november(18), 12, 0))
    life.runs(at(november(19)), BUSY.appid)
    life.exports(at(november(19), 15, 20))
    life.runs(at(november(19), 15, 0), PAPER.appid)  # its load was under way during the export
    life.sandbox.scenarios[:] = [never_healed]
    life.runs(at(november(20)))
    life.exports(at(november(20), 12, 0))
    imported = tmp_path / "answers.jsonl"
    imported.write_text(life.answer(at(november(12)), november(6)))
    life.sandbox.scenarios[:] = [never_healed, corrected]
    life.runs(at(november(21)))
    import_files(life.warehouse, [imported], ready_hour=10, commit_bytes=1 << 20)
    replay(life.warehouse, Selection(ARTICLE_TOTAL), ready_hour=10, is_applied=True)
    life.exports(at(november(21), 12, 0))
    life.runs(at(november(22)))
    life.exports(at(november(22), 12, 0))

    view = read(life.warehouse)
    kept, natural = (copy.rows for copy in life.copies)
    assert kept == view
    assert natural.keys() == view.keys()
    assert {
        name for key, row in view.items() for name in row if row[name] != natural[key][name]
    } >= {"is_latest", "is_final", "days_spanned", "int_page_read_user_increment"}
