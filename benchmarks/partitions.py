"""
Whether partitions by month would serve the fact's readers and its load.

    python benchmarks/partitions.py postgresql://…/a_database_that_queries.py_filled

Makes a copy of the fact in monthly partitions beside it, asks both the same; medians of 5.
"""

import argparse
import statistics
import time

from sqlalchemy import Connection

from weixin_etl import warehouse
from weixin_etl.datasets import ARTICLE_TOTAL

FACT = f"weixin.{ARTICLE_TOTAL.fact}"
COPY = f"{FACT}_by_month"
RUNS = 5
QUESTIONS = {
    "an account's sums per publication day": """
        SELECT publication_date, sum(int_page_read_count) FROM {table}
        WHERE appid = 'wx0001' GROUP BY publication_date
    """,
    "an account's sums per stat_date, one month": """
        SELECT stat_date, sum(int_page_read_count) FROM {table}
        WHERE appid = 'wx0001' AND stat_date BETWEEN '2026-10-01' AND '2026-10-31'
        GROUP BY stat_date
    """,
    "the load's look-up of a week's rows": """
        SELECT count(fact.msgid) FROM staged LEFT JOIN {table} AS fact
        ON fact.appid = (SELECT 'wx0001') AND fact.msgid = staged.msgid
        AND fact.stat_date = staged.stat_date
    """,
}


def main() -> None:
    """Copy, ask, print."""
    parser = argparse.ArgumentParser(description="Compare one table with monthly partitions.")
    parser.add_argument("url")
    engine = warehouse.engine(parser.parse_args().url)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        copy_by_month(connection)
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE staged AS SELECT msgid, stat_date FROM {FACT} "
            "WHERE appid = 'wx0001' AND publication_date > DATE '2026-11-16'"
        )
        connection.exec_driver_sql("SET enable_hashjoin = off; SET enable_mergejoin = off")
        for title, question in QUESTIONS.items():
            one, many = (measure(connection, question, table) for table in (FACT, COPY))
            print(f"{title:45} one table {one:6.1f} ms  by month {many:6.1f} ms")
        one, many = (size_mb(connection, table) for table in (FACT, COPY))
        print(f"{'table and indexes':45} one table {one:6.0f} MB  by month {many:6.0f} MB")


def copy_by_month(connection: Connection) -> None:
    """The fact's rows and indexes, in a partition per month."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {COPY}")
    connection.exec_driver_sql(
        f"CREATE TABLE {COPY} (LIKE {FACT} INCLUDING ALL) PARTITION BY RANGE (stat_date)"
    )
    months = connection.exec_driver_sql(
        f"SELECT DISTINCT date_trunc('month', stat_date)::date FROM {FACT} ORDER BY 1"
    ).scalars()
    for month in list(months):
        connection.exec_driver_sql(
            f"CREATE TABLE {COPY}_{month:%Y%m} PARTITION OF {COPY} "
            f"FOR VALUES FROM ('{month}') TO ('{month}'::date + interval '1 month')"
        )
    connection.exec_driver_sql(f"INSERT INTO {COPY} SELECT * FROM {FACT}")
    connection.exec_driver_sql(f"VACUUM ANALYZE {COPY}, {FACT}")


def measure(connection: Connection, question: str, table: str) -> float:
    """Median milliseconds of an answer."""
    milliseconds = []
    for _ in range(RUNS):
        began_at = time.perf_counter()
        connection.exec_driver_sql(question.format(table=table)).all()
        milliseconds.append((time.perf_counter() - began_at) * 1000)
    return statistics.median(milliseconds)


def size_mb(connection: Connection, table: str) -> float:
    """Megabytes of the table, its partitions and its indexes."""
    return float(
        connection.exec_driver_sql(
            "SELECT sum(pg_total_relation_size(relid)) / 1e6 FROM ("
            f"SELECT '{table}'::regclass::oid AS relid UNION ALL "
            f"SELECT inhrelid FROM pg_inherits WHERE inhparent = '{table}'::regclass) AS part"
        ).scalar_one()
    )


if __name__ == "__main__":
    main()
