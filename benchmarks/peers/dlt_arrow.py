"""dlt: the new and changed rows, found by Arrow, loaded as parquet by ADBC and merged."""

from pathlib import Path

import pyarrow as pa
from adbc_driver_postgresql import dbapi
from dlt_merge import merged, new_pipeline
from peer import COLUMNS, TABLE, Load, create_table, flat, main


def prepare(answers: Path, url: str) -> Load:
    """Connect dlt and ADBC, create the table."""
    pipeline = new_pipeline(url)
    with pipeline.sql_client() as client:
        client.execute_sql(create_table())
    connection = dbapi.connect(url)

    def load() -> int:
        rows = list(flat(answers))
        if not rows:
            return 0
        answered = pa.Table.from_arrays([pa.array(c) for c in zip(*rows, strict=True)], COLUMNS)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE}")
            present = cursor.fetch_arrow_table()
        connection.rollback()
        changed = answered.join(present, list(COLUMNS), join_type="left anti")
        if len(changed):
            pipeline.run(merged(changed), loader_file_format="parquet")
        return len(rows)

    return load


if __name__ == "__main__":
    main(prepare)
