"""
Measure how fast the analysts' views answer with 500 accounts and 90 days.

    python benchmarks/queries.py [--accounts 500] [--postgres /usr/lib/postgresql/15/bin]

It fills a database of a temporary Postgres. It runs every query of docs/analysts.md and
docs/cookbook.md for one account, and prints the seconds and the milliseconds of planning. Then it
runs the queries of dashboards for all accounts, and prints the same, and the time in scans of the
fact. Postgres has its default settings, so two processes may help a query.
"""

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from contest import server
from sqlalchemy import Connection

from weixin_etl import warehouse
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset, Kind
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.statements import statement

DOCS = Path(__file__).parents[1] / "docs"
QUERY = re.compile(r"```sql\n(.*?)```", re.DOTALL)
LAST_DAY = "DATE '2026-11-23'"
LAST_MORNING = "TIMESTAMPTZ '2026-11-24 10:30+08'"
NAMES = {"wx5a4d80c70b1e2f3a": "wx0001", "春风": "公众号 wx0001", "晨报": "公众号 wx0002"} | {
    "analytics.yesterday()": LAST_DAY
}
"""The names of accounts in the pages, and the names that replace them in this database."""
RUNS = 3

DASHBOARDS = {
    "tiles of 28 days": f"""
        SELECT sum(readers_increment), sum(sharers_increment), count(*) FILTER (WHERE is_complete)
        FROM analytics.account_day_7d WHERE calendar_date > {LAST_DAY} - 28
    """,
    "reads a day, 90 days": f"""
        SELECT calendar_date, sum(reads_increment) FROM analytics.account_day_7d
        WHERE calendar_date > {LAST_DAY} - 90 GROUP BY calendar_date
    """,
    "readers a day, the successor": """
        SELECT calendar_date, sum(readers_increment) FROM analytics.account_day_30d
        GROUP BY calendar_date
    """,
    "readers by week, the company's series": f"""
        SELECT iso_week, sum(readers_increment)
        FROM analytics.account_day INNER JOIN analytics.calendar USING (calendar_date)
        WHERE calendar_date > {LAST_DAY} - 28 GROUP BY iso_week
    """,
    "yesterday's top 50": f"""
        SELECT account_name, title, readers_increment FROM analytics.article_day_7d
        WHERE stat_date = {LAST_DAY} ORDER BY 3 DESC NULLS LAST LIMIT 50
    """,
    "the newest 1,000 rows": f"""
        SELECT * FROM analytics.article_day_7d
        WHERE stat_date <= {LAST_DAY} ORDER BY stat_date DESC LIMIT 1000
    """,
    "top 50 of a month": f"""
        SELECT account_name, title, readers FROM analytics.article_7d
        WHERE publication_date > {LAST_DAY} - 30 AND readers IS NOT NULL
        ORDER BY 3 DESC LIMIT 50
    """,
    "growth of all articles": """
        SELECT sum(readers_day_1), sum(readers_day_3), sum(readers_day_7) FROM analytics.article_7d
    """,
    "yesterday's first articles, with totals and message": f"""
        SELECT day.account_name, day.title, readers_increment, article.readers, article_count
        FROM analytics.article_day_30d AS day
        INNER JOIN analytics.article_30d AS article USING (appid, msgid)
        INNER JOIN analytics.message ON message.appid = article.appid
            AND message.message_id = article.message_id
        WHERE day.stat_date = {LAST_DAY} AND day.position = 1
        ORDER BY 3 DESC LIMIT 50
    """,
    "coverage of 7 days": f"SELECT * FROM analytics.coverage WHERE day > {LAST_DAY} - 7",
}


