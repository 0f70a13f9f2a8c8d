"""Tests that the rows read by a load or a query do not grow with the tables."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, migrated_warehouse, new_user, rows
from support.warehouse_loads import SCHEDULED, staged
from world.wechat import item

from weixin_etl import warehouse as warehouse_module
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load import Load, StagedAnswer
from weixin_etl.model import Account
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_local.postgres import Server

FIRST_DAY, ARTICLES_A_DAY = date(2024, 1, 1), 100
DAYS = [date(2024, 6, 1) + timedelta(days=age) for age in range(7)]
FETCHED_AT = datetime(2024, 6, 14, 2, 30, tzinfo=UTC)
KNOWN, NEW = (Account(f"a{number}", f"wx{number}", "", "") for number in (1, 2))
SILENT = [Account("", f"silent{number}", "", "") for number in range(98)]
METRICS = [metric.name for metric in ARTICLE_TOTAL.metrics]
HISTORY = Path(__file__).with_name("history.sql")
"""A file of statements that insert half a million rows of the fact and all rows they refer to."""
READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer FROM pg_stat_user_tables
    WHERE schemaname = 'weixin'
"""


@pytest.fixture(scope="module")
def long_history(embedded_server: Server) -> Iterator[Engine]:
    """Yield a migrated warehouse with a long history and without planner statistics."""
    with migrated_warehouse(embedded_server, "history") as owner:
        leave_unanalysed(owner)
        sql = HISTORY.read_text().replace(":metrics", ", ".join(METRICS))
        execute(owner, sql.replace(":ages", ", ".join("age" for _ in METRICS)))
        # Postgres counts the rows read by parallel workers only later.
        alone = {"max_parallel_workers_per_gather": "0"}
        engine = warehouse_module.engine(owner.url, alone, idle_connections=1)
        yield engine
        engine.dispose()


def leave_unanalysed(warehouse: Engine) -> None:
    """Turn off what Postgres does by itself: analysing tables, and reading them for an index."""
    tables = rows(warehouse, "SELECT tablename FROM pg_tables WHERE schemaname = 'weixin'")
    off = "ALTER TABLE weixin.{} SET (autovacuum_enabled = off)"
    execute(warehouse, *(off.format(table) for (table,) in tables))
    indexes = rows(
        warehouse, "SELECT indexname FROM pg_indexes WHERE strpos(indexdef, 'autosummarize') > 0"
    )
    off = "ALTER INDEX weixin.{} SET (autosummarize = off)"
    execute(warehouse, *(off.format(index) for (index,) in indexes))


def read_by(warehouse: Engine, do: Callable[[], object]) -> int:
    """Call the function, and return how many rows of the warehouse's tables it reads."""
    counts = []
    for step in (lambda: None, do):
        step()
        rows(warehouse, "SELECT pg_stat_force_next_flush()")  # flushes the engine's one session
        counts.append(rows(warehouse, READ)[0][0])
    return counts[1] - counts[0]


def week(
    account: Account, share_count: int, articles: int = 4, weeks: int = 0
) -> list[StagedAnswer]:
    """Return the answers of a week, `weeks` before `DAYS`, with articles of the history."""
    days = [day - timedelta(weeks=weeks) for day in DAYS]
    return [_answered(account, day, share_count, articles) for day in days]


def _answered(account: Account, day: date, share_count: int, articles: int) -> StagedAnswer:
    """
    Return an answer with a row per article and day.

    With few articles, one value of each is a text. With an odd `share_count`, one article is gone.
    """
    first = (day - FIRST_DAY).days * ARTICLES_A_DAY
    figures = [share_count] * 6 + ["odd" if articles < ARTICLES_A_DAY else share_count]
    article_rows = {
        day + timedelta(days=age): {**dict.fromkeys(METRICS, 9), "share_count": figure}
        for age, figure in enumerate(figures)
    }
    items = [
        item(ARTICLE_TOTAL, day, f"{number}_1", article_rows)
        for number in range(first, first + articles - share_count % 2)
    ]
    fetched_at = FETCHED_AT + timedelta(minutes=share_count)
    return staged(json.dumps({"list": items}).encode(), fetched_at, day, account=account)


def load(warehouse: Engine, chunks: Sequence[Sequence[StagedAnswer]]) -> None:
    """Load the chunks in one commit."""
    Load(warehouse, SCHEDULED, ready_hour=10).commit(chunks)


