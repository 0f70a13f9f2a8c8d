"""
The limit of an upsert: what Postgres itself takes for rows that are ready.

    python benchmarks/limit.py --answers FILE --url postgresql://…

The rows are made into CSV beforehand, which is not counted. Counted is COPY into a temporary table
and the insert of the new and changed ones, in one transaction, into a table with the fact's columns
and primary key: no further index, no history, no bookkeeping.
"""

import argparse
import csv
import io
from pathlib import Path

import psycopg2
from answers import COLUMNS, KEY, METRICS, Load, read, rows, tell

TABLE = "limit_article_total"
FURTHER = {
    "extra": "jsonb",
    "raw_response_id": "bigint NOT NULL",
    "fetched_at": "timestamptz NOT NULL",
    "changed_at": "timestamptz NOT NULL",
}
"""The fact's columns beside those of an answer."""

COMPARED = (*METRICS, "extra")
UPDATED = (*COLUMNS[len(KEY) :], *FURTHER)
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        appid text, msgid text, stat_date date, publication_date date NOT NULL,
        {", ".join(f"{name} bigint" for name in METRICS)},
        {", ".join(f"{name} {kind}" for name, kind in FURTHER.items())},
        PRIMARY KEY ({", ".join(KEY)})
    )
"""
SESSION = (
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; "
    "SET enable_bitmapscan = off; SET jit = off"
)
"""Rows are looked up by the key; a scan of an empty table would read all that it just wrote."""

STAGE = f"CREATE TEMPORARY TABLE staged (LIKE {TABLE}) ON COMMIT DROP"
MERGE = f"""
    INSERT INTO {TABLE}
    SELECT staged.*
    FROM staged
    LEFT JOIN {TABLE} AS present USING ({", ".join(KEY)})
    WHERE
        present.appid IS NULL
        OR ({", ".join(f"staged.{name}" for name in COMPARED)})
        IS DISTINCT FROM ({", ".join(f"present.{name}" for name in COMPARED)})
    ON CONFLICT ({", ".join(KEY)}) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in UPDATED)}
"""


def main() -> None:
    """Load a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    tell(prepare(options.answers, options.url))


def prepare(answers: Path, url: str) -> Load:
    """Connect, create the table, write the rows as COPY takes them."""
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(f"{CREATE}; {SESSION}")
    connection.commit()
    lines, count = ready_lines(answers)

    def load() -> int:
        cursor.execute(STAGE)
        cursor.copy_expert("COPY staged FROM STDIN (FORMAT csv)", lines)
        cursor.execute(MERGE)
        connection.commit()
        return count

    return load


def ready_lines(answers: Path) -> tuple[io.StringIO, int]:
    """The rows of the file as CSV, and how many."""
    fetched_at = next((answer.fetched_at for answer in read(answers)), None)
    lines, count = io.StringIO(), 0
    writer = csv.writer(lines)
    for count, row in enumerate(rows(answers), 1):
        writer.writerow([*row, None, count, fetched_at, fetched_at])
    lines.seek(0)
    return lines, count


if __name__ == "__main__":
    main()