def main() -> None:
    """Fill the database, measure the queries and print their times."""
    parser = argparse.ArgumentParser(description="Time the analysts' queries on much data.")
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--postgres", type=Path)
    options = parser.parse_args()
    with server(options.postgres) as started:
        started.create_database("benchmark")
        url = started.url("benchmark")
        warehouse.migrate(url)
        engine = warehouse.engine(url, {"statement_timeout": "0"}).execution_options(
            isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            for dataset in ARTICLE_DATASETS.values():
                fill(connection, dataset, options.accounts)
            connection.execute(statement("account_day/mark_all.sql"))
            began_at = time.perf_counter()
            refresh_account_days(engine)
            print(f"account days computed in {time.perf_counter() - began_at:.1f} s", flush=True)
            compare(connection)
        engine.dispose()


def compare(connection: Connection) -> None:
    """Run all queries, and print the seconds of each."""
    connection.exec_driver_sql("VACUUM ANALYZE")
    for title, query in page_queries():
        seconds, planned = seconds_of(connection, query), planning_ms(connection, query)
        print(f"{seconds:8.3f} s, planned in {planned:.1f} ms  {title}", flush=True)
    scans = [
        seconds_of(connection, f"SELECT sum({dataset.readers}) FROM weixin.{dataset.fact}")
        for dataset in ARTICLE_DATASETS.values()
    ]
    print("scans of the facts:", *scans, "s")
    for title, query in DASHBOARDS.items():
        seconds = seconds_of(connection, query)
        scan = scans["_30d" in query]
        planned, scans_taken = planning_ms(connection, query), seconds / scan
        print(f"{seconds:8.3f} s, planned in {planned:.1f} ms, {scans_taken:5.1f} scans  {title}")


def page_queries() -> Iterator[tuple[str, str]]:
    """Yield the queries of the analysts' pages, each with its heading, for benchmark accounts."""
    for page in ("analysts", "cookbook"):
        for part in re.split(r"^##+ ", (DOCS / f"{page}.md").read_text(), flags=re.M):
            for query in QUERY.findall(part):
                for name, other in NAMES.items():
                    query = query.replace(name, other)
                yield part.splitlines()[0], query


def planning_ms(connection: Connection, query: str) -> float:
    """Return the milliseconds of planning a query, in the fastest of `RUNS` tries."""
    explain = sqlalchemy.text(f"EXPLAIN (SUMMARY, FORMAT JSON) {query}")
    plans = [connection.execute(explain).scalar_one() for _ in range(RUNS)]
    return min(float(plan["Planning Time"]) for (plan,) in plans)


def seconds_of(connection: Connection, query: str) -> float:
    """Return the seconds of the fastest of `RUNS` executions."""
    taken = []
    for _ in range(RUNS):
        began_at = time.perf_counter()
        connection.execute(sqlalchemy.text(query)).all()
        taken.append(time.perf_counter() - began_at)
    return min(taken)


def fill(connection: Connection, dataset: Dataset, accounts: int, articles_a_day: int = 8) -> None:
    """
    Insert eight articles a day, or another number, for 90 days, as if loaded every morning.

    In one of ten rows, four figures were corrected once.
    """
    columns = ", ".join(metric.name for metric in dataset.metrics)
    values = ", ".join(_value(metric.kind, index) for index, metric in enumerate(dataset.metrics))
    articles = f"""
        SELECT
            appid,
            {LAST_DAY} - day AS publication_date,
            (2247483647 + day)::text AS message_id,
            position,
            (2247483647 + day)::text || '_' || position AS msgid
        FROM (
            SELECT 'wx' || to_char(number, 'FM0000') AS appid
            FROM generate_series(1, {accounts}) AS number
        ) AS account
        CROSS JOIN generate_series(0, 89) AS day
        CROSS JOIN generate_series(1, {articles_a_day}) AS position
    """
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
        SELECT DISTINCT appid, '公众号 ' || appid, appid, now() FROM ({articles}) AS article
        ON CONFLICT DO NOTHING
        """
    )
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.dim_article AS article (
            appid, msgid, message_id, position, publication_date, title, first_seen_at,
            unlisted_since
        )
        SELECT
            appid, msgid, message_id, position, publication_date, '标题 ' || msgid, now(),
            jsonb_build_object('{dataset.name}', NULL)
        FROM ({articles}) AS article
        ON CONFLICT (appid, msgid) DO UPDATE
        SET unlisted_since = article.unlisted_since || excluded.unlisted_since
        """
    )
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.{dataset.fact} (
            appid, msgid, stat_date, publication_date, {columns},
            raw_response_id, fetched_at, changed_at
        )
        SELECT
            appid, msgid, publication_date + step, publication_date, {values},
            1, morning, morning
        FROM ({articles}) AS article
        CROSS JOIN generate_series(0, {dataset.window - 1}) AS step
        CROSS JOIN LATERAL (
            SELECT (publication_date + step + 1 + time '08:31') AT TIME ZONE 'Asia/Shanghai'
        ) AS next (morning)
        WHERE publication_date + step <= {LAST_DAY}
          AND publication_date >= DATE '{dataset.first_day}'
        ORDER BY morning, appid, publication_date
        """
    )
    wholes = [metric.name for metric in dataset.totals if not metric.whole]
    changed = ", ".join(f"'{name}', {name} - 1" for name in wholes[:4])
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.fact_history (
            dataset, appid, item, stat_date, changed_at, replaced_at, cause, row
        )
        SELECT
            '{dataset.name}', appid, msgid, stat_date, changed_at - interval '1 hour', changed_at,
            'wechat', to_jsonb(fact) || jsonb_build_object({changed})
        FROM weixin.{dataset.fact} AS fact
        WHERE mod(hashtext(msgid || stat_date), 10) = 0
        """
    )
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.coverage (
            dataset, appid, day, settled, ready_at, list_sha256, article_count, attempted_at,
            fetched_at, through_date, row_count
        )
        SELECT
            '{dataset.name}', appid, publication_date,
            CASE WHEN max(stat_date) = publication_date + {dataset.window - 1} THEN 'final' END,
            {LAST_MORNING}, sha256('8'), 8, {LAST_MORNING}, {LAST_MORNING}, max(stat_date), count(*)
        FROM weixin.{dataset.fact}
        GROUP BY appid, publication_date
        """
    )


def _value(kind: Kind, index: int) -> str:
    """Return the SQL expression of a metric's value."""
    total = f"(10000 / {index + 1} + abs(hashtext(msgid)) %% 500) * (step + 1)"
    return {
        Kind.COUNT: total,
        Kind.RATE: "round(0.0001234 * (step + 1), 7)",
        Kind.LIST: f"""jsonb_build_array(
            jsonb_build_object('scene_desc', '全部', 'user_count', {total}),
            jsonb_build_object('scene_desc', '朋友圈', 'user_count', {total} / 2)
        )""",
    }[kind]


if __name__ == "__main__":
    main()
