"""Where a text lies: in what was printed, in files, and in every table of databases."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import zstandard
from sqlalchemy import Engine

TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
COLUMNS = """
    SELECT quote_ident(column_name), data_type FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s
"""


def places(
    needles: Iterable[str],
    printed: Mapping[str, str],
    folders: Iterable[Path],
    databases: Mapping[str, Engine],
) -> set[str]:
    """The names of all places that hold one of the texts."""
    wanted = [needle.encode() for needle in needles]
    if not wanted or not all(wanted):
        raise ValueError("a search for nothing finds nothing")
    hay = [
        *((name, text.encode()) for name, text in printed.items()),
        *(file for folder in folders for file in _files(folder)),
        *(cell for name, engine in databases.items() for cell in _cells(name, engine)),
    ]
    return {name for name, content in hay if any(needle in content for needle in wanted)}


def printed(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """
    What the command printed, but for the lines in which Airflow itself says what it will mask.

    It prints those at DEBUG, under `dags test` alone, before any code of ours could stop it.
    """
    masking = re.compile(r"^\S+ \[debug +\] Sending request .* msg=MaskSecret\(.*\n", re.MULTILINE)
    return {"stdout": masking.sub("", done.stdout), "stderr": done.stderr}


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()


def _cells(name: str, engine: Engine) -> Iterator[tuple[str, bytes]]:
    """Every value of every table: bytes as they are or were, all else as Postgres writes it."""
    with engine.connect() as connection:
        for schema, table in connection.exec_driver_sql(TABLES).all():
            columns = connection.exec_driver_sql(COLUMNS, (schema, table)).all()
            casts = ", ".join(
                column if kind == "bytea" else f"{column}::text" for column, kind in columns
            )
            rows = connection.exec_driver_sql(f'SELECT {casts} FROM "{schema}"."{table}"')
            for row in rows:
                for (column, _), value in zip(columns, row, strict=True):
                    content = value.encode() if isinstance(value, str) else bytes(value or b"")
                    if column == "body":
                        content = zstandard.decompress(content)
                    yield f"{name}.{table}.{column}", content
