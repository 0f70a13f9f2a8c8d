"""pandas: `to_sql` by COPY into a staging table, as its manual shows, then `ON CONFLICT`."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from contender import COLUMNS, KEY, TABLE, Load, create_table, main
from pandas.io.sql import SQLTable
from peer import flat
from sqlalchemy import Connection, create_engine, make_url, text

SCHEMA = TABLE.split(".")[0]
UPSERT = text(f"""
    INSERT INTO {TABLE} SELECT * FROM {SCHEMA}.staged
    ON CONFLICT ({", ".join(KEY)}) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[len(KEY) :])}
""")


def prepare(answers: Path, url: str) -> Load:
    """Connect and create the table."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        connection.execute(text(create_table()))

    def load() -> int:
        frame = pd.DataFrame(flat(answers), columns=list(COLUMNS))
        if frame.empty:
            return 0
        with engine.begin() as connection:
            frame.to_sql(
                "staged",
                connection,
                schema=SCHEMA,
                if_exists="replace",
                index=False,
                method=copy,
            )
            connection.execute(UPSERT)
        return len(frame)

    return load


def copy(
    table: SQLTable, connection: Connection, columns: list[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert by COPY: the manual's `psql_insert_copy`."""
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    lines.seek(0)
    connection.connection.cursor().copy_expert(
        f"COPY {table.schema}.{table.name} ({', '.join(columns)}) FROM STDIN WITH CSV", lines
    )


if __name__ == "__main__":
    main(prepare)
