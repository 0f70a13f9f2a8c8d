"""The files of analysts' tools that are made of the catalogue."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml
from dictionary import Entry, dictionary, joins
from sqlalchemy import Engine
from sqlalchemy.engine.reflection import ObjectKind

HERE = Path(__file__).parent
HEADER = "# Made by analytics/generated.py: see dbt/README.md.\n"
BETWEEN = " · "
"""What stands between the languages."""
NEWEST_DAY = """
SELECT (max(day) + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
FROM analytics.coverage WHERE ready_at IS NOT NULL
"""
"""The end of the newest day of which a complete answer came, also an empty one."""
LOADED_AT = {
    "coverage": {"loaded_at_query": " ".join(NEWEST_DAY.split())},
    "article_day_7d": {"loaded_at_field": "changed_at"},
    "article_day_30d": {"loaded_at_field": "changed_at"},
}
"""By what `dbt source freshness` judges."""


class Line(dict[str, Any]):
    """What a file says in one line."""


yaml.add_representer(
    Line,
    lambda dumper, line: dumper.represent_mapping("tag:yaml.org,2002:map", line, flow_style=True),
    Dumper=yaml.SafeDumper,
)


def files(warehouse: Engine) -> dict[Path, str]:
    """Return the content of each file; its header says that it is generated."""
    entries = dictionary(warehouse)
    contents = {
        "dbt/models/sources.yml": sources(warehouse, entries),
    }
    return {
        HERE / name: HEADER
        + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=10_000)
        for name, content in contents.items()
    }


# ---------------------------------------------------------------------------------------- sources


def sources(warehouse: Engine, entries: Sequence[Entry]) -> dict[str, Any]:
    """Each view of schema `analytics` as a source of dbt."""
    found = sqlalchemy.inspect(warehouse).get_multi_table_comment("analytics", kind=ObjectKind.ANY)
    comments = {name: comment["text"] or "" for (_, name), comment in found.items()}
    source = {
        "name": "weixin",
        "description": "WeChat's statistics of articles, as weixin-etl shows them to analysts.",
        "schema": "analytics",
        "tables": [
            view(name, comments[name], [*columns])
            for name, columns in groupby(entries, attrgetter("view"))
        ],
    }
    return {"version": 2, "sources": [source]}


def view(name: str, comment: str, columns: Sequence[Entry]) -> dict[str, Any]:
    """Return a view in both languages, with the tests of its key and of what it joins to."""
    key = [entry.column for entry in columns if entry.is_key]
    return {
        "name": name,
        "description": comment.partition("\nkey: ")[0].replace("\n中文：", BETWEEN),
        **({"config": LOADED_AT[name]} if name in LOADED_AT else {}),
        "data_tests": [
            Line(unique_key={"arguments": {"columns": key}}),
            *[relationship(*join) for join in joins(columns)[name].items()],
        ],
        "columns": [column(entry) for entry in columns],
    }


def relationship(other: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """Every row has one of the other view, unless one of its columns is NULL."""
    arguments = {
        "column_name": f"({', '.join(columns)})",
        "to": f"source('weixin', '{other}')",
        "field": f"({', '.join(columns.values())})",
    }
    return Line(relationships={"arguments": arguments})


def column(entry: Entry) -> dict[str, Any]:
    """Return a column in both languages, with its unit and how it adds up."""
    figure = {"unit": entry.unit, "additivity": entry.additivity}
    return Line(
        name=entry.column,
        description=described(entry),
        data_type=entry.type,
        **({"config": {"meta": figure}} if entry.unit else {}),
    )


def described(entry: Entry) -> str:
    """In both languages."""
    return BETWEEN.join(filter(None, [entry.english, entry.chinese]))
