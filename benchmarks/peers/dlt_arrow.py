"""dlt: the new and changed rows, found by Arrow, loaded as parquet by ADBC and merged."""

import tempfile
from pathlib import Path

import dlt
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from peer import COLUMNS, KEY, NAME, SCHEMA, TABLE, Load, create_table, flat, main


def prepare(answers: Path, url: str) -> Load:
    """Create the table, and a pipeline that knows nothing yet but where to load to."""
    dlt.config["runtime.dlthub_telemetry"] = False
    pipeline = dlt.pipeline(
        NAME,
        pipelines_dir=tempfile.mkdtemp(),
        destination=dlt.destinations.postgres(url),
        dataset_name=SCHEMA,
    )
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
            pipeline.run(
                dlt.resource(
                    changed,
                    name=NAME,
                    write_disposition={"disposition": "merge", "strategy": "upsert"},
                    primary_key=KEY,
                ),
                loader_file_format="parquet",
            )
        return len(rows)

    return load


if __name__ == "__main__":
    main(prepare)
