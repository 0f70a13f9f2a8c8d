"""dlt: pages of rows, by COPY into its staging table, merged by its `upsert` strategy."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
from peer import COLUMNS, KEY, NAME, SCHEMA, Load, flat, main

PAGE = 10_000


def prepare(answers: Path, url: str) -> Load:
    """Connect; dlt creates the table with the first rows."""
    pipeline = new_pipeline(url)

    def load() -> int:
        rows = list(flat(answers))
        pipeline.run(merged(pages(rows)), loader_file_format="csv")
        return len(rows)

    return load


def new_pipeline(url: str) -> dlt.Pipeline:
    """A pipeline that knows nothing yet but where to load to."""
    dlt.config["runtime.dlthub_telemetry"] = False
    return dlt.pipeline(
        NAME,
        pipelines_dir=tempfile.mkdtemp(),
        destination=dlt.destinations.postgres(url),
        dataset_name=SCHEMA,
    )


def merged(rows: Any) -> Any:
    """The rows as a resource whose target is to be brought up to date."""
    return dlt.resource(
        rows,
        name=NAME,
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key=KEY,
    )


def pages(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[dict[str, Any]]]:
    """The rows as dlt takes them, some at a time."""
    for start in range(0, len(rows), PAGE):
        yield [dict(zip(COLUMNS, row, strict=True)) for row in rows[start : start + PAGE]]


if __name__ == "__main__":
    main(prepare)
