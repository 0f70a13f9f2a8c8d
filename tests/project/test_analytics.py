"""The files for dbt are those of the catalogue."""

import os

from generated import files
from sqlalchemy import Engine


def test_the_files_are_the_dictionarys(migrated: Engine) -> None:
    """The sources; UPDATE_DOCS=1 writes them anew."""
    made = files(migrated)
    if os.environ.get("UPDATE_DOCS"):
        for file, content in made.items():
            file.write_text(content)

    assert {file: file.read_text() for file in made} == made
