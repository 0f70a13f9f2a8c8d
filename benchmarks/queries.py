"""
How quick the analysts' views answer: three years of one busy account, and 500 accounts for 90 days.

    python benchmarks/queries.py [--accounts 500] [--postgres /usr/lib/postgresql/15/bin]

Fills a database of a Postgres that it starts itself, runs every query of docs/analysts.md and
docs/cookbook.md for one account and prints its time and the indexes it went by; then what
dashboards ask of all accounts: the backend's CPU time, how many scans of the fact that is, and the
time of the same question to a plain copy of the view, as dbt keeps it.
"""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import psutil
import sqlalchemy
from contest import server
from sqlalchemy import Connection

from weixin_etl import warehouse
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset, Kind

ROOT = Path(__file__).parents[1]
QUERY = re.compile(r"```sql\n(.*?)```", re.DOTALL)
INDEX = re.compile(r"(?:Index (?:Only )?Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)")
PAGE_ACCOUNT = "wx5a4d80c70b1e2f3a"
BUSY, ORDINARY = "wxbusy", "wx0001"
LAST_DAY = "DATE '2026-11-23'"
LAST_MORNING = "TIMESTAMPTZ '2026-11-24 10:30+08'"
RUNS = 3


class Dashboard(NamedTuple):
    """A question over all accounts, of a view or of its copy; and what the copy holds."""

    title: str
    view: str
    query: str
    columns: str = "*"
    index_on: str = ""


DASHBOARDS = (
    Dashboard(
        "tiles of 28 days",
        "account_day_7d",
        "SELECT sum(readers_increment), sum(sharers_increment), "
        f"count(*) FILTER (WHERE is_complete) FROM {{}} WHERE calendar_date > {LAST_DAY} - 28",
    ),
    Dashboard(
        "reads a day, 90 days",
        "account_day_7d",
        "SELECT calendar_date, sum(reads_increment) FROM {} "
        f"WHERE calendar_date > {LAST_DAY} - 90 GROUP BY calendar_date",
    ),
    Dashboard("the newest day", "account_day_7d", "SELECT max(calendar_date) FROM {}"),
    Dashboard(
        "readers a day, the successor",
        "account_day_30d",
        "SELECT calendar_date, sum(readers_increment) FROM {} GROUP BY calendar_date",
    ),
    Dashboard(
        "readers by week, the company's series",
        "account_day",
        "SELECT iso_week, sum(readers_increment) FROM {} "
        "INNER JOIN analytics.calendar USING (calendar_date) "
        f"WHERE calendar_date > {LAST_DAY} - 28 GROUP BY iso_week",
    ),
    Dashboard(
        "yesterday's top 50",
        "article_day_7d",
        "SELECT account_name, title, readers_increment FROM {} "
        f"WHERE stat_date = {LAST_DAY} ORDER BY 3 DESC NULLS LAST LIMIT 50",
        "account_name, title, stat_date, readers_increment",
        "stat_date",
    ),
    Dashboard(
        "the newest 1,000 rows",
        "article_day_7d",
        f"SELECT * FROM {{}} WHERE stat_date <= {LAST_DAY} ORDER BY stat_date DESC LIMIT 1000",
        "account_name, title, stat_date, readers_increment",
        "stat_date",
    ),
    Dashboard(
        "top 50 of a month",
        "article_7d",
        "SELECT account_name, title, readers FROM {} "
        f"WHERE publication_date > {LAST_DAY} - 30 AND readers IS NOT NULL "
        "ORDER BY 3 DESC LIMIT 50",
    ),
    Dashboard(
        "growth of all articles",
        "article_7d",
        "SELECT sum(readers_day_1), sum(readers_day_3), sum(readers_day_7) FROM {}",
    ),
    Dashboard(
        "coverage of 7 days",
        "coverage",
        f"SELECT * FROM {{}} WHERE day > {LAST_DAY} - 7",
    ),
)


def main() -> None:
    """Fill, measure, print."""
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
            compare(connection)
        engine.dispose()


