"""What a load costs does not grow with the tables: it looks all it needs up by their keys."""

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, event
from support import migrated_warehouse

from weixin_etl.api.client import Answer
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load import Load, Staged, staged
from weixin_etl.model import Account, Run
from weixin_etl.warehouse import source
from weixin_local.postgres import Server

FACT = ARTICLE_TOTAL.fact
FIRST_DAY = date(2024, 1, 1)
ARTICLES_A_DAY = 100
DAYS = [date(2024, 6, 1) + timedelta(days=age) for age in range(7)]
FETCHED_AT = datetime(2024, 6, 14, 2, 30, tzinfo=UTC)
KNOWN = Account("a1", "wx1", "", "known")
NEW = Account("a2", "wx2", "", "new since the statistics were made")
TABLES = (
    *(FACT, "dim_article", "dim_article_title_history"),
    *("coverage", "raw_response", "rejected_row"),
)
HISTORY = f"""
    CREATE TEMP TABLE article AS
    SELECT
        number AS raw_response_id,
        'wx1' AS appid,
        number || '_1' AS msgid,
        date '{FIRST_DAY}' + number / {ARTICLES_A_DAY} AS day
    FROM generate_series(0, 71999) AS number;
    CREATE TEMP TABLE pair AS
    SELECT DISTINCT appid, day FROM article;
    INSERT INTO weixin.{FACT} (appid, msgid, stat_date, publication_date, int_page_read_count,
        raw_response_id, fetched_at, changed_at)
    SELECT appid, msgid, day + age, day, age, 1, now(), now()
    FROM article CROSS JOIN generate_series(0, 6) AS age;
    INSERT INTO weixin.dim_article (appid, msgid, message_id, position, publication_date,
        first_seen_at, unlisted_since)
    SELECT appid, msgid, msgid, 1, day, now(), '{{"article_total": null}}' FROM article;
    INSERT INTO weixin.dim_article_title_history (appid, msgid, title, replaced_at)
    SELECT appid, msgid, msgid, now() FROM article;
    INSERT INTO weixin.raw_response (raw_response_id, dataset, appid, day, body, body_sha256,
        fetched_at, last_seen_at) OVERRIDING SYSTEM VALUE
    SELECT raw_response_id, 'article_total', appid, day, '', sha256(msgid::bytea), '{FIRST_DAY}',
        '{FIRST_DAY}'
    FROM article;
    SELECT setval('weixin.raw_response_raw_response_id_seq', 100000);
    INSERT INTO weixin.rejected_row (dataset, appid, day, msgid, reason, payload, raw_response_id,
        rejected_at)
    SELECT 'article_total', appid, day, msgid, '', '', raw_response_id, now() FROM article;
    INSERT INTO weixin.coverage (dataset, appid, day, ready_at, list_sha256, article_count,
        attempted_at, fetched_at)
    SELECT 'article_total', account, day, '{FIRST_DAY}', '', 1, now(), '{FIRST_DAY}'
    FROM pair CROSS JOIN (
        SELECT 'wx1' UNION ALL SELECT 'other' || number FROM generate_series(1, 20) AS number
    ) AS accounts (account)
"""
"""Half a million rows of the fact and all that belongs to them."""

LOOKUPS = {
    "fact/merge.sql": {FACT: "Tid Scan | appid msgid stat_date", "raw_response": "raw_response_id"},
    "dim_article/load.sql": {"dim_article": "appid msgid"},
    "dim_article/unlist.sql": {"dim_article": "appid publication_date"},
    "coverage/before.sql": {
        "coverage": "dataset appid day",
        "raw_response": "dataset appid day",
        "rejected_row": "dataset appid day",
    },
    "coverage/heard.sql": {"coverage": "dataset appid"},
    "rejected_row/save.sql": {"rejected_row": "rejected_row_id | dataset appid day"},
    "raw_response/see.sql": {"raw_response": "raw_response_id"},
}
"""The statements that read the tables, and by which columns."""
MOST_STATEMENTS = 17
"""In a commit, between BEGIN and COMMIT."""


