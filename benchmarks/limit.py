"""
The limit of the load: the time that Postgres itself needs to upsert finished rows.

The rows are written as CSV beforehand, which is not measured. The measured part copies them into a
temporary table and inserts the new and changed ones, in one transaction. The table has the fact's
columns and primary key, but no further index, no history and no bookkeeping.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import psycopg2
from answers import COLUMNS, KEY, METRICS, places, rows

TABLE = "limit_article_total"
FURTHER = ("raw_response_id", "fetched_at", "changed_at")
"""The fact's columns that are not part of an answer, except `extra`."""
UPDATED = (*COLUMNS[len(KEY) :], "extra", *FURTHER)
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE}
    (LIKE weixin.fact_article_total, PRIMARY KEY ({", ".join(KEY)}));
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;
    SET enable_bitmapscan = off; SET jit = off
"""
"""Create the table, and disable the plans that would scan the rows that were just written."""
STAGE = f"CREATE TEMPORARY TABLE staged (LIKE {TABLE}) ON COMMIT DROP"
COPY = f"COPY staged ({', '.join((*COLUMNS, *FURTHER))}) FROM STDIN (FORMAT csv)"
MERGE = f"""
    INSERT INTO {TABLE}
    SELECT staged.*
    FROM staged
    LEFT JOIN {TABLE} AS present USING ({", ".join(KEY)})
    WHERE
        present.appid IS NULL
        OR ({", ".join(f"staged.{name}" for name in (*METRICS, "extra"))})
        IS DISTINCT FROM ({", ".join(f"present.{name}" for name in (*METRICS, "extra"))})
    ON CONFLICT ({", ".join(KEY)}) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in UPDATED)}
"""


def prepare(answers: Path, url: str) -> Callable[[], int]:
    """Create the table and write the rows as CSV; return the function that loads them."""
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(CREATE)
    connection.commit()
    fetched_at = next((answer.fetched_at for answer in places(answers)), None)
    lines, count = io.StringIO(), 0
    writer = csv.writer(lines)
    for count, row in enumerate(rows(answers), 1):
        writer.writerow([*row, count, fetched_at, fetched_at])
    lines.seek(0)

    def load() -> int:
        cursor.execute(STAGE)
        cursor.copy_expert(COPY, lines)
        cursor.execute(MERGE)
        connection.commit()
        return count

    return load
