"""Where a text lies: in what was printed, in files, and in every table of databases."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import zstandard
from sqlalchemy import Engine

TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def places(
    needles: Iterable[str], printed: Mapping[str, str], folder: Path, databases: Iterable[Engine]
) -> set[str]:
    """The names of all places that hold one of the texts."""
    wanted = [needle.encode() for needle in needles]
    assert wanted
    assert all(wanted), "a search for nothing finds nothing"
    hay = [
        *((name, text.encode()) for name, text in printed.items()),
        *((path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()),
        *(cell for engine in databases for cell in _cells(engine)),
    ]
    return {name for name, content in hay if any(needle in content for needle in wanted)}


def printed(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """
    What the command printed, but for the lines in which Airflow itself says what it will mask.

    It prints those at DEBUG, under `dags test` alone, before any code of ours could stop it.
    """
    masking = re.compile(r"^\S+ \[debug +\] Sending request .* msg=MaskSecret\(.*\n", re.MULTILINE)
    return {"stdout": masking.sub("", done.stdout), "stderr": done.stderr}


def _cells(engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Every value of every table, and of answers the bytes as they were."""
    with engine.connect() as connection:
        for schema, table in connection.exec_driver_sql(TABLES).all():
            for row in connection.exec_driver_sql(f'SELECT * FROM "{schema}"."{table}"').mappings():
                for column, value in row.items():
                    is_bytes = isinstance(value, memoryview)
                    content = bytes(value) if is_bytes else str(value).encode()
                    content = zstandard.decompress(content) if column == "body" else content
                    yield f"{table}.{column}", content