@pytest.fixture(scope="module")
def long_history(embedded_server: Server) -> Iterator[Engine]:
    """A migrated warehouse with a long history that nobody has analysed."""
    with migrated_warehouse(embedded_server, "history") as engine:
        leave_unanalysed(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(HISTORY)
        yield engine


def leave_unanalysed(warehouse: Engine) -> None:
    """Keep the server from analysing the tables by itself."""
    with warehouse.begin() as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"ALTER TABLE weixin.{table} SET (autovacuum_enabled = off)")


def week(
    account: Account, share_count: int, articles_a_day: int = 4, weeks_before: int = 0
) -> list[Staged]:
    """A week's answers: articles of the history, with a row a day each."""
    days = [day - timedelta(weeks=weeks_before) for day in DAYS]
    return [_answered(account, day, share_count, articles_a_day, share_count) for day in days]


def _answered(
    account: Account, day: date, share_count: int | str, articles: int, minute: int = 0
) -> Staged:
    first = (day - FIRST_DAY).days * ARTICLES_A_DAY
    rows = [
        {"stat_date": (day + timedelta(days=age)).isoformat(), "share_count": share_count}
        for age in range(7)
    ]
    items = [
        {"ref_date": day.isoformat(), "msgid": f"{number}_1", "details": rows}
        for number in range(first, first + articles)
    ]
    body = json.dumps({"list": items}).encode()
    fetched_at = FETCHED_AT + timedelta(minutes=minute)
    return staged(ARTICLE_TOTAL, account, day, Answer(body, fetched_at, calls=1))


def load_hundred(warehouse: Engine, share_count: int) -> None:
    """
    Load a week of a hundred accounts in one commit.

    Of one pair the answer is the same as before, of another an article is not listed any more, of a
    third a value does not fit.
    """
    silent = [replace(NEW, appid=f"silent{number}") for number in range(98)]
    known = week(KNOWN, share_count)
    known[0] = _answered(KNOWN, DAYS[0], 0, 4)
    known[1] = _answered(KNOWN, DAYS[1], share_count, 4 - share_count % 2, share_count)
    known[2] = _answered(KNOWN, DAYS[2], f"odd {share_count}", 4, share_count)
    load(
        warehouse,
        [known, week(NEW, share_count)]
        + [week(account, share_count, articles_a_day=0) for account in silent],
    )


def load(warehouse: Engine, chunks: Sequence[Sequence[Staged]]) -> None:
    """Load them in one commit."""
    run = Run("run", ARTICLE_TOTAL, FETCHED_AT.date(), is_scheduled=False)
    Load(warehouse, run, ready_hour=10).commit(chunks)


def explained(warehouse: Engine, load_them: Callable[[], None]) -> dict[str, list[dict[str, Any]]]:
    """The nodes of the plan of each statement of LOOKUPS, as it is when the load makes it."""
    plans: dict[str, list[dict[str, Any]]] = {}
    paths = {source(path, ARTICLE_TOTAL).splitlines()[0]: path for path in LOOKUPS}

    def explain(_connection: Any, cursor: Any, sql: str, values: Any, *_others: Any) -> None:
        if path := paths.get(sql.splitlines()[0]):
            cursor.execute(f"EXPLAIN (FORMAT json) {sql}", values)
            plans[path] = list(nodes(cursor.fetchone()[0][0]["Plan"]))

    event.listen(warehouse, "before_cursor_execute", explain)
    try:
        load_them()
    finally:
        event.remove(warehouse, "before_cursor_execute", explain)
    return plans


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def lookups(plan: list[dict[str, Any]]) -> dict[str, str]:
    """By which columns a plan reads each table; anything but an index scan by its own name."""
    columns = ["dataset", "appid", "msgid", "raw_response_id", "rejected_row_id"]
    columns += ["publication_date", "day", "stat_date"]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for node in plan:
        table = node.get("Relation Name")
        if table in TABLES and node["Node Type"] != "ModifyTable":
            condition = node.get("Index Cond", "")
            by = " ".join(column for column in columns if f"({column} " in condition)
            found[table].add(by if condition else node["Node Type"])
    return {table: " | ".join(sorted(ways, key=len)) for table, ways in found.items()}