def load_hundred(warehouse: Engine, share_count: int) -> None:
    """Load a week of a hundred accounts: one with a history, one new, and the others silent."""
    silent = [week(account, 2 * share_count, 0) for account in SILENT]
    load(warehouse, [week(KNOWN, share_count), week(NEW, share_count), *silent])


@pytest.fixture(scope="module")
def analysed(long_history: Engine) -> Engine:
    """Return the same warehouse with planner statistics."""
    load_hundred(long_history, 2)
    refresh_account_days(long_history)
    with long_history.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    return long_history


@pytest.mark.parametrize("fixture", ["long_history", "analysed"])
def test_a_load_looks_everything_up_by_keys(request: pytest.FixtureRequest, fixture: str):
    """One account has half a million rows, and another account is new."""
    warehouse = request.getfixturevalue(fixture)
    first = 2 * (fixture == "analysed")
    load_hundred(warehouse, first)

    read = read_by(warehouse, lambda: load_hundred(warehouse, first + 1))
    assert 1_000 < read < 10_000


def test_a_refresh_of_account_days_reads_only_the_rows_that_count_on_them(analysed: Engine) -> None:
    """The account has half a million rows; its last day is computed."""
    execute(
        analysed,
        "UPDATE weixin.account_day_state SET stale_from = last_date - 1 "
        "WHERE dataset = 'article_total' AND appid = 'wx1'",
    )

    read = read_by(analysed, lambda: refresh_account_days(analysed, ["wx1"]))
    assert 1_000 < read < 30_000


@pytest.mark.parametrize(
    "condition",
    [
        "article_total_as_of('2026-02-15') WHERE appid = 'wx1' AND msgid = '17_1'",
        "article_total_as_of('infinity') WHERE appid = 'wx2'",
        "account_day_7d WHERE appid = 'wx2' AND calendar_date < '2024-07-01'",
        "restatement WHERE dataset = 'article_total' AND appid = 'wx1' AND msgid = '17_1'",
        "article_day_7d WHERE appid = 'wx1' AND msgid = '17_1'",
    ],
)
def test_a_query_of_one_article_or_account_reads_only_its_rows(analysed: Engine, condition: str):
    """The filters apply to facts, history and articles."""
    results: list[Any] = []
    sql = f"SELECT * FROM analytics.{condition}"

    read = read_by(analysed, lambda: results.extend(rows(analysed, sql)))
    assert results
    assert read < 10_000


def test_a_query_as_of_an_instant_reads_only_later_changes(analysed: Engine):
    """216,000 of half a million rows have changed, two thirds of them after the first instant."""
    sql = "SELECT count(*) FROM analytics.article_total_as_of('2026-02-{}')"
    since = [sql.format(instant) for instant in ("14 12:00", "16 12:00")]
    reads = [read_by(analysed, partial(rows, analysed, statement)) for statement in since]

    assert reads[0] - reads[1] > 140_000


def test_a_commit_takes_few_statements(long_history: Engine, embedded_server: Server):
    """The number of accounts does not matter. The statements in Postgres' log are counted."""
    load_hundred(long_history, 8)
    execute(long_history, "ALTER DATABASE history SET log_statement = 'all'")
    long_history.dispose()
    begin = len(embedded_server.log_file.read_text())

    load_hundred(long_history, 9)

    execute(long_history, "ALTER DATABASE history RESET log_statement")
    long_history.dispose()
    logged = embedded_server.log_file.read_text()[begin:]
    statements = logged.partition("statement: COMMIT")[0].rpartition("statement: BEGIN")[2]
    assert 10 < len(re.findall(r"LOG:  (?:statement|execute)", statements)) <= 17


def test_the_first_backfill_reads_as_much_every_week(embedded_server: Server):
    """
    The account is busy, the tables have no planner statistics, and the role owns no table.

    Without a hint the planner would read all articles of the account for each article.
    """
    with migrated_warehouse(embedded_server, "first_backfill") as owned:
        leave_unanalysed(owned)
        is_loader = "IN ROLE weixin_loader"
        with new_user(owned, "backfill", is_loader, idle_connections=1) as loader:
            weeks = [
                read_by(loader, lambda: load(loader, [week(NEW, 2, ARTICLES_A_DAY, number)]))  # noqa: B023
                for number in range(8)
            ]
            execute(loader, "DISCARD TEMP")

    assert max(weeks[1:]) <= weeks[1] < 100 * len(DAYS) * ARTICLES_A_DAY, weeks
