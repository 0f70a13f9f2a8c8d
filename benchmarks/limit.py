"""
The limit of an upsert: what Postgres itself takes for rows that are ready.

    python benchmarks/limit.py --answers FILE --url postgresql://…

The rows are made into CSV beforehand, which is not counted. Counted is COPY into a temporary table
and the insert of the new and changed ones, in one transaction, into a table with the fact's columns
and primary key: no further index, no history, no bookkeeping.
"""

import csv
import io
from pathlib import Path

import psycopg2
from contender import COLUMNS, KEY, METRICS, TABLE, Load, create_table, main, read, rows

FURTHER = {
    "extra": "jsonb",
    "raw_response_id": "bigint NOT NULL",
    "fetched_at": "timestamptz NOT NULL",
    "changed_at": "timestamptz NOT NULL",
}
"""The columns the fact has beside those of every contender."""

COMPARED = (*METRICS, "extra")
UPDATED = (*COLUMNS[len(KEY) :], *FURTHER)
SESSION = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"
"""Rows are looked up by the key, however many the table has."""

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


def prepare(answers: Path, url: str) -> Load:
    """Connect, create the table, write the rows as COPY takes them."""
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    further = [f"{name} {type_}" for name, type_ in FURTHER.items()]
    cursor.execute(f"{create_table(*further)}; {SESSION}")
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
    main(prepare)