@pytest.mark.parametrize("is_analysed", [False, True], ids=["never analysed", "analysed"])
def test_load_looks_everything_up_by_keys(long_history: Engine, is_analysed: bool):
    """Half a million rows of an account, and none of another that came later."""
    if is_analysed:
        with long_history.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    load_hundred(long_history, share_count=2 * is_analysed)

    plans = explained(
        long_history, lambda: load_hundred(long_history, share_count=2 * is_analysed + 1)
    )

    assert {path: lookups(plan) for path, plan in plans.items()} == LOOKUPS
    kinds = {node["Node Type"] for plan in plans.values() for node in plan}
    assert kinds.isdisjoint({"Hash Join", "Merge Join", "Materialize"})


def test_a_commit_takes_few_statements(long_history: Engine, embedded_server: Server):
    """However many accounts it holds; what Postgres logs is counted, so each COPY too."""
    load_hundred(long_history, share_count=8)
    with long_history.begin() as connection:
        connection.exec_driver_sql("ALTER DATABASE history SET log_statement = 'all'")
        log = embedded_server.log_file
    long_history.dispose()
    begin = len(log.read_text())

    load_hundred(long_history, share_count=9)

    with long_history.begin() as connection:
        connection.exec_driver_sql("ALTER DATABASE history RESET log_statement")
    long_history.dispose()
    said = log.read_text()[begin:]
    of_load = said.partition("statement: COMMIT")[0].rpartition("statement: BEGIN")[2]
    count = len(re.findall(r"LOG:  (?:statement|execute)", of_load))
    assert 10 < count <= MOST_STATEMENTS


READ = "SELECT sum(idx_tup_read)::integer FROM pg_stat_user_indexes WHERE schemaname = 'weixin'"

ENDED = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'backfill'"
"""Once its sessions have ended, they own no temporary table any more."""


def test_the_first_backfill_reads_as_much_every_week(embedded_server: Server):
    """
    Of a busy account, before autovacuum looks; as a role that owns no table.

    A planner that knows nothing reads all articles of the account for each of them, also those that
    the statement has just added.
    """
    with migrated_warehouse(embedded_server, "first_backfill") as owned:
        leave_unanalysed(owned)
        with owned.begin() as connection:
            connection.exec_driver_sql("CREATE ROLE backfill LOGIN IN ROLE weixin_loader")
            connection.exec_driver_sql("ALTER ROLE backfill PASSWORD 'of-the-test'")
        url = owned.url.set(username="backfill", password="of-the-test")  # made up
        loader = sqlalchemy.create_engine(url)
        read = [0]
        for number in range(8):
            load(loader, [week(NEW, 1, ARTICLES_A_DAY, number)])
            with loader.begin() as connection:
                connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
            with loader.begin() as connection:  # what was flushed is seen by the next transaction
                read.append(connection.exec_driver_sql(READ).scalar_one())
                sql = f"{READ} AND relname = 'dim_article'"
                of_articles = connection.exec_driver_sql(sql).scalar_one()
        loader.dispose()
        with owned.begin() as connection:
            connection.exec_driver_sql(ENDED)
            connection.exec_driver_sql("DROP ROLE backfill")

    weeks = [after - before for before, after in itertools.pairwise(read)]
    assert max(weeks[1:]) == weeks[1], weeks
    assert of_articles < 8 * len(DAYS) * ARTICLES_A_DAY * 20, of_articles
