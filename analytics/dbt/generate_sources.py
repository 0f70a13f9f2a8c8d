"""models/sources.yml, made of the warehouse's dictionary."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy
import yaml
from sqlalchemy import Engine
from sqlalchemy.engine.reflection import ObjectKind

from weixin_etl.dictionary import Entry, dictionary

HEADER = """\
# Made of the warehouse's catalogue by generate_sources.py: see README.md.
# How fresh a source must be stands in dbt_project.yml.
"""
BETWEEN = " · "
"""What stands between the languages."""
LOADED_AT = {
    "coverage": "fetched_at",
    "article_day": "changed_at",
    "article_day_detail": "changed_at",
}
"""The columns by which `dbt source freshness` judges."""


def sources(warehouse: Engine) -> str:
    """The YAML file: a source for each view of schema `analytics`."""
    found = sqlalchemy.inspect(warehouse).get_multi_table_comment("analytics", kind=ObjectKind.ANY)
    comments = {name: comment["text"] or "" for (_, name), comment in found.items()}
    views = groupby(dictionary(warehouse), attrgetter("view"))
    source = {
        "name": "weixin",
        "description": "WeChat's statistics of articles, as weixin-etl shows them to analysts.",
        "schema": "analytics",
        "tables": [view(name, comments[name], [*entries]) for name, entries in views],
    }
    file = {"version": 2, "sources": [source]}
    text: str = yaml.safe_dump(file, allow_unicode=True, sort_keys=False, width=100)
    return HEADER + text


def view(name: str, comment: str, columns: Sequence[Entry]) -> dict[str, Any]:
    """A view in both languages, with the test of its key."""
    key = [entry.column for entry in columns if entry.is_key]
    loaded_at = LOADED_AT.get(name)
    return {
        "name": name,
        "description": comment.partition("\nkey: ")[0].replace("\n中文：", BETWEEN),
        **({"config": {"loaded_at_field": loaded_at}} if loaded_at else {}),
        "data_tests": [{"unique_key": {"arguments": {"columns": key}}}],
        "columns": [column(entry) for entry in columns],
    }


def column(entry: Entry) -> dict[str, Any]:
    """A column in both languages; what a figure is counted in and how it adds up, for programs."""
    figure = {"unit": entry.unit, "additivity": entry.additivity}
    return {
        "name": entry.column,
        "description": BETWEEN.join(filter(None, [entry.english, entry.chinese])),
        "data_type": entry.type,
        **({"config": {"meta": figure}} if entry.unit else {}),
    }