def compare(connection: Connection) -> None:
    """Ask."""
    connection.exec_driver_sql("VACUUM ANALYZE")
    for account in (BUSY, ORDINARY):
        for title, query in page_queries(account):
            measure(connection, account, title, query)
    connection.exec_driver_sql("SET max_parallel_workers_per_gather = 0")
    for dataset in ARTICLE_DATASETS.values():
        scan = cpu_seconds(connection, f"SELECT sum({dataset.readers}) FROM weixin.{dataset.fact}")
        print(f"{scan:8.3f} s of CPU, a scan of {dataset.fact}", flush=True)
        for asked in (it for it in DASHBOARDS if ("_30d" in it.view) == (dataset.suffix == "_30d")):
            compare_with_copy(connection, asked, scan)


def compare_with_copy(connection: Connection, asked: Dashboard, scan: float) -> None:
    """Print the CPU time of the backend for the view, in scans too, and for a copy of it."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS public.copy")
    connection.exec_driver_sql(
        f"CREATE TABLE public.copy AS SELECT {asked.columns} FROM analytics.{asked.view}"
    )
    if asked.index_on:
        connection.exec_driver_sql(f"CREATE INDEX ON public.copy ({asked.index_on})")
    connection.exec_driver_sql("ANALYZE public.copy")
    view, copy = (
        cpu_seconds(connection, asked.query.format(of))
        for of in (f"analytics.{asked.view}", "public.copy")
    )
    took = f"{view:8.3f} s of CPU, {view / scan:5.1f} scans, a copy {copy:6.3f} s"
    print(f"{took}  {asked.title}", flush=True)


def cpu_seconds(connection: Connection, query: str) -> float:
    """Of a run, the least of some: a clock ticks every 10 ms."""
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    backend = psutil.Process(pid)
    taken = []
    for _ in range(RUNS):
        before = backend.cpu_times()
        connection.execute(sqlalchemy.text(query)).all()
        after = backend.cpu_times()
        taken.append(after.user + after.system - before.user - before.system)
    return min(taken)


def _name(appid: str) -> str:
    return f"公众号 {appid}"


def fill(connection: Connection, dataset: Dataset, accounts: int) -> None:
    """
    Eight articles a day: three years of the busy account, 90 days of the others.

    Four figures of each tenth row were corrected once.
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
            SELECT '{BUSY}' AS appid, 1095 AS days
            UNION ALL
            SELECT 'wx' || lpad(number::text, greatest(4, length(number::text)), '0'), 90
            FROM generate_series(1, {accounts}) AS number
        ) AS account
        CROSS JOIN LATERAL generate_series(0, days - 1) AS day
        CROSS JOIN generate_series(1, 8) AS position
    """
    connection.exec_driver_sql(
        f"""
        INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
        SELECT DISTINCT appid, '{_name("")}' || appid, appid, now() FROM ({articles}) AS article
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
    total = f"(10000 / {index + 1} + abs(hashtext(msgid)) %% 500) * (step + 1)"
    return {
        Kind.COUNT: total,
        Kind.RATE: "round(0.0001234 * (step + 1), 7)",
        Kind.LIST: f"""jsonb_build_array(
            jsonb_build_object('scene_desc', '全部', 'user_count', {total}),
            jsonb_build_object('scene_desc', '朋友圈', 'user_count', {total} / 2)
        )""",
    }[kind]


def page_queries(account: str) -> list[tuple[str, str]]:
    """The queries of the analysts' page, for another account."""
    pages = [(ROOT / f"docs/{it}.md").read_text() for it in ("analysts", "cookbook")]
    parts = re.split(r"^##+ ", "\n".join(pages), flags=re.M)
    return [
        (part.splitlines()[0], _for(account, query))
        for part in parts
        for query in QUERY.findall(part)
    ]


def _for(account: str, query: str) -> str:
    """The query for an account of the benchmark, compared with another where the page does so."""
    names = {PAGE_ACCOUNT: account, "春风": _name(account), "晨报": _name("wx0002")}
    for name, other in names.items():
        query = query.replace(name, other)
    return query


def measure(connection: Connection, account: str, title: str, query: str) -> None:
    """Print a query's CPU time, and the indexes its plan goes by or that it scans a fact."""
    seconds = cpu_seconds(connection, query)
    explain = sqlalchemy.text(f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) {query}")
    plan = "\n".join(connection.scalars(explain))
    indexes = ", ".join(sorted(set(INDEX.findall(plan)))) or "none"
    if re.search(r"Seq Scan on fact_\w+(?<!_history)\b", plan):
        indexes = "THE WHOLE FACT"
    print(f"{account:8} {seconds * 1000:6.0f} ms  {title:60} {indexes}", flush=True)


if __name__ == "__main__":
    main()
