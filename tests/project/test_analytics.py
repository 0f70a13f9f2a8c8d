"""The files for dbt and Superset are those of the catalogue."""

import os
import re

import yaml
from generated import files
from people import PROJECT
from sqlalchemy import Engine


def test_the_files_are_the_dictionarys(migrated: Engine) -> None:
    """The sources; UPDATE_DOCS=1 writes them anew."""
    made = files(migrated)
    if os.environ.get("UPDATE_DOCS"):
        for file, content in made.items():
            file.write_text(content)

    assert {file: file.read_text() for file in made} == made


def test_the_dashboard_depends_on_what_it_reads() -> None:
    """Its exposure names the views that the files under analytics/superset read, and no others."""
    analytics = PROJECT / "analytics"
    exposures = yaml.safe_load((analytics / "dbt/models/exposures.yml").read_text())["exposures"]
    (named,) = [it["depends_on"] for it in exposures if it["type"] == "dashboard"]
    read: set[str] = set()
    for file in (analytics / "superset/export/datasets").rglob("*.yaml"):
        it = yaml.safe_load(file.read_text())
        query = it.get("sql") or f"{it['schema']}.{it['table_name']}"
        read |= {*re.findall(r"\banalytics\.(\w+)", query)}

    assert named == [f'source("weixin", "{view}")' for view in sorted(read)]
