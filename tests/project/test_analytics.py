"""A test of the files for dbt, which are generated from the catalogue."""

import os

from generated import files
from sqlalchemy import Engine


def test_the_files_for_dbt_equal_the_generated_ones(migrated: Engine) -> None:
    """UPDATE_DOCS=1 writes the files again."""
    generated = files(migrated)
    if os.environ.get("UPDATE_DOCS"):
        for file, content in generated.items():
            file.write_text(content)

    assert {file: file.read_text() for file in generated} == generated
